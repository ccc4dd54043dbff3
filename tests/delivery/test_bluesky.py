"""Delivery to Bluesky where it is like no other network: sessions, keys for ever, whole records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.cli import Surroundings, run
from bot.delivery.terms import End
from bot.desk import Wishes
from bot.digests.parse import parse
from bot.model import Network, State
from bot.posters.tids import tid
from bot.sandbox.bluesky.answers import REFUSALS
from bot.sandbox.bluesky.behaviour import (
    BSKY_SOCIAL,
    OWN_PDS,
    SERVERS,
    BlueskyBehaviour,
    BlueskyLimits,
)
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.records import Record
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
from tests.helpers.fake_world import digest, publishes
from tests.helpers.fault_scenarios import Crash, Death, Play, play
from tests.helpers.paths import ROOT

SKY = Network.BLUESKY
SESSION = "/xrpc/com.atproto.server."
DAY = 24 * 3600.0
SAMPLE = ROOT / "bot" / "samples" / "2021-06-22---Hot-Papers.md"


def sessions(on: Play) -> list[str]:
    """What was asked about sessions, in order; looking at one's own aside."""
    asked = [each.path for each in on.requests if each.path.startswith(SESSION)]
    return [path.removeprefix(SESSION) for path in asked if not path.endswith("getSession")]


def done(on: Play) -> None:
    served = on.until_settled()
    on.check(served)
    assert served.end is End.DONE, served.reason


# Sessions -----------------------------------------------------------------------------------------


def test_a_session_is_kept_from_run_to_run() -> None:
    with play(SKY, 2) as on:
        for _ in range(3):
            on.send_only(1)
        done(on)
        assert sessions(on) == ["createSession"]
        on.retract()
        on.run(wishes=Wishes(again=True))
        assert sessions(on) == ["createSession"]


@pytest.mark.parametrize("server", SERVERS, ids=["bsky.social", "own", "dev-env"])
def test_a_session_whose_time_is_over_is_renewed_and_no_post_is_refused(
    server: BlueskyBehaviour,
) -> None:
    with play(SKY, 2, sky=server) as on:
        on.send_only(2)
        on.on.clock.sleep(7200.0)
        done(on)
        assert sessions(on) == ["createSession", "refreshSession"]
        assert {each.status for each in on.requests if each.method == "POST"} == {200}


def test_a_session_that_ends_in_the_middle_of_a_thread_is_renewed() -> None:
    with play(SKY, 3, BOT_PAUSE="40m") as on:
        done(on)
        assert sessions(on) == ["createSession", "refreshSession"]
        assert {each.status for each in on.requests if each.method == "POST"} == {200}


def test_a_clock_that_is_slow_notices_by_the_refusal() -> None:
    """The worker thinks that its token is good for hours, and is told that it is not."""
    with play(SKY, 2) as on:
        on.ahead = -timedelta(hours=5)
        on.send_only(2)
        on.on.clock.sleep(7200.0)
        done(on)
        assert sessions(on) == ["createSession", "refreshSession"]
        assert on.made == 4


@pytest.mark.parametrize("wait", [0.0, 7200.0])
def test_a_session_that_was_revoked_is_followed_by_one_login_at_most(wait: float) -> None:
    with play(SKY, 2) as on:
        on.send_only(2)
        on.on.sky.pds.sessions.close_all()
        on.on.clock.sleep(wait)
        served = on.until_settled()
        assert served.end is End.DONE, served.reason
        asked = ["createSession", "refreshSession", "createSession"]
        assert sessions(on) == (asked if wait else asked[:1])
        assert len(on.live) == 4


def test_a_server_that_signs_with_another_key_is_logged_in_to_once() -> None:
    with play(SKY, 2) as on:
        on.send_only(2)
        on.on.sky.pds.sessions.change_key()
        served = on.until_settled()
        assert served.end is End.DONE, served.reason
        assert sessions(on) == ["createSession", "refreshSession", "createSession"]
        assert on.made == 5, "one was refused, unread, and is sent again"
        assert len(on.live) == 4


def test_a_revoked_app_password_stops_the_account_until_there_is_another() -> None:
    with play(SKY, 2) as on:
        on.send_only(2)
        on.on.sky.revoke()
        on.on.clock.sleep(7200.0)
        served = replace(on, more={"BLUESKY_APP_PASSWORD": APP_PASSWORD}).run()
        assert served.end is End.FAILED
        assert "app password" in served.reason or "bot login" in served.reason
        assert served.stops
        assert sessions(on) == ["createSession", "refreshSession", "createSession"]
        states = [post.state for post in served.thread.posts] if served.thread else []
        assert states == [State.SENT, State.SENT, State.PLANNED, State.PLANNED]
        on.on.sky.pds.password = "anew-anew-anew-anew"
        served = on.run()
        assert served.end is End.DONE, served.reason
        assert on.made == 4


SPOILS = (CLOSED_BEFORE, CLOSED_AFTER, EMPTY, NOT_JSON, server_error(503, Commit.NOW))
REFUSED = [refusal(name, REFUSALS[name]) for name in ("400 expired", "400 revoked", "400 token")]


@pytest.mark.parametrize(
    "fault", [*SPOILS, *REFUSED, too_many(SKY, None)], ids=lambda fault: fault.name
)
def test_every_fault_where_a_session_must_be_renewed(fault: Fault) -> None:
    """Of a resumed run: refresh, two pages to look, two posts, two pages to check."""
    for at in range(1, 8):
        with play(SKY, 2) as on:
            on.send_only(2)
            on.on.clock.sleep(7200.0)
            on.fault(fault, len(on.requests) + at)
            done(on)
            logins = sessions(on).count("createSession")
            assert logins == (2 if fault in REFUSED and at == 1 else 1) or fault in REFUSED


def test_a_crash_anywhere_where_a_session_must_be_renewed() -> None:
    """The new pair is on the disk before it is used; an old refresh token is good for 2 hours."""

    def crashed(prepare: Callable[[Play], Death | None]) -> bool:
        with play(SKY, 2) as on:
            on.send_only(2)
            on.on.clock.sleep(7200.0)
            try:
                on.run(prepare(on))
            except Crash:
                done(on)
                assert sessions(on).count("createSession") == 1
                return True
        return False

    def at_commit(number: int) -> bool:
        return crashed(lambda _: Death(number))

    def at_request(number: int, fault: Fault) -> bool:
        return crashed(lambda on: on.dies_with(fault, len(on.requests) + number))

    assert [at_commit(number) for number in range(1, 12)] == [True] * 11
    for fault in (CLOSED_BEFORE, CLOSED_AFTER):
        assert [at_request(number, fault) for number in range(1, 9)] == [True] * 7 + [False]


# Keys ---------------------------------------------------------------------------------------------


def test_a_thread_that_a_person_deleted_is_not_resurrected() -> None:
    """A key that is free again looks as if it never was used; the ledger knows better."""
    with play(SKY, 2) as on:
        done(on)
        for post in on.live:
            on.on.sky.remove(post.id)
        for _ in range(3):
            on.on.clock.sleep(DAY)
            assert on.run().end is End.DONE
        assert (on.live, on.made) == ([], 4)


@pytest.mark.parametrize("sent", [1, 2, 3])
def test_half_a_thread_that_a_person_deleted_is_not_resurrected(sent: int) -> None:
    with play(SKY, 2) as on:
        on.send_only(sent)
        for post in on.live:
            on.on.sky.remove(post.id)
        served = on.until_settled()
        assert served.end is End.HELD
        assert (on.live, on.made) == ([], sent)


def test_what_stands_under_a_key_is_never_overwritten() -> None:
    """Whatever another program wrote there: it is read, and taken for the post."""
    with play(SKY, 2) as on:
        keys = bluesky_rules.keys_of(on.thread, on.source)
        value = {"$type": POST, "text": "?", "createdAt": "2026-02-28T00:00:00Z"}
        there = on.on.sky.place(POST, keys[0], value)
        served = on.until_settled()
        assert served.end is End.DONE, served.reason
        assert on.on.sky.record(keys[0]) == there
        assert [post.id.rpartition("/")[2] for post in on.live] == keys
        second = on.on.sky.record(keys[1])
        assert second
        root = {"uri": there.uri, "cid": str(there.cid)}
        assert second.value["reply"] == {"root": root, "parent": root}


def test_a_post_that_a_moderator_hid_is_not_sent_again_and_again() -> None:
    """Its key is taken and nobody can read it: only a person can tell."""
    with play(SKY, 2) as on:
        on.send_only(2)
        on.on.sky.hide(on.live[0].id)
        on.lose_ledger()
        served = on.until_settled()
        assert served.end is End.HELD, served.reason
        assert on.made <= 2 + 5
        bluesky_rules.check_nothing_overwritten(on.on.sky)
        assert len(on.live) == 2


def test_the_next_days_digest_with_the_same_papers_is_let_be() -> None:
    """Keys of one day lie between those of its neighbours, and only they are ours to read."""
    for number in range(8):
        with play(SKY, 2) as on:
            first = date(2025, 12, 1) + timedelta(days=number)
            for day in (1, 0, 2):
                on.lose_ledger()
                on.source = digest(2, first + timedelta(days=day))
                served = on.until_settled()
                assert served.end is End.DONE, served.reason
            assert on.made == 3 * 4


def test_generations_have_keys_of_their_own() -> None:
    with play(SKY) as on:
        for generation in range(3):
            again = on.run(wishes=Wishes(again=generation > 0))
            on.check(again)
            assert again.end is End.DONE, again.reason
            named = [post.id.rpartition("/")[2] for post in on.live]
            assert named == bluesky_rules.keys_of(on.thread, on.source, generation)
            assert on.retract().end is End.DONE
        assert len(on.on.sky.every()) == 9


def look_alike(on: Play, day: date) -> Record:
    """A person's own post of that day, by their clock."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    text = f"{on.source.title} is out!"
    value = {"$type": POST, "text": text, "createdAt": noon.isoformat()}
    return on.on.sky.place(POST, tid(noon), value)


def test_a_look_alike_of_another_day_is_let_be() -> None:
    """A key tells for certain, so nothing there can be ours."""
    with play(SKY, 2) as on:
        for days in (-1, 1, 30):
            look_alike(on, on.source.day + timedelta(days=days))
        served = on.until_settled()
        assert served.end is End.DONE, served.reason
        assert on.made == 4


def test_a_look_alike_of_the_digests_day_is_asked_about() -> None:
    with play(SKY, 2) as on:
        mine = look_alike(on, on.source.day)
        served = on.until_settled()
        assert served.end is End.HELD
        assert f"/post/{mine.rkey} resembles the opening" in served.reason
        assert on.made == 0
        served = on.run(wishes=Wishes(unsent=True))
        assert served.end is End.DONE, served.reason
        assert on.on.sky.record(mine.uri) == mine
        assert [post.text for post in on.live[1:]] == [post.text for post in on.thread.posts]


@pytest.mark.parametrize("shown", ["id", "page", "key"])
def test_a_person_settles_by_what_the_message_names(shown: str) -> None:
    with play(SKY, 2) as on:
        mine = look_alike(on, on.source.day)
        served = on.until_settled()
        assert served.end is End.HELD
        page = f"https://bsky.app/profile/{on.on.sky.handle}/post/{mine.rkey}"
        assert page in served.reason
        _settle(on, {"id": mine.uri, "page": page, "key": mine.rkey}[shown])
        served = on.until_settled()
        assert served.end is End.DONE, served.reason
        assert [post.text for post in on.live[1:]] == [p.text for p in on.thread.posts[1:]]
        assert on.live[1].reply_to == mine.uri


def _settle(on: Play, named: str) -> None:
    """What a person does."""
    arguments = ("settle", on.source.slug, "0", "--sent", named)
    variables = on.on.variables([SKY])
    assert run(arguments, Surroundings(variables, on.on.folder, asks=False)) == 0


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
    with play(SKY, 2, sky=replace(BSKY_SOCIAL, limits=limits)) as on:
        done(on)
        refused = [each for each in on.requests if each.status == 429]
        assert 1 <= len(refused) <= 2, "it hammers"
        assert on.made == 4 + sum(publishes(each.request) for each in refused)


def test_a_server_without_limits() -> None:
    with play(SKY, 2, sky=OWN_PDS) as on:
        done(on)


# Records ------------------------------------------------------------------------------------------


def test_a_real_digest_is_whole_on_bluesky() -> None:
    """24 posts of a sample: links, a card; compared with the plan to the letter."""
    source, _ = parse(SAMPLE.read_bytes(), SAMPLE.name)
    with play(SKY, BOT_TOP="22") as on:
        on.source = source
        served = on.run()
        on.check(served)
        assert (served.end, len(on.live)) == (End.DONE, 24)
        bluesky_rules.check_times(on.on.sky, on.live, served.thread)
        spans = [span for post in on.thread.posts for span in post.spans]
        assert sum(bool(span.uri) for span in spans) >= 22
        assert any(post.card for post in on.thread.posts)
        assert on.on.sandbox.connections("bluesky") == 1
        assert len(on.requests) <= 29
