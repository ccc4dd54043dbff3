"""Delivery to Bluesky where it is like no other network: sessions, keys for ever, whole records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.cli import ProcessContext, run
from bot.delivery.publish import PublishOptions
from bot.delivery.types import End
from bot.digests.parse import parse
from bot.model import Network, State
from bot.posters.bluesky.tids import tid
from bot.sandbox.bluesky.answers import REFUSALS
from bot.sandbox.bluesky.behaviour import (
    BSKY_SOCIAL,
    OWN_PDS,
    SERVERS,
    BlueskyBehaviour,
    BlueskyLimits,
)
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.records import StoredRecord
from bot.sandbox.bluesky.rules import APP_PASSWORD
from bot.sandbox.faults import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    EMPTY,
    NOT_JSON,
    Commit,
    Fault,
    refusal,
    server_error,
    too_many,
)
from tests.helpers import bluesky_rules
from tests.helpers.fake_world import digest, is_publish
from tests.helpers.fault_scenarios import Crash, FaultScenario, fault_scenario
from tests.helpers.paths import ROOT
from tests.helpers.process_killed import ProcessKilled

SKY = Network.BLUESKY
SESSION = "/xrpc/com.atproto.server."
DAY = 24 * 3600.0
SAMPLE = ROOT / "bot" / "samples" / "2021-06-22---Hot-Papers.md"


def sessions(case: FaultScenario) -> list[str]:
    """What was asked about sessions, in order; looking at one's own aside."""
    asked = [each.path for each in case.requests if each.path.startswith(SESSION)]
    return [path.removeprefix(SESSION) for path in asked if not path.endswith("getSession")]


def done(case: FaultScenario) -> None:
    served = case.run_until_settled()
    case.check(served)
    assert served.end is End.DONE, served.reason


# Sessions -----------------------------------------------------------------------------------------


def test_a_session_is_kept_from_run_to_run() -> None:
    with fault_scenario(SKY, 2) as case:
        for _ in range(3):
            case.send_only(1)
        done(case)
        assert sessions(case) == ["createSession"]
        case.retract()
        case.run(options=PublishOptions(again=True))
        assert sessions(case) == ["createSession"]


@pytest.mark.parametrize("server", SERVERS, ids=["bsky.social", "own", "dev-env"])
def test_a_session_whose_time_is_over_is_renewed_and_no_post_is_refused(
    server: BlueskyBehaviour,
) -> None:
    with fault_scenario(SKY, 2, sky=server) as case:
        case.send_only(2)
        case.world.clock.sleep(7200.0)
        done(case)
        assert sessions(case) == ["createSession", "refreshSession"]
        assert {each.status for each in case.requests if each.method == "POST"} == {200}


def test_a_session_that_ends_in_the_middle_of_a_thread_is_renewed() -> None:
    with fault_scenario(SKY, 3, BOT_PAUSE="40m") as case:
        done(case)
        assert sessions(case) == ["createSession", "refreshSession"]
        assert {each.status for each in case.requests if each.method == "POST"} == {200}


def test_a_clock_that_is_slow_notices_by_the_refusal() -> None:
    """The worker thinks that its token is good for hours, and is told that it is not."""
    with fault_scenario(SKY, 2) as case:
        case.ahead = -timedelta(hours=5)
        case.send_only(2)
        case.world.clock.sleep(7200.0)
        done(case)
        assert sessions(case) == ["createSession", "refreshSession"]
        assert case.posts_made == 4


@pytest.mark.parametrize("wait", [0.0, 7200.0])
def test_a_session_that_was_revoked_is_followed_by_one_login_at_most(wait: float) -> None:
    with fault_scenario(SKY, 2) as case:
        case.send_only(2)
        case.world.sky.sessions.close_all()
        case.world.clock.sleep(wait)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        asked = ["createSession", "refreshSession", "createSession"]
        assert sessions(case) == (asked if wait else asked[:1])
        assert len(case.live) == 4


def test_a_server_that_signs_with_another_key_is_logged_in_to_once() -> None:
    with fault_scenario(SKY, 2) as case:
        case.send_only(2)
        case.world.sky.sessions.change_key()
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert sessions(case) == ["createSession", "refreshSession", "createSession"]
        assert case.posts_made == 5, "one was refused, unread, and is sent again"
        assert len(case.live) == 4


def test_a_revoked_app_password_stops_the_account_until_there_is_another() -> None:
    with fault_scenario(SKY, 2) as case:
        case.send_only(2)
        case.world.sky.revoke()
        case.world.clock.sleep(7200.0)
        served = replace(case, more={"BLUESKY_APP_PASSWORD": APP_PASSWORD}).run()
        assert served.end is End.FAILED
        assert "app password" in served.reason or "bot login" in served.reason
        assert served.stops
        assert sessions(case) == ["createSession", "refreshSession", "createSession"]
        states = [post.state for post in served.thread.posts] if served.thread else []
        assert states == [State.SENT, State.SENT, State.PLANNED, State.PLANNED]
        case.world.sky.password = "anew-anew-anew-anew"
        served = case.run()
        assert served.end is End.DONE, served.reason
        assert case.posts_made == 4


SPOILS = (CLOSED_BEFORE, CLOSED_AFTER, EMPTY, NOT_JSON, server_error(503, Commit.NOW))
REFUSED = [refusal(name, REFUSALS[name]) for name in ("400 expired", "400 revoked", "400 token")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [*SPOILS, *REFUSED, too_many(SKY, None)], ids=lambda fault: fault.name
)
def test_every_fault_where_a_session_must_be_renewed(fault: Fault) -> None:
    """Of a resumed run: refresh, two pages to look, two posts, two pages to check."""
    for at in range(1, 8):
        with fault_scenario(SKY, 2) as case:
            case.send_only(2)
            case.world.clock.sleep(7200.0)
            case.fault(fault, len(case.requests) + at)
            done(case)
            logins = sessions(case).count("createSession")
            assert logins == (2 if fault in REFUSED and at == 1 else 1) or fault in REFUSED


@pytest.mark.slow
def test_a_crash_anywhere_where_a_session_must_be_renewed() -> None:
    """The new pair is on the disk before it is used; an old refresh token is good for 2 hours."""

    def crashed(prepare: Callable[[FaultScenario], Crash | None]) -> bool:
        with fault_scenario(SKY, 2) as case:
            case.send_only(2)
            case.world.clock.sleep(7200.0)
            try:
                case.run(prepare(case))
            except ProcessKilled:
                done(case)
                assert sessions(case).count("createSession") == 1
                return True
        return False

    def at_commit(number: int) -> bool:
        return crashed(lambda _: Crash(number))

    def at_request(number: int, fault: Fault) -> bool:
        return crashed(lambda case: case.crash_at(fault, len(case.requests) + number))

    assert [at_commit(number) for number in range(1, 11)] == [True] * 10
    for fault in (CLOSED_BEFORE, CLOSED_AFTER):
        assert [at_request(number, fault) for number in range(1, 9)] == [True] * 7 + [False]


# Keys ---------------------------------------------------------------------------------------------


def test_a_thread_that_a_person_deleted_is_not_resurrected() -> None:
    """A key that is free again looks as if it never was used; the ledger knows better."""
    with fault_scenario(SKY, 2) as case:
        done(case)
        for post in case.live:
            case.world.sky.remove(post.id)
        for _ in range(3):
            case.world.clock.sleep(DAY)
            assert case.run().end is End.DONE
        assert (case.live, case.posts_made) == ([], 4)


@pytest.mark.parametrize("sent", [1, 2, 3])
def test_half_a_thread_that_a_person_deleted_is_not_resurrected(sent: int) -> None:
    with fault_scenario(SKY, 2) as case:
        case.send_only(sent)
        for post in case.live:
            case.world.sky.remove(post.id)
        served = case.run_until_settled()
        assert served.end is End.HELD
        assert (case.live, case.posts_made) == ([], sent)


def test_what_stands_under_a_key_is_never_overwritten() -> None:
    """Whatever another program wrote there: it is read, and taken for the post."""
    with fault_scenario(SKY, 2) as case:
        keys = bluesky_rules.keys_of(case.thread, case.source)
        value = {"$type": POST, "text": "?", "createdAt": "2026-02-28T00:00:00Z"}
        there = case.world.sky.place(POST, keys[0], value)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert case.world.sky.record(keys[0]) == there
        assert [post.id.rpartition("/")[2] for post in case.live] == keys
        second = case.world.sky.record(keys[1])
        assert second
        root = {"uri": there.uri, "cid": str(there.cid)}
        assert second.value["reply"] == {"root": root, "parent": root}


def test_a_post_that_a_moderator_hid_is_not_sent_again_and_again() -> None:
    """Its key is taken and nobody can read it: only a person can tell."""
    with fault_scenario(SKY, 2) as case:
        case.send_only(2)
        case.world.sky.hide(case.live[0].id)
        case.lose_ledger()
        served = case.run_until_settled()
        assert served.end is End.HELD, served.reason
        assert case.posts_made <= 2 + 5
        bluesky_rules.check_nothing_overwritten(case.world.sky)
        assert len(case.live) == 2


@pytest.mark.slow
def test_the_next_days_digest_with_the_same_papers_is_let_be() -> None:
    """Keys of one day lie between those of its neighbours, and only they are ours to read."""
    for number in range(8):
        with fault_scenario(SKY, 2) as case:
            first = date(2025, 12, 1) + timedelta(days=number)
            for day in (1, 0, 2):
                case.lose_ledger()
                case.source = digest(2, first + timedelta(days=day))
                served = case.run_until_settled()
                assert served.end is End.DONE, served.reason
            assert case.posts_made == 3 * 4


def test_generations_have_keys_of_their_own() -> None:
    with fault_scenario(SKY) as case:
        for generation in range(3):
            again = case.run(options=PublishOptions(again=generation > 0))
            case.check(again)
            assert again.end is End.DONE, again.reason
            named = [post.id.rpartition("/")[2] for post in case.live]
            assert named == bluesky_rules.keys_of(case.thread, case.source, generation)
            assert case.retract().end is End.DONE
        assert len(case.world.sky.every()) == 9


def look_alike(case: FaultScenario, day: date) -> StoredRecord:
    """A person's own post of that day, by their clock."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    text = f"{case.source.title} is out!"
    value = {"$type": POST, "text": text, "createdAt": noon.isoformat()}
    return case.world.sky.place(POST, tid(noon), value)


def test_a_look_alike_of_another_day_is_let_be() -> None:
    """A key tells for certain, so nothing there can be ours."""
    with fault_scenario(SKY, 2) as case:
        for days in (-1, 1, 30):
            look_alike(case, case.source.day + timedelta(days=days))
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert case.posts_made == 4


def test_a_look_alike_of_the_digests_day_is_told_apart_by_its_key() -> None:
    with fault_scenario(SKY, 2) as case:
        mine = look_alike(case, case.source.day)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert case.world.sky.record(mine.uri) == mine
        assert [post.text for post in case.live[1:]] == [post.text for post in case.thread.posts]


@pytest.mark.parametrize("shown", ["id", "page", "key"])
def test_a_person_settles_by_what_the_message_names(shown: str) -> None:
    with fault_scenario(SKY, 2) as case:
        mine = look_alike(case, case.source.day)
        case.send_only(0)
        with case.service() as service:
            (thread,) = service.ledger.threads()
            service.ledger.hold(thread.number, 0, "a person decides", case.world.clock())
        page = f"https://bsky.app/profile/{case.world.sky.handle}/post/{mine.rkey}"
        _settle(case, {"id": mine.uri, "page": page, "key": mine.rkey}[shown])
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert [post.text for post in case.live[1:]] == [p.text for p in case.thread.posts[1:]]
        assert case.live[1].reply_to == mine.uri


def _settle(case: FaultScenario, named: str) -> None:
    """What a person does."""
    arguments = ("settle", case.source.slug, "1", "--sent", named)
    variables = case.world.variables([SKY])
    assert run(arguments, ProcessContext(variables, case.world.folder, asks=False)) == 0


# Limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [
        BlueskyLimits(hour=5),
        BlueskyLimits(day=5),
        BlueskyLimits(requests=7),
    ],
    ids=["hour", "day", "requests"],
)
def test_a_limit_is_waited_out_as_long_as_the_server_says(limits: BlueskyLimits) -> None:
    with fault_scenario(SKY, 2, sky=replace(BSKY_SOCIAL, limits=limits)) as case:
        done(case)
        refused = [each for each in case.requests if each.status == 429]
        assert 1 <= len(refused) <= 2, "it hammers"
        assert case.posts_made == 4 + sum(is_publish(each.request) for each in refused)


def test_a_server_without_limits() -> None:
    with fault_scenario(SKY, 2, sky=OWN_PDS) as case:
        done(case)


# Records ------------------------------------------------------------------------------------------


def test_a_real_digest_is_whole_on_bluesky() -> None:
    """23 posts of a sample: links, a card; compared with the plan to the letter."""
    source, _ = parse(SAMPLE.read_bytes(), SAMPLE.name)
    with fault_scenario(SKY, BOT_TOP="22") as case:
        case.source = source
        served = case.run()
        case.check(served)
        assert (served.end, len(case.live)) == (End.DONE, 23)
        bluesky_rules.check_times(case.world.sky, case.live, served.thread)
        spans = [span for post in case.thread.posts for span in post.spans]
        assert sum(bool(span.uri) for span in spans) >= 22
        assert any(post.card for post in case.thread.posts)
        assert case.world.sandbox.connections("bluesky") == 1
        assert len(case.requests) <= 29
