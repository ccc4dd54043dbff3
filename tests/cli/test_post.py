"""`bot post` against the stand-ins: what it prints, how it exits, and what is out afterwards."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click import unstyle
from wcwidth import wcswidth

from bot.cli.common import worst_status
from bot.model import Network
from bot.sandbox.faults import CLOSED_AFTER, refusal, server_error, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.wire import Request
from bot.sandbox.x import answers as x_answers
from tests.helpers.cli_world import DAY, SLUG, CliWorld, cli_world, recent_digest

X, TOOTS = Network.TWITTER, Network.MASTODON
URL = r"https://x\.com/i/web/status/\d+"
TOOT = r"http://127\.0\.0\.1:\d+/@sandbox/\d+"


@pytest.fixture
def bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CliWorld]:
    with cli_world(tmp_path, capsys) as made:
        yield made


def second_paper(request: Request) -> bool:
    return request.method == "POST" and b"2602.10002" in request.body


def parents_hold(bot: CliWorld, network: Network) -> bool:
    live = bot.live(network)
    return [post.reply_to for post in live] == [None, *(post.id for post in live[:-1])]


def test_every_post_is_told_as_it_goes_out_and_again_there_is_nothing_to_do(bot: CliWorld) -> None:
    status, out, err = bot("post")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    for name, url in (("twitter", URL), ("mastodon", TOOT)):
        told = [line for line in lines if line.startswith(f"{name} ")]
        assert len(told) == 4
        for position, line in enumerate(told):
            assert re.fullmatch(rf"{name} {position + 1}/4 sent {url}", line)
        (last,) = [line for line in lines if line.startswith(f"{name}: ")]
        assert re.fullmatch(rf"{name}: done, 4 posts, {url}", last)
    assert len(lines) == 10
    assert len(bot.live(X)) == len(bot.live(TOOTS)) == 4
    assert parents_hold(bot, X)
    assert parents_hold(bot, TOOTS)
    before = len(bot.sandbox.requests)
    status, again, err = bot("post")
    assert (status, again.splitlines(), err) == (0, lines[-2:], "")
    assert len(bot.sandbox.requests) == before


def test_verbose_tells_every_step(bot: CliWorld) -> None:
    _, out, _ = bot("post", "--verbose", networks=[X])
    assert out.startswith("twitter 1/4 sending\ntwitter 1/4 sent https://x.com/")


def test_json_is_the_plan_with_what_became_of_each_post(bot: CliWorld) -> None:
    dry = bot.json("post", "--dry-run")
    done = bot.json("post")
    again = bot.json("post")
    shown = bot.json("post", "--dry-run")
    assert done == again == shown
    assert list(dry) == list(done) == ["digest", "threads"]
    digest: object = done["digest"]
    assert digest == {
        "slug": SLUG,
        "date": "2026-02-28",
        "title": "Hot Papers 2026-02-28",
        "papers": 2,
        "source": str(bot.folder / "digests" / f"{DAY}---Hot-Papers.md"),
    }
    for network, planned, thread in zip((X, TOOTS), dry["threads"], done["threads"], strict=True):
        posts, plan, live = thread.pop("posts"), planned.pop("posts"), bot.live(network)
        assert planned == thread
        cost = 0.615 if network is X else 0.0
        assert thread == {"network": network.value, "account": network.value, "cost_usd": cost}
        assert isinstance(posts, list)
        assert isinstance(plan, list)
        assert len(live) == len(plan) == 4
        for before, after, there in zip(plan, posts, live, strict=True):
            assert (before["state"], before["id"], before["url"]) == ("planned", None, None)
            assert after == before | {"state": "sent", "id": there.id, "url": after["url"]}
            assert after["text"] == there.text
            assert str(after["url"]).endswith(there.id)
            names = "position number text length limit state id url media card"
            assert list(after) == names.split()


def test_json_goes_to_stdout_alone_and_the_outcome_beside_it(bot: CliWorld) -> None:
    status, out, err = bot("post", "--json", networks=[X])
    assert (status, json.loads(out)["threads"][0]["account"]) == (0, "twitter")
    assert re.fullmatch(rf"twitter: done, 4 posts, {URL}\n", err)


def test_a_rate_limit_is_75_with_the_time_and_the_next_run_goes_on(bot: CliWorld) -> None:
    wait = timedelta(minutes=5)
    bot.sandbox.script(too_many(X, wait), network="twitter", when=second_paper)
    status, out, err = bot("post")
    until = datetime.now(UTC) + wait
    assert (status, err) == (75, "")
    assert "twitter: not finished, 2 of 4 posts are left. X answers 429" in out
    (told,) = re.findall(r"Run it again after (\S+ \S+) UTC. It continues where it stopped\.", out)
    moment = datetime.fromisoformat(told).replace(tzinfo=UTC)
    assert abs(moment - until) <= timedelta(minutes=1)
    assert re.search(r"mastodon: done, 4 posts, http", out)
    asked = len(bot.sandbox.requests)
    status, out, _ = bot("post", networks=[X])
    assert status == 75
    assert "X answers 429" in out
    posts = [r for r in bot.sandbox.requests[asked:] if r.method == "POST"]
    assert posts == [], "a limit that was told is not tried again"


def test_refused_tokens_are_1_and_say_what_to_do(bot: CliWorld) -> None:
    status, out, err = bot(
        "post", TWITTER_ACCESS_TOKEN_SECRET="wrong", MASTODON_ACCESS_TOKEN="wrong"
    )
    assert (status, err) == (1, "")
    for name in ("twitter", "mastodon"):
        assert re.search(rf"{name}: failed.*: .* answers 401", out)
    assert out.count("bot check") == 2
    assert bot.live(X) == bot.live(TOOTS) == []
    assert bot("post")[0] == 0
    assert len(bot.live(X)) == len(bot.live(TOOTS)) == 4


def test_a_held_post_is_1_and_names_the_next_step(bot: CliWorld) -> None:
    answer = mastodon_answers.REFUSALS["422 length"]
    bot.sandbox.script(refusal("422", answer), network="mastodon", when=second_paper)
    for _ in range(2):
        status, out, _ = bot("post", networks=[TOOTS])
        assert status == 1
        assert (
            "mastodon: held, 2 of 4 posts are left. "
            "Post 3 is held, because Mastodon answers 422" in out
        )
        assert "Decide with bot settle, or delete the thread with bot retract. " in out
        assert f"See bot status {SLUG}\n" in out
    assert len(bot.live(TOOTS)) == 2


def test_the_reply_rule_of_x_names_the_whole_way_out_and_it_works(bot: CliWorld) -> None:
    rule = refusal("rule", x_answers.REPLY_RULE)
    bot.sandbox.script(rule, network="twitter", when=lambda r: b"in_reply_to" in r.body, times=None)
    status, out, _ = bot("post", networks=[X])
    assert status == 1
    for step in ("bot retract", "TWITTER_STYLE=single", "bot post --again"):
        assert step in out
    assert bot("retract", SLUG, networks=[X])[0] == 0
    status, out, _ = bot("post", "--again", networks=[X], TWITTER_STYLE="single")
    assert status == 0, out
    assert len(bot.live(X)) == 1


def test_the_worst_of_several_statuses_is_the_programs(bot: CliWorld) -> None:
    assert worst_status(iter([0, 75, 1, 2, 1])) == 2
    assert worst_status(iter([75, 0, 1])) == 1
    assert worst_status(iter([0, 75])) == 75
    assert worst_status(iter([0, 0])) == worst_status(iter([])) == 0
    limited = too_many(TOOTS, timedelta(minutes=5))
    bot.sandbox.script(limited, network="mastodon", when=second_paper)
    assert bot("post", networks=[TOOTS])[0] == 75
    status, out, _ = bot("post", TWITTER_ACCESS_TOKEN_SECRET="wrong")
    assert ("not finished" in out, "failed" in out, status) == (True, True, 1)
    assert bot("post", TWITTER_MONTHLY_BUDGET="much")[0] == 2


def test_an_unreachable_network_is_75_and_leaves_the_other_alone(bot: CliWorld) -> None:
    with bot.sandbox.down("mastodon"):
        status, out, err = bot("post")
    assert (status, err) == (75, "")
    assert re.search("mastodon: not finished.*: .*the connection is refused", out)
    assert "twitter: done" in out
    assert bot("post")[0] == 0
    assert len(bot.live(TOOTS)) == 4


def test_no_credits_are_75_with_nothing_held_and_new_ones_are_all_it_takes(bot: CliWorld) -> None:
    behaviour = bot.x.behaviour
    bot.x.behaviour = replace(behaviour, credits=Decimal("0.20"))
    for _ in range(2):
        status, out, _ = bot("post", networks=[X], BOT_PATIENCE="0")
        assert status == 75
        assert re.search("twitter: not finished, 2 of 4 posts are left. .*credits", out)
        assert "held" not in out
        assert len(bot.live(X)) == 2
    bot.x.behaviour = behaviour
    status, out, _ = bot("post", networks=[X])
    assert (status, len(bot.live(X)), parents_hold(bot, X)) == (0, 4, True), out


def test_a_post_in_doubt_is_found_and_told(bot: CliWorld) -> None:
    bot.sandbox.script(CLOSED_AFTER, network="twitter", when=second_paper)
    status, out, _ = bot("post", networks=[X])
    assert status == 0
    assert re.search(rf"twitter 3/4 unknown X: .*\ntwitter 3/4 found {URL}\n", out)
    assert len(bot.live(X)) == 4


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [("y\n", 0, ""), ("n\n", 0, "Nothing was sent."), ("", 75, "Stopped.")],
)
def test_a_person_is_asked_before_an_old_digest_goes_out(
    bot: CliWorld, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, said: str
) -> None:
    bot.publish(recent_digest(age_days=10.1))
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    found, out, err = bot("post", asks=True, networks=[X])
    assert found == status
    assert "Hot Papers 2026-02-28 was published 10 days ago. Publish it now? [y/N]:" in out
    assert said in out + err
    assert len(bot.live(X)) == (0 if said else 4)
    assert bot.database.exists() != bool(said), "an answer of no leaves nothing behind"


def test_nobody_is_asked_of_a_young_digest_nor_in_a_pipe(bot: CliWorld) -> None:
    assert "Publish it now?" not in bot("post", asks=True, networks=[TOOTS])[1]
    bot.publish(recent_digest(age_days=10))
    status, out, _ = bot("post", networks=[X])
    assert (status, "Publish it now?" in out, len(bot.live(X))) == (0, False, 4)
    assert "now?" not in bot("post", asks=True, networks=[X], BOT_MAX_AGE="30d")[1]
    assert "now?" not in bot("post", asks=True, networks=[X])[1], "it is begun already"


def test_again_publishes_anew_what_was_retracted_and_nothing_else(bot: CliWorld) -> None:
    assert bot("post", networks=[TOOTS])[0] == 0
    status, out, _ = bot("post", "--again", networks=[TOOTS])
    assert status == 1
    assert "--again needs a retracted thread. Delete this thread first with bot retract" in out
    assert len(bot.live(TOOTS)) == 4
    assert bot("retract", SLUG, networks=[TOOTS])[0] == 0
    status, out, _ = bot("post", networks=[TOOTS])
    assert (status, bot.live(TOOTS)) == (0, [])
    assert "this thread was retracted. Publish it again with bot post --again" in out
    status, out, _ = bot("post", "--dry-run", networks=[TOOTS])
    assert "  This thread was retracted. Publish it again with bot post --again.\n" in out
    assert bot("post", "--again", networks=[TOOTS])[0] == 0
    assert len(bot.live(TOOTS)) == 4


def test_what_resembles_the_thread_holds_it_until_a_person_has_looked(bot: CliWorld) -> None:
    bot.x.write("Hot Papers 2026-02-28 is out!")
    status, out, _ = bot("post", networks=[X])
    assert status == 1
    assert "resembles the opening" in out
    assert "--assume-unsent" in out, "the way out is not named"
    status, out, _ = bot("post", "--assume-unsent", networks=[X])
    assert status == 0, out
    assert len(bot.live(X)) == 5


def test_without_a_source_nothing_of_the_samples_is_published(bot: CliWorld) -> None:
    for wanted in ([], ["2021-06-22"], ["hot-papers-2021-06-22"]):
        status, _, err = bot("post", *wanted, networks=[TOOTS], BOT_DIGESTS="")
        assert (status, bot.live(TOOTS)) == (2, [])
        assert "BOT_DIGESTS is not set" in err
    path = bot.folder / "digests" / f"{DAY}---Hot-Papers.md"
    assert bot("post", str(path), networks=[TOOTS], BOT_DIGESTS="")[0] == 0
    assert len(bot.live(TOOTS)) == 4


def test_a_thread_over_budget_can_be_made_cheaper_as_the_message_says(bot: CliWorld) -> None:
    status, out, _ = bot("post", networks=[X], TWITTER_MONTHLY_BUDGET="0.1")
    assert (status, bot.live(X)) == (75, [])
    assert "the thread costs $0.62, and $0.00 of this month's $0.10 is spent" in out
    assert "TWITTER_LINKS=closing to make threads cheaper" in out
    assert re.search(r"Run it again after \d{4}-\d\d-01 00:00 UTC", out)
    status, out, _ = bot("post", networks=[X], TWITTER_LINKS="none", TWITTER_MONTHLY_BUDGET="0.1")
    assert status == 0, out
    assert len(bot.live(X)) == 3, "without links there is no closing"


def test_with_history_too(bot: CliWorld) -> None:
    assert bot("post", networks=[X])[0] == 0
    bot.publish(recent_digest(day=DAY + timedelta(days=1), first=20, age_days=0))
    status, out, _ = bot("post", networks=[X], TWITTER_MONTHLY_BUDGET="0.8")
    assert (status, len(bot.live(X))) == (75, 4)
    assert re.search(
        r"the thread costs \$0\.62, and \$0\.6[12] of this month's \$0\.80 is spent", out
    )
    status, out, _ = bot("post", networks=[X], TWITTER_LINKS="none", TWITTER_MONTHLY_BUDGET="0.8")
    assert status == 0, out
    assert len(bot.live(X)) == 4 + 3


def test_an_account_that_cannot_be_delivered_to_is_said(bot: CliWorld) -> None:
    status, out, _ = bot(
        "post",
        networks=[X],
        BLUESKY_HANDLE="a.example",
        BLUESKY_APP_PASSWORD="p",
        BLUESKY_SERVICE_URL=bot.sandbox.url("mastodon"),  # a server of another kind
    )
    assert status == 2
    assert "bluesky: failed: Bluesky does not log us in: it answers 404" in out
    assert "Set BLUESKY_SERVICE_URL to the server that holds the account." in out
    assert "twitter: done" in out


def test_an_empty_thread_is_done(bot: CliWorld) -> None:
    (bot.folder / "bot.toml").write_text(
        '[[accounts]]\nname = "algebra"\nnetwork = "mastodon"\naccess_token = "A_TOKEN"\n'
        f'base_url = "{bot.sandbox.url("mastodon")}"\ncategories = ["math.AG"]\n'
    )
    status, out, _ = bot("post", "--account", "algebra", networks=[X], A_TOKEN=bot.mastodon.token)
    assert (status, bot.live(TOOTS)) == (0, [])
    assert out == "algebra: done: the digest has no paper for this account\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--account", "nobody"], "there is no account 'nobody'"),
        (["--network", "bluesky"], "no account on bluesky yet"),
        (["--account", "bluesky"], "missing BLUESKY_APP_PASSWORD"),
        (["--account", "twitter", "--network", "mastodon"], "no account on mastodon yet"),
    ],
)
def test_accounts_that_are_not_there_are_said(
    bot: CliWorld, arguments: list[str], message: str
) -> None:
    status, out, err = bot("post", *arguments, BLUESKY_HANDLE="a.example")
    assert (status, out) == (2, "")
    assert message in err
    assert not bot.database.exists()


def test_warnings_stand_beside_the_output(bot: CliWorld) -> None:
    status, out, err = bot("post", networks=[X], BOT_TPO="3")
    assert status == 0
    assert err.startswith('Warning: "BOT_TPO" is not a setting')
    assert "Warning" not in out


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_dry_run_beside_a_ledger_shows_what_is_out_and_leaves_no_trace(bot: CliWorld) -> None:
    bot.sandbox.script(too_many(X, timedelta(minutes=5)), network="twitter", when=second_paper)
    assert bot("post", networks=[X])[0] == 75
    for name in ("-wal", "-shm"):
        assert not bot.database.with_name(bot.database.name + name).exists()
    before = tree(bot.folder)
    asked = len(bot.sandbox.requests)
    status, out, err = bot("post", "--dry-run", networks=[X])
    assert (status, err) == (0, "")
    assert len(re.findall(rf"^   \d  \d+/280 · sent {URL}$", out, re.MULTILINE)) == 2
    assert len(re.findall(r"^   \d  \d+/280 · planned$", out, re.MULTILINE)) == 2
    assert "  X would bill $0.40: 2 posts at $0.20.\n" in out
    posts = bot.json("post", "--dry-run", networks=[X])["threads"][0]["posts"]
    assert isinstance(posts, list)
    assert [post["state"] for post in posts] == ["sent", "sent", "planned", "planned"]
    assert tree(bot.folder) == before
    assert len(bot.sandbox.requests) == asked


def test_a_dry_run_in_a_fresh_folder_leaves_nothing_behind(bot: CliWorld) -> None:
    before = tree(bot.folder)
    assert bot("post", "--dry-run")[0] == 0
    assert tree(bot.folder) == before
    assert not bot.database.parent.exists()


def test_a_dry_run_counts_the_posts_it_shows(bot: CliWorld) -> None:
    """A thread that is planned keeps its posts, whatever `--top` says since."""
    assert bot("post", networks=[TOOTS])[0] == 0
    _, out, _ = bot("post", "--dry-run", "--top", "1", networks=[TOOTS])
    shown = len(re.findall(r"^   \d  \d+/500", out, re.MULTILINE))
    assert f"mastodon · {shown} posts\n" in out
    posts = bot.json("post", "--dry-run", "--top", "1", networks=[TOOTS])["threads"][0]["posts"]
    assert isinstance(posts, list)
    assert len(posts) == shown == 4


def test_a_dry_run_reads_a_ledger_in_a_folder_that_is_read_only(bot: CliWorld) -> None:
    """As root, whom no mode binds, too: all is afterwards as it was before, to the byte."""
    assert bot("post", networks=[TOOTS])[0] == 0
    folder = bot.database.parent
    before = tree(folder)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    bot.database.chmod(stat.S_IRUSR)
    try:
        status, out, err = bot("post", "--dry-run", networks=[TOOTS])
        assert (status, err, len(re.findall(" · sent http", out))) == (0, "", 4)
        assert bot("status", networks=[TOOTS])[0] == 0
        assert tree(folder) == before
    finally:
        folder.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("command", [["post", "--dry-run"], ["post"], ["status"], ["check"]])
def test_a_ledger_that_is_damaged_is_said_and_left_alone(bot: CliWorld, command: list[str]) -> None:
    assert bot("post", networks=[TOOTS])[0] == 0
    bot.database.write_bytes(b"no database, certainly not" * 200)
    before = tree(bot.database.parent)
    asked = len(bot.live(TOOTS))
    status, out, err = bot(*command, networks=[TOOTS])
    said = out + err
    assert status == 1
    assert f"the ledger {bot.database} cannot be used: it is not an SQLite database" in said
    assert "BOT_DATABASE" in said
    assert tree(bot.database.parent) == before
    assert len(bot.live(TOOTS)) == asked


def test_a_second_sender_is_75(bot: CliWorld) -> None:
    with bot.ledger() as ledger, ledger.sending("mastodon", datetime.now(UTC)):
        _, out, _ = bot("status", networks=[TOOTS])
        assert re.search(r"\n  process \d+ on \S+ publishes for this account now\n", out)
        status, out, _ = bot("post", networks=[TOOTS])
    assert (status, bot.live(TOOTS)) == (75, [])
    assert re.search(r"mastodon: not finished: process \d+ on \S+ is already posting to", out)
    assert "Run it again later" in out


def test_ctrl_c_ends_after_the_request_in_flight_and_says_how_to_go_on(bot: CliWorld) -> None:
    import signal

    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def press(request: Request) -> bool:
        """Press it while the third post is under way, and go on once the program has heard it."""
        if second_paper(request):
            stoppers = [each for each in threading.enumerate() if each.name == "stopper"]
            os.kill(os.getpid(), signal.SIGINT)
            for each in stoppers:  # it ends once it has passed the signal on
                each.join(60)
        return False

    bot.sandbox.script(server_error(500), network="twitter", when=press)
    status, out, err = bot("post", networks=[X])
    assert status == 75
    assert err == "Stopping after the current request.\n"
    assert re.search(r"twitter: not finished, 1 of 4 posts are left. Stopped before", out)
    assert "Run it again later. It continues where it stopped." in out
    assert len(bot.live(X)) == 3
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert bot("post", networks=[X])[0] == 0
    assert len(bot.live(X)) == 4


def test_a_digest_that_cannot_be_had_is_null_for_programs(bot: CliWorld) -> None:
    status, out, err = bot("post", "1999-01-01", "--json", "--dry-run")
    assert (status, json.loads(out)) == (1, {"digest": None, "threads": []})
    assert err.startswith("Error: ")


def test_colours_can_be_switched_off_and_lines_are_wrapped_on_a_terminal(
    bot: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    wide = recent_digest()
    long = replace(wide.papers[0], title="長い題名 " * 12)
    bot.publish(replace(wide, papers=(long,)))
    shown = {}
    for name, more in (("plain", {"NO_COLOR": "1"}), ("coloured", {"NO_COLOR": ""})):
        screen = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setenv("COLUMNS", "60")
            bot("post", "--dry-run", networks=[TOOTS], NO_COLOR=more["NO_COLOR"])
        shown[name] = screen.getvalue()
    assert "\x1b[" in shown["coloured"]
    assert "\x1b[" not in shown["plain"]
    assert unstyle(shown["coloured"]) == shown["plain"]
    posts = [line for line in shown["plain"].splitlines() if line.startswith("    │")]
    assert posts
    assert all(wcswidth(line) <= 60 for line in posts)


def test_yes_answers_for_a_person(bot: CliWorld) -> None:
    bot.publish(recent_digest(age_days=10.1))
    status, out, _ = bot("post", "--yes", asks=True, networks=[X])
    assert (status, "now?" in out, len(bot.live(X))) == (0, False, 4)


def test_a_first_thread_on_a_real_network_is_asked_about(
    bot: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in is this machine, which is no real network: `.invalid` never answers."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    elsewhere = {"MASTODON_API_BASE_URL": "https://mastodon.invalid"}
    status, out, _ = bot("post", asks=True, networks=[TOOTS], **elsewhere)
    assert status == 0
    assert "is the first thread of mastodon. Publish it now?" in out
    assert "Nothing was sent." in out
    assert bot("post", asks=True, networks=[TOOTS])[0] == 0, "on this machine nobody is asked"
    bot.publish(recent_digest(day=DAY + timedelta(days=1), first=50))
    _, out, _ = bot("post", asks=True, networks=[TOOTS], BOT_PATIENCE="0", **elsewhere)
    assert "Publish it now?" not in out, "the account has posted before"


@pytest.mark.parametrize(("answer", "left"), [("n\n", 4), ("y\n", 0)])
def test_retract_asks_on_a_terminal(
    bot: CliWorld, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    assert bot("post", networks=[TOOTS])[0] == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    status, out, _ = bot("retract", SLUG, asks=True, networks=[TOOTS])
    assert status == 0
    assert "mastodon: 4 of 4 posts are known to be published, http" in out
    assert f"Delete the thread of {SLUG}? [y/N]:" in out
    assert ("Nothing was deleted." in out) == bool(left)
    assert ("4 posts are deleted" in out) != bool(left)
    assert len(bot.live(TOOTS)) == left


def test_retract_without_a_terminal_or_with_yes_asks_nobody(bot: CliWorld) -> None:
    assert bot("post", networks=[TOOTS])[0] == 0
    status, out, _ = bot("retract", SLUG, "--dry-run", networks=[TOOTS])
    assert (status, len(bot.live(TOOTS))) == (0, 4)
    assert "4 of 4 posts are known to be published" in out
    status, out, _ = bot("retract", SLUG, "--yes", asks=True, networks=[TOOTS])
    assert (status, "[y/N]" in out, len(bot.live(TOOTS))) == (0, False, 0)


def test_a_token_that_cannot_be_one_of_x_is_a_wrong_setting_and_holds_nothing(
    bot: CliWorld,
) -> None:
    status, _, err = bot("post", networks=[X], TWITTER_ACCESS_TOKEN="wrong")
    assert status == 2
    assert "twitter: the access token (not shown) does not begin with" in err
    assert not bot.database.exists()
    status, out, _ = bot("check", "--offline", networks=[X], TWITTER_ACCESS_TOKEN="wrong")
    assert status == 2
    assert "as X's tokens do" in out
    assert "wrong" not in out
    assert bot("post", networks=[X])[0] == 0


def test_status_says_that_an_account_was_refused(bot: CliWorld) -> None:
    assert bot("post", networks=[TOOTS], MASTODON_ACCESS_TOKEN="revoked-token")[0] == 1
    (told,) = bot.json("status", networks=[TOOTS], MASTODON_ACCESS_TOKEN="revoked-token")[
        "accounts"
    ]
    assert told["ready"] is False
    assert "Mastodon" in str(told["reason"])
    assert "answers 401" in str(told["reason"])
    (told,) = bot.json("status", networks=[TOOTS])["accounts"]
    assert (told["ready"], told["reason"]) == (True, None), "other tokens were not refused"
