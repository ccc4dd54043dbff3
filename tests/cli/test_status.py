"""`bot status`, `settle`, `retract` and `check`: what is known, and what a person decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.ledger.store import Ledger
from bot.model import Network, State
from bot.sandbox.faults import CLOSED_AFTER, refusal, server_error, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL_MARKDOWN,
    HOLLO,
    MASTODON,
    SNAC2,
    TAKAHE,
    MastodonBehaviour,
)
from bot.sandbox.mastodon.pages import ProfilePage
from bot.sandbox.wire import Request
from tests.helpers.cli_world import DAY, SLUG, CliWorld, cli_world, recent_digest

X, TOOTS = Network.TWITTER, Network.MASTODON
REFUSED = refusal("422", mastodon_answers.REFUSALS["422 length"])


@pytest.fixture
def bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CliWorld]:
    with cli_world(tmp_path, capsys) as made:
        yield made


def second_paper(request: Request) -> bool:
    return request.method == "POST" and b"2602.10002" in request.body


def held(bot: CliWorld) -> None:
    """Mastodon refuses the third of four posts for good."""
    bot.sandbox.script(REFUSED, network="mastodon", when=second_paper)
    assert bot("post", networks=[TOOTS])[0] == 1


def states(bot: CliWorld, account: str) -> list[State]:
    with bot.ledger() as ledger:
        thread = ledger.thread(account, SLUG)
        assert thread
        return [post.state for post in thread.posts]


# status -------------------------------------------------------------------------------------------


def test_before_anything_the_status_is_that_of_the_accounts(bot: CliWorld) -> None:
    status, out, err = bot("status")
    assert (status, err) == (0, "")
    assert out == (
        "twitter (twitter): ready\nmastodon (mastodon): ready\nNothing was planned or sent yet.\n"
    )
    assert not bot.database.parent.exists(), "looking made a ledger"
    assert bot.json("status") == {
        "accounts": [
            {
                "account": name,
                "network": name,
                "ready": True,
                "reason": None,
                "spent_usd": 0.0,
            }
            for name in ("twitter", "mastodon")
        ],
        "threads": [],
    }


def test_json_is_the_contracts_to_the_letter(bot: CliWorld) -> None:
    assert bot("post")[0] == 0
    found = bot.json("status")
    assert found["accounts"] == [
        {
            "account": "twitter",
            "network": "twitter",
            "ready": True,
            "reason": None,
            "spent_usd": 0.616,  # with one post that was read
        },
        {
            "account": "mastodon",
            "network": "mastodon",
            "ready": True,
            "reason": None,
            "spent_usd": 0.0,
        },
    ]
    threads = {str(thread["account"]): thread for thread in found["threads"]}
    for network in (X, TOOTS):
        live = bot.live(network)
        urls = {
            X: "https://x.com/i/web/status/{}",
            TOOTS: bot.sandbox.url("mastodon") + "/@sandbox/{}",
        }
        assert threads[network.value] == {
            "digest": SLUG,
            "account": network.value,
            "network": network.value,
            "changed": False,
            "posts": [
                {
                    "position": position,
                    "number": position + 1,
                    "state": "sent",
                    "id": post.id,
                    "url": urls[network].format(post.id),
                    "attempts": 1,
                    "error": None,
                }
                for position, post in enumerate(live)
            ],
        }


def test_a_half_thread_shows_what_is_wrong_and_what_is_left(bot: CliWorld) -> None:
    held(bot)
    status, out, _ = bot("status", networks=[TOOTS])
    assert status == 0
    assert f"{SLUG} on mastodon: 1 planned, 2 sent, 1 held\n" in out
    assert re.search(r"\n    3 held      2\. Learning & Unlearning, Part 2.*\n {16}Mastodon", out)
    assert "    1 sent" not in out
    post = bot.json("status", networks=[TOOTS])["threads"][0]["posts"]
    assert isinstance(post, list)
    assert (post[2]["state"], post[2]["id"], post[2]["attempts"]) == ("held", None, 0)
    assert "Text character limit of 500 exceeded" in post[2]["error"]
    assert bot.json("status", networks=[TOOTS])["accounts"][0]["reason"] == f"held: {SLUG}"


@pytest.mark.parametrize("wanted", [SLUG, str(DAY)])
def test_one_digest_is_shown_post_by_post(bot: CliWorld, wanted: str) -> None:
    bot("post", networks=[TOOTS])
    bot.publish(recent_digest(1, day=DAY + timedelta(days=1), first=20))
    bot("post", networks=[TOOTS])
    status, out, _ = bot("status", wanted, networks=[TOOTS])
    assert status == 0
    urls = re.findall(
        r"^    \d sent      (http://127\.0\.0\.1:\d+/@sandbox/\d+)$", out, re.MULTILINE
    )
    assert len(urls) == 4
    assert out.count("hot-papers-") == 1
    assert len(bot.json("status", wanted)["threads"]) == 1
    assert len(bot.json("status")["threads"]) == 2


def test_a_digest_that_is_not_known_is_said_to_be(bot: CliWorld) -> None:
    bot("post", networks=[TOOTS])
    status, out, err = bot("status", "1999-01-01")
    assert (status, err) == (0, "")
    assert out.endswith("Nothing was planned or sent for this digest yet.\n")


def test_the_status_can_be_narrowed(bot: CliWorld) -> None:
    bot("post")
    found = bot.json("status", "--network", "mastodon")
    assert [one["account"] for one in found["accounts"]] == ["mastodon"]
    assert [one["account"] for one in found["threads"]] == ["mastodon"]
    found = bot.json("status", "--account", "twitter")
    assert [one["account"] for one in found["accounts"]] == ["twitter"]
    assert [one["account"] for one in found["threads"]] == ["twitter"]
    assert bot.json("status", "--account", "nobody") == {"accounts": [], "threads": []}


def test_a_digest_that_changed_is_said_to_have(bot: CliWorld) -> None:
    bot("post")
    assert "digest changed" not in bot("status")[1]
    changed = recent_digest()
    bot.publish(replace(changed, papers=(replace(changed.papers[0], title="Other"),)))
    asked = len(bot.sandbox.requests)
    assert bot("post")[0] == 0
    assert len(bot.sandbox.requests) == asked
    assert bot("status")[1].count("The digest changed after") == 2
    assert all(thread["changed"] for thread in bot.json("status")["threads"])


def test_an_unfinished_thread_is_never_lost_from_sight(bot: CliWorld) -> None:
    held(bot)
    for number in range(1, 13):
        bot.publish(
            recent_digest(
                1, day=DAY + timedelta(days=number), first=20 * number, age_days=-number / 99
            )
        )
        assert bot("post", networks=[TOOTS])[0] == 0
    shown = [thread["digest"] for thread in bot.json("status", networks=[TOOTS])["threads"]]
    assert len(shown) == 11
    assert shown[-1] == SLUG


def test_drafts_and_their_missing_secrets_are_shown(bot: CliWorld) -> None:
    (bot.folder / "bot.toml").write_text(
        '[[accounts]]\nname = "vision"\nnetwork = "mastodon"\nbase_url = "https://example.social"\n'
        'access_token = "VISION_TOKEN"\n'
    )
    _, out, _ = bot("status")
    assert "vision (mastodon): not ready; VISION_TOKEN not set" in out
    bot("post", networks=[X])
    vision = bot.json("status", "--account", "vision")["accounts"][0]
    assert (vision["ready"], vision["reason"]) == (False, "VISION_TOKEN not set")


def test_an_account_half_set_in_the_environment_is_shown(bot: CliWorld) -> None:
    found = bot.json("status", networks=[X], BLUESKY_HANDLE="a.example")["accounts"]
    assert ("bluesky", False) in [(one["account"], one["ready"]) for one in found]


def test_limits_and_what_is_in_doubt_are_shown(bot: CliWorld) -> None:
    bot.sandbox.script(too_many(TOOTS, timedelta(minutes=5)), network="mastodon", when=second_paper)
    bot("post", networks=[TOOTS])
    _, out, _ = bot("status", SLUG, networks=[TOOTS])
    assert re.search(
        r"\n  limited until \d{4}-\d\d-\d\d \d\d:\d\d.* UTC: Mastodon answers 429", out
    )
    assert "    4 planned   All papers of Hot Papers" in out
    bot.sandbox.script(CLOSED_AFTER, network="twitter", when=second_paper)
    unread = server_error(503)
    bot.sandbox.script(
        unread,
        network="twitter",
        when=lambda r: r.method == "GET" and len(bot.live(X)) == 3,
        times=None,
    )
    assert bot("post", networks=[X], BOT_PATIENCE="0s")[0] == 75
    _, out, _ = bot("status", networks=[X])
    assert "1 planned, 2 sent, 1 unknown" in out
    assert re.search(r"\n    3 unknown   2\. .*\n {16}tried once, last 0 min ago\n", out)


# settle -------------------------------------------------------------------------------------------


def test_a_person_says_that_a_held_post_is_not_out(bot: CliWorld) -> None:
    held(bot)
    status, out, err = bot("settle", SLUG, "3", "--unsent", networks=[TOOTS])
    assert (status, err) == (0, "")
    assert out == (
        f"Post 3 of {SLUG} on mastodon is recorded as not sent, and planned again.\n"
        f"Continue with: bot post {SLUG}\n"
    )
    assert states(bot, "mastodon")[2] is State.PLANNED
    assert bot("post", SLUG, networks=[TOOTS])[0] == 0
    assert len(bot.live(TOOTS)) == 4


def test_a_person_says_under_which_id_a_held_post_is_out(bot: CliWorld) -> None:
    held(bot)
    parent = bot.live(TOOTS)[-1].id
    mine = bot.mastodon.write("2. Other words for it", reply_to=parent)
    status, out, _ = bot("settle", str(DAY), "3", "--sent", mine.id, networks=[TOOTS])
    assert status == 0
    assert f"Post 3 of {SLUG} on mastodon is recorded as sent, with the id {mine.id}.\n" in out
    assert bot("post", networks=[TOOTS])[0] == 0
    assert [post.reply_to for post in bot.live(TOOTS)][-1] == mine.id
    posts = bot.json("status", networks=[TOOTS])["threads"][0]["posts"]
    assert isinstance(posts, list)
    assert (posts[2]["state"], posts[2]["id"], posts[2]["error"]) == ("sent", mine.id, None)


def test_where_several_accounts_have_it_one_must_be_named(bot: CliWorld) -> None:
    bot("post", networks=[X])
    held(bot)
    status, out, err = bot("settle", SLUG, "3", "--unsent")
    assert (status, out) == (2, "")
    assert f"several accounts have a thread of {SLUG}: mastodon, twitter" in err
    assert "--account" in err
    assert bot("settle", SLUG, "3", "--unsent", "--account", "mastodon")[0] == 0
    bot("post", networks=[TOOTS])
    assert "is sent" in bot("settle", SLUG, "3", "--unsent", "--network", "twitter")[2]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["2"], 2, "Give either --sent ID or --unsent."),
        (["2", "--sent", "7", "--unsent"], 2, "Give either --sent ID or --unsent."),
        (["9", "--unsent"], 1, f"there is no post 9 in {SLUG}\n  Give a number from 1 to 4."),
        (["0", "--unsent"], 2, "0 is not in the range"),
        (["-1", "--unsent"], 2, "No such option"),
        (["two", "--unsent"], 2, "not a valid integer"),
        (["1", "--unsent"], 1, f"post 1 of {SLUG} is sent"),
        (["1", "--sent", "77"], 1, f"post 1 of {SLUG} is sent"),
        (["4", "--unsent"], 1, f"post 4 of {SLUG} is planned"),
    ],
)
def test_what_cannot_be_settled_is_refused_and_nothing_changes(
    bot: CliWorld, arguments: list[str], status: int, message: str
) -> None:
    held(bot)
    before = states(bot, "mastodon")
    found, out, err = bot("settle", SLUG, *arguments, networks=[TOOTS])
    assert (found, out) == (status, "")
    assert message in err
    assert states(bot, "mastodon") == before


def test_an_id_that_is_another_posts_is_refused(bot: CliWorld) -> None:
    held(bot)
    first = bot.live(TOOTS)[0].id
    status, _, err = bot("settle", SLUG, "3", "--sent", first, networks=[TOOTS])
    assert status == 1
    assert "another post has that id" in err


def test_without_a_ledger_there_is_nothing_to_settle(bot: CliWorld) -> None:
    status, out, err = bot("settle", SLUG, "1", "--unsent")
    assert (status, out) == (2, "")
    assert str(bot.database) in err
    assert "there is nothing to settle" in err
    assert "Run bot post" in err
    assert not bot.database.exists()


def test_an_empty_ledger_is_refused_too(bot: CliWorld) -> None:
    bot.database.parent.mkdir()
    with Ledger.open(bot.database):
        pass
    status, out, err = bot("settle", SLUG, "1", "--unsent")
    assert (status, out) == (2, "")
    assert "bot post" in err


def test_a_file_that_was_made_and_not_written_is_no_ledger_yet(bot: CliWorld) -> None:
    bot.database.parent.mkdir()
    bot.database.touch()
    assert "Nothing was planned or sent yet." in bot("status")[1]
    assert "2 papers" in bot("post", "--dry-run")[1]
    assert re.search(r"^ok       ledger", bot("check", "--offline")[1], re.MULTILINE)
    assert bot.database.read_bytes() == b""


def test_a_digest_that_the_ledger_lacks_cannot_be_settled(bot: CliWorld) -> None:
    held(bot)
    status, _, err = bot("settle", "1999-01-01", "1", "--unsent")
    assert status == 1
    assert "the ledger has no thread of 1999-01-01" in err


# retract ------------------------------------------------------------------------------------------


def test_a_thread_is_taken_back_and_the_line_that_keeps_it_away_is_printed(bot: CliWorld) -> None:
    bot("post")
    gone = [post.id for network in (X, TOOTS) for post in bot.live(network)]
    status, out, err = bot("retract", SLUG)
    assert (status, err, bot.live(X), bot.live(TOOTS)) == (0, "", [], [])
    for name in ("twitter", "mastodon"):
        told = re.findall(rf"^{name} (\d)/4 retracted$", out, re.MULTILINE)
        assert told == ["4", "3", "2", "1"]
    assert out.endswith(
        f"To keep this digest unpublished even if the ledger is lost, set:\nBOT_SKIP={SLUG}\n"
    )
    assert not [each for each in gone if each in out], "it names links that are dead"
    assert states(bot, "twitter") == [State.RETRACTED] * 4
    assert bot("retract", SLUG)[0] == 0
    assert f"{SLUG} on twitter: 4 retracted" in bot("status")[1]
    status, out, err = bot("post", BOT_SKIP=SLUG)
    assert (status, out, err) == (0, "", f"{SLUG} is in BOT_SKIP, so it is not posted.\n")


def test_slugs_that_are_skipped_already_stay_in_the_line(bot: CliWorld) -> None:
    bot("post", networks=[TOOTS])
    _, out, _ = bot("retract", SLUG, networks=[TOOTS], BOT_SKIP="one,two")
    assert out.endswith(f"\nBOT_SKIP=one,two,{SLUG}\n")
    _, out, _ = bot("retract", SLUG, networks=[TOOTS], BOT_SKIP=f"one,{SLUG}")
    assert "BOT_SKIP" not in out


def test_what_could_not_be_deleted_is_75_and_the_next_run_goes_on(bot: CliWorld) -> None:
    bot("post", networks=[TOOTS])
    last = bot.live(TOOTS)[-1].id
    limited = too_many(TOOTS, timedelta(minutes=5))
    bot.sandbox.script(
        limited, network="mastodon", when=lambda r: r.method == "DELETE" and last not in r.path
    )
    status, out, _ = bot("retract", SLUG, networks=[TOOTS])
    assert status == 75
    assert "mastodon: not finished: Mastodon answers 429" in out
    assert "Run it again after " in out
    assert len(bot.live(TOOTS)) == 3
    status, out, _ = bot("retract", SLUG, networks=[TOOTS])
    assert (status, bot.live(TOOTS)) == (0, [])
    assert re.findall(r"(\d)/4 retracted", out) == ["3", "2", "1"]


@pytest.mark.parametrize("wanted", [SLUG, str(DAY), "file"])
def test_a_lost_ledger_does_not_keep_a_thread_from_being_taken_back(
    bot: CliWorld, wanted: str
) -> None:
    bot("post", networks=[TOOTS])
    bot.database.unlink()
    if wanted == "file":
        wanted = f"digests/{DAY}---Hot-Papers.md"
    status, out, _ = bot("retract", wanted, networks=[TOOTS])
    assert (status, bot.live(TOOTS)) == (0, []), out
    assert out.endswith(f"BOT_SKIP={SLUG}\n")


def test_the_ledger_alone_is_enough_to_take_a_thread_back(bot: CliWorld) -> None:
    bot("post", networks=[TOOTS])
    (bot.folder / "digests" / f"{DAY}---Hot-Papers.md").unlink()
    bot.publish(recent_digest(1, day=DAY + timedelta(days=9), first=50))
    assert bot("retract", SLUG, networks=[TOOTS])[0] == 0
    assert bot.live(TOOTS) == []


def test_what_nobody_knows_cannot_be_taken_back(bot: CliWorld) -> None:
    for wanted in ("1999-01-01", "no-such-slug"):
        status, out, err = bot("retract", wanted)
        assert (status, out) == (1, "")
        assert wanted in err
    assert bot("retract", SLUG, "--account", "nobody")[0] == 2


# check --------------------------------------------------------------------------------------------


def test_check_tries_the_credentials_and_gives_advice(bot: CliWorld) -> None:
    status, out, err = bot("check")
    assert (status, err) == (0, "")
    assert "ok       twitter    posts as sandbox (https://x.com/sandbox)\n" in out
    assert re.search(
        r"^ok       mastodon   posts as sandbox@\S+ \(http://\S+/@sandbox\)$", out, re.MULTILINE
    )
    assert "warning  twitter    X asks bots to carry the label 'Automated'" in out
    assert re.search(r"^warning  twitter    The bio names nobody", out, re.MULTILINE)
    assert re.search(r"^warning  mastodon   Neither the bio nor a field", out, re.MULTILINE)
    assert "“Automated accounts are marked as such.”" in out
    assert re.search(
        r"^ok       ledger     \S+ is created when the first thread is planned$", out, re.MULTILINE
    )
    assert not bot.database.parent.exists()
    bot("post", networks=[TOOTS])
    assert re.search(r"^ok       ledger     \S+ can be read$", bot("check")[1], re.MULTILINE)
    assert "other users" not in bot("check")[1]
    bot.database.chmod(0o640)
    assert re.search(
        r"^warning  ledger     \S+ can be read by other users .*\n +chmod 600 \S+bot.db$",
        bot("check")[1],
        re.MULTILINE,
    )


def test_check_says_that_an_account_is_not_marked_as_a_bot(bot: CliWorld) -> None:
    bot.mastodon.profile = ProfilePage(bot=False, note="by @ada@example.social")
    _, out, _ = bot("check", networks=[TOOTS])
    advice = [line for line in out.splitlines() if line.startswith("warning  mastodon")]
    assert any("bot" in line for line in advice)
    assert not any("names who runs" in line for line in advice)


def test_check_offline_asks_nobody(bot: CliWorld) -> None:
    status, out, _ = bot("check", "--offline")
    assert (status, bot.sandbox.requests) == (0, ())
    assert "posts as" not in out


def test_wrong_tokens_are_2_with_the_mend(bot: CliWorld) -> None:
    status, out, _ = bot(
        "check", TWITTER_ACCESS_TOKEN_SECRET="amiss", MASTODON_ACCESS_TOKEN="amiss"
    )
    assert status == 2
    for name in ("twitter", "mastodon"):
        assert re.search(rf"^error    {name} +.* answers 401.*\n {{19}} \S.*$", out, re.MULTILINE)
    assert "amiss" not in out


def test_a_network_that_is_down_is_75(bot: CliWorld) -> None:
    with bot.sandbox.down("mastodon"):
        status, out, _ = bot("check", networks=[TOOTS])
    assert status == 75
    assert re.search(r"^error    mastodon .*the connection is refused", out, re.MULTILINE)


def test_a_server_that_takes_less_is_2_with_the_mend(bot: CliWorld) -> None:
    bot.mastodon.behaviour = replace(MASTODON, max_characters=300)
    status, out, _ = bot("check", networks=[TOOTS])
    assert status == 2
    assert "the server accepts 300 characters" in out
    assert "Set MASTODON_MAX_CHARACTERS=300." in out
    assert bot("check", networks=[TOOTS], MASTODON_MAX_CHARACTERS="300")[0] == 0


@pytest.mark.parametrize(
    ("server", "visibility", "warned"),
    [
        (TAKAHE, "private", True),
        (TAKAHE, "direct", True),
        (TAKAHE, "public", False),
        (SNAC2, "private", False),
        (MASTODON, "private", False),
    ],
)
def test_private_posts_that_no_read_shows_are_warned_of(
    bot: CliWorld,
    server: MastodonBehaviour,
    visibility: str,
    warned: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    bot.mastodon.behaviour = server
    status, out, _ = bot("check", networks=[TOOTS], MASTODON_VISIBILITY=visibility)
    assert status == 0
    assert ("does not show the account its own private posts" in out) is warned
    assert ("Set MASTODON_VISIBILITY to public or unlisted" in " ".join(out.split())) is warned


@pytest.mark.parametrize(
    ("server", "warned"),
    [(SNAC2, True), (HOLLO, True), (GOTOSOCIAL_MARKDOWN, False), (MASTODON, False)],
)
def test_a_server_that_reads_markdown_is_named_with_what_to_set(
    bot: CliWorld,
    server: MastodonBehaviour,
    warned: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    bot.mastodon.behaviour = server
    _, out, _ = bot("check", networks=[TOOTS])
    assert ("Set MASTODON_DIALECT=markdown" in out) is warned
    _, out, _ = bot("check", networks=[TOOTS], MASTODON_DIALECT="markdown")
    assert "MASTODON_DIALECT" not in out


def test_a_dry_run_shows_what_is_sent_to_a_server_that_reads_markdown(bot: CliWorld) -> None:
    _, out, _ = bot("post", "--dry-run", networks=[TOOTS], MASTODON_DIALECT="markdown")
    assert "1 · " in out
    assert not re.search(r"^\W*1\. ", out, re.MULTILINE)


def test_where_bluesky_does_not_answer_check_says_so(bot: CliWorld) -> None:
    def check(url: str) -> tuple[int, str]:
        names = {"BLUESKY_HANDLE": "a.b", "BLUESKY_APP_PASSWORD": "p", "BLUESKY_SERVICE_URL": url}
        lines = "".join(f"{name}={value}\n" for name, value in names.items())
        (bot.folder / ".env").write_text(lines)
        return bot("check", networks=[X])[:2]

    status, out = check(bot.sandbox.url("mastodon"))  # a server of another kind
    assert status == 2
    assert "error    bluesky    Bluesky does not log us in: it answers 404" in out
    status, out = check("http://127.0.0.1:9")
    assert status == 75
    assert "Bluesky does not log us in: the connection is refused" in out


def test_check_json_holds_every_finding(bot: CliWorld) -> None:
    status, out, _ = bot("check", "--json", networks=[TOOTS], MASTODON_ACCESS_TOKEN="wrong")
    assert status == 2
    assert out.startswith("[\n")
    assert '"level": "error",\n    "subject": "mastodon"' in out
