"""Threads on the real Bluesky server: once, whole, in order, whatever happens to who sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from bot.cli.common import LATER
from bot.delivery.publish import PublishOptions
from bot.delivery.types import End
from bot.ledger.store import Ledger
from bot.model import State
from bot.posters.bluesky.tids import tid
from bot.sandbox.faults import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    EMPTY,
    HUNG_AFTER,
    HUNG_BEFORE,
    RESET_AFTER,
    Commit,
    Fault,
    cut_body,
    cut_head,
    later,
    server_error,
)
from tests.helpers import bluesky_rules
from tests.helpers.crash_child import When
from tests.helpers.fault_scenarios import Crash, FaultScenario, opening_request
from tests.helpers.process_killed import ProcessKilled
from tests.helpers.real_pds import POSTS, Account, RealPds, json_of, real_pds_only, running_pds
from tests.helpers.real_pds_world import (
    SAMPLE,
    SKY,
    RealPdsProcess,
    check_against_plan,
    real_pds_process,
    real_pds_scenario,
)

pytestmark = real_pds_only
HELD = {When.BEFORE: HUNG_BEFORE, When.AFTER: HUNG_AFTER}


@pytest.fixture(scope="module")
def pds() -> Iterator[RealPds]:
    with running_pds() as server:
        yield server


@pytest.fixture(scope="module")
def account(pds: RealPds) -> Account:
    """For the plays, which have days of their own."""
    return pds.new_account()


@pytest.fixture
def at(pds: RealPds, tmp_path: Path) -> Iterator[RealPdsProcess]:
    with real_pds_process(pds, pds.new_account(), tmp_path) as process:
        yield process


def done(case: FaultScenario) -> None:
    served = case.run_until_settled()
    case.check(served)
    assert served.end is End.DONE, served.reason


# A real process -----------------------------------------------------------------------------------


def test_a_thread_of_23_posts_is_there_as_it_was_planned(at: RealPdsProcess) -> None:
    status, said = at()
    assert status == 0, said
    print(check_against_plan(at))  # noqa: T201 - for the closing note, with -s
    facets = [value for each in at.records().values() if (value := each.value.get("facets"))]
    cards = [value for each in at.records().values() if (value := each.value.get("embed"))]
    assert (len(facets) >= 22, len(cards)) == (True, 22)
    assert (at.count("createSession"), at.count("putRecord")) == (1, 23)
    assert len(at.asked) <= 29
    assert at.sandbox.connections("bluesky") == 1
    assert {each.status for each in at.asked if "getRecord" not in each.path} == {200}


def test_the_opening_s_picture_is_there_as_it_was_planned(at: RealPdsProcess) -> None:
    """The bytes that the ledger held are those that the server gives to everybody."""
    at.environ.update(BOT_PICTURE="on", BOT_TOP="3")
    at.killed_at_request(opening_request(SKY), HUNG_BEFORE)
    with at.ledger() as ledger:
        planned = at.thread()
        data = ledger.picture(planned.number, 0)
    assert data.startswith(b"\x89PNG")
    status, said = at()
    assert status == 0, said
    print(check_against_plan(at, posts=4, pictures={0: data}))  # noqa: T201 - for the closing note, with -s
    (media,) = at.thread().posts[0].media
    embeds = [at.records()[post.key].value.get("embed") for post in at.thread().posts]
    picture, card, *others = embeds
    assert isinstance(picture, dict)
    assert isinstance(card, dict)
    assert (picture["$type"], card["$type"]) == ("app.bsky.embed.images", "app.bsky.embed.external")
    assert [other["$type"] for other in others if isinstance(other, dict)] == [card["$type"]] * 2
    (image,) = picture["images"]
    assert (image["alt"], image["image"]["size"]) == (media.alt, len(data))
    assert min(image["aspectRatio"].values()) > 0
    where = {"did": at.account.did, "cid": image["image"]["ref"]["$link"]}
    got = at.pds.get("com.atproto.sync.getBlob", **where)
    assert (got.status_code, got.headers["content-type"]) == (200, "image/png")
    assert got.content == data, "the blob is what was planned"
    with at.ledger() as ledger:
        assert ledger.picture(planned.number, 0) == b"", "gone once it is out"
    print(f"a picture of {len(data)} bytes, {image['aspectRatio']}, {len(media.alt)} characters")  # noqa: T201 - (the same)
    uploads = at.count("uploadBlob")
    rev = at.rev()
    at.lose_ledger()
    assert at()[0] == 0
    assert (at.rev(), at.count("uploadBlob")) == (rev, uploads), "another ledger takes it for ours"


def test_a_finished_thread_is_not_sent_again_by_any_ledger(at: RealPdsProcess) -> None:
    assert at()[0] == 0
    rev, asked = at.rev(), len(at.asked)
    assert at()[0] == 0
    assert (at.rev(), len(at.asked)) == (rev, asked), "no commit, and nothing asked"
    planned = at.thread().planned_at
    at.lose_ledger()
    assert at()[0] == 0
    assert (at.rev(), at.count("putRecord")) == (rev, 23)
    thread = at.thread()
    assert thread.planned_at > planned
    assert {post.state for post in thread.posts} == {State.SENT}
    status, said = at("status", "--json")
    assert status == 0
    (told,) = json.loads(said)["threads"]
    assert [post["state"] for post in told["posts"]] == ["sent"] * 23


def test_a_thread_of_23_posts_survives_a_kill_at_every_few_steps(at: RealPdsProcess) -> None:
    """SIGKILL of ten processes one after the other, before and after requests and commits."""
    for number, when in ((1, When.AFTER), (2, When.BEFORE), (5, When.AFTER), (3, When.BEFORE)):
        at.killed_at_request(number, HELD[when])
    for number, when in ((5, When.BEFORE), (9, When.AFTER), (16, When.BEFORE)):
        at.killed_at_commit(number, when)
    for number, when in ((6, When.AFTER), (7, When.BEFORE), (4, When.AFTER)):
        at.killed_at_request(number, HELD[when])
    status, said = at()
    for _ in range(9):
        if status != LATER:
            break
        status, said = at()
    assert status == 0, said
    check_against_plan(at)
    assert at.count("createSession") <= 2, "the first answer was lost with its process"


def test_a_ledger_lost_in_the_middle(at: RealPdsProcess) -> None:
    at.killed_at_request(opening_request(SKY) + 12, HUNG_AFTER)
    first = at.records()
    assert len(first) == 13
    at.lose_ledger()
    status, said = at()
    assert status == 0, said
    there, thread = at.records(), at.thread()
    assert len(there) == 23
    assert {key: there[key] for key in first} == first, "what was there is as it was"
    above: list[dict[str, str]] = []
    for post in thread.posts:
        value = dict(there[post.key].value)
        created = value.pop("createdAt")
        assert value == bluesky_rules.wanted(post, "en", above)
        if post.key not in first:
            assert created == bluesky_rules.written_at(thread, post.position)
        above.append({"uri": post.id, "cid": str(there[post.key].cid)})


def test_a_thread_is_taken_back_and_published_again(at: RealPdsProcess) -> None:
    assert at()[0] == 0
    before = at.records()
    status, said = at("retract", SAMPLE)
    assert status == 0, said
    assert at.records() == {}
    skip = next(line for line in said.splitlines() if line.startswith("BOT_SKIP="))
    rev = at.rev()
    status, said = at()
    assert (status, at.rev()) == (0, rev), said
    status, said = at("post", SAMPLE, "--again")
    assert status == 0, said
    check_against_plan(at)
    assert not before.keys() & at.records().keys(), "keys of their own"
    assert at.count("createSession") == 1
    rev = at.rev()
    at.lose_ledger()
    name, _, value = skip.partition("=")
    at.environ[name] = value
    status, said = at()
    assert (status, at.rev()) == (0, rev)
    assert "BOT_SKIP" in said


def test_a_wrong_app_password_sends_nothing_and_loses_nothing(at: RealPdsProcess) -> None:
    right = at.environ["BLUESKY_APP_PASSWORD"]
    at.environ["BLUESKY_APP_PASSWORD"] = "abcd-efgh-ijkl-mnop"
    status, said = at()
    assert status == 1
    assert "app password" in said or "Invalid identifier or password" in said, said
    assert "abcd-efgh" not in said
    assert at.records() == {}
    assert at.count("createSession") == 1
    at.environ["BLUESKY_APP_PASSWORD"] = right
    assert at()[0] == 0
    check_against_plan(at)


def test_what_a_person_deleted_is_not_put_back(at: RealPdsProcess) -> None:
    at.killed_at_request(opening_request(SKY) + 2, HUNG_AFTER)
    thread = at.thread()
    at.remove(thread.posts[0].key)
    at.remove(thread.posts[1].key)
    status, said = at()
    assert status == 1, said
    assert "held" in said
    keys = at.records().keys()
    assert not keys & {thread.posts[0].key, thread.posts[1].key}, "put back"


def test_a_look_alike_is_told_apart_by_its_key_and_let_be(at: RealPdsProcess) -> None:
    at.environ["BOT_TOP"] = "1"
    key = tid(datetime.fromisoformat(f"{SAMPLE}T12:00:00Z"))
    text = f"Hot Papers {SAMPLE} is out!"
    value = {"$type": POSTS, "text": text, "createdAt": f"{SAMPLE}T12:00:00.000Z"}
    at.post_elsewhere(key, value)
    status, said = at()
    assert status == 0, said
    check_against_plan(at, posts=2, besides=1)
    assert bluesky_rules.canonical(at.records()[key].value) == bluesky_rules.canonical(value)


def test_a_limit_of_points_is_believed(tmp_path: Path) -> None:
    """With Bluesky's own rate limits: 5,000 points an hour, of which one put is left."""
    with running_pds(limits=True) as limited:
        token = limited.log_in(limited.account).access
        for posts in (*[200] * 8, 66):
            _use_up(limited, posts, token)
        with real_pds_process(limited, limited.account, tmp_path) as at:
            status, said = at()
            assert status == LATER, said
            refused = [each for each in at.asked if each.status == 429]
            assert len(refused) == 1
            thread = at.thread()
            states = [post.state for post in thread.posts]
            assert states == [State.SENT, *[State.PLANNED] * 22]
            asked = at.count("putRecord")
            assert at()[0] == LATER
            assert at.count("putRecord") == asked, "not tried before its time"


def _use_up(pds: RealPds, posts: int, token: str) -> None:
    create = {
        "$type": "com.atproto.repo.applyWrites#create",
        "collection": "app.bsky.feed.like",
        "value": {"$type": "app.bsky.feed.like"},
        "validate": False,
    }
    told = {"repo": pds.account.did, "writes": [create] * posts, "validate": False}
    json_of(pds.post("com.atproto.repo.applyWrites", told, token))


# In this process ----------------------------------------------------------------------------------


def test_a_crash_at_every_other_step(pds: RealPds, account: Account) -> None:
    with real_pds_scenario(pds, account) as case:
        case.check(case.run())
        commits, requests = case.crash.commits, len(case.requests)
    points: list[tuple[str, int, Fault | None]] = [
        *(("commit", number, None) for number in range(1, commits + 1, 2)),
        *(("answer", number, CLOSED_AFTER) for number in range(1, requests + 1)),
        *(("request", number, CLOSED_BEFORE) for number in (1, opening_request(SKY))),
    ]
    for what, number, fault in points:
        with real_pds_scenario(pds, account) as case:
            if fault:
                case.crash_at(fault, number)
            with pytest.raises(ProcessKilled):
                case.run(None if fault else Crash(number, after=True))
            done(case)
            assert len(case.live) == 3, (what, number)


@pytest.mark.parametrize(
    "fault",
    [
        *(RESET_AFTER, EMPTY, cut_head(20), cut_body(7), server_error(502)),
        *(server_error(503, Commit.NOW), later(server_error(504), 60.0)),
    ],
    ids=lambda fault: fault.name,
)
def test_a_fault_at_each_post(pds: RealPds, account: Account, fault: Fault) -> None:
    for number in (opening_request(SKY), opening_request(SKY) + 2):
        with real_pds_scenario(pds, account) as case:
            case.fault(fault, number)
            done(case)


@pytest.mark.parametrize("sent", [0, 1, 2, 4])
def test_a_ledger_lost_after_any_number_of_posts(pds: RealPds, account: Account, sent: int) -> None:
    with real_pds_scenario(pds, account, 2) as case:
        case.send_only(sent)
        case.lose_ledger()
        done(case)
        assert case.posts_made == 4


def test_a_lost_ledger_and_a_post_that_was_under_way(pds: RealPds, account: Account) -> None:
    with real_pds_scenario(pds, account, 2) as case:
        case.crash_at(later(server_error(504), 60.0), opening_request(SKY) + 1)
        with suppress(ProcessKilled):
            case.run()
        case.lose_ledger()
        done(case)


def test_two_workers_that_share_nothing(pds: RealPds, account: Account) -> None:
    with real_pds_scenario(pds, account) as one:
        own = str(one.world.folder / "rival" / "bot.db")
        two = FaultScenario(one.world, SKY, one.source, more={"BOT_DATABASE": own})
        one.ledgers = two.ledgers = 2
        one.send_only(1)
        two.send_only(1)
        one.send_only(1)
        done(two)
        done(one)
        assert len(one.live) == 3


def keep(case: FaultScenario, *, access: str = "", refresh: str = "") -> None:
    """Put other tokens in the place of those that the ledger keeps."""
    with Ledger.open(case.settings.database) as ledger:
        kept = json.loads(ledger.session(SKY.value))
        kept |= {"accessJwt": access} if access else {}
        kept |= {"refreshJwt": refresh} if refresh else {}
        ledger.keep_session(SKY.value, json.dumps(kept))


def kept(case: FaultScenario) -> tuple[str, str]:
    with Ledger.open(case.settings.database) as ledger:
        tokens = json.loads(ledger.session(SKY.value))
    return tokens["accessJwt"], tokens["refreshJwt"]


def asked(case: FaultScenario, method: str) -> int:
    return sum(each.path.endswith(f".{method}") for each in case.requests)


def test_an_access_token_whose_time_is_over_is_renewed(pds: RealPds, account: Account) -> None:
    """The told clock is months behind, so that it is the server that says so."""
    with real_pds_scenario(pds, account, 2) as case:
        case.send_only(2)
        keep(case, access=pds.outdated(kept(case)[0]))
        done(case)
        assert (asked(case, "createSession"), asked(case, "refreshSession")) == (1, 1)
        assert case.posts_made == 5, "one was refused, unread"
        done(case)


def test_a_session_that_was_ended_elsewhere_is_begun_anew_once(
    pds: RealPds, account: Account
) -> None:
    with real_pds_scenario(pds, account, 2) as case:
        case.send_only(2)
        access, refresh = kept(case)
        assert pds.post("com.atproto.server.deleteSession", token=refresh).ok
        case.send_only(1)
        assert asked(case, "createSession") == 1, "an access token outlives its session"
        keep(case, access=pds.outdated(access))
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert (asked(case, "createSession"), asked(case, "refreshSession")) == (2, 1)
        assert len(case.live) == 4


def test_an_app_password_that_is_revoked_stops_the_account(pds: RealPds) -> None:
    account = pds.new_account()
    with real_pds_scenario(pds, account, 2) as case:
        case.send_only(2)
        token = pds.log_in(account, account.password).access
        answer = pds.post("com.atproto.server.revokeAppPassword", {"name": "bot"}, token)
        assert answer.ok
        keep(case, access=pds.outdated(kept(case)[0]))
        served = case.run()
        assert (served.end, served.stops) == (End.FAILED, True)
        assert len(case.live) == 2
        assert asked(case, "createSession") == 2


def test_a_thread_is_taken_back_and_published_under_other_keys(
    pds: RealPds, account: Account
) -> None:
    with real_pds_scenario(pds, account) as case:
        done(case)
        assert case.retract().end is End.DONE
        assert case.live == []
        assert case.run().end is End.DONE
        assert case.live == []
        case.check(case.run(options=PublishOptions(again=True)))
        assert [post.key for post in case.live] == bluesky_rules.keys_of(
            case.thread, case.source, 1
        )
