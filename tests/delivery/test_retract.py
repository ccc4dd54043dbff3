"""Taking a thread back: last post first, resumable, and never what is not ours."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot import app
from bot.delivery.money import month_of
from bot.desk import Served, Wishes
from bot.errors import NoDigest
from bot.model import Digest, Network, State, Thread
from bot.sandbox.bluesky import answers as sky_answers
from bot.sandbox.faults import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    ERRORS_ONLY,
    Fault,
    refusal,
    server_error,
    too_many,
)
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.service import Stored
from bot.sandbox.wire import Request
from bot.sandbox.x import answers as x_answers
from bot.sandbox.x.behaviour import XBehaviour
from tests.helpers.fake_world import Stage, check_once, deletes, digest, publishes, stage

X, MASTODON, SKY = Network.TWITTER, Network.MASTODON, Network.BLUESKY
each_network = pytest.mark.parametrize("network", [X, MASTODON, SKY], ids=str)
UNAUTHORIZED = {
    X: x_answers.UNAUTHORIZED,
    MASTODON: mastodon_answers.UNAUTHORIZED,
    SKY: sky_answers.TAKEN_DOWN,
}


def take_back(
    on: Stage, network: Network, source: Digest | None = None, *, known: bool = True, **more: str
) -> Served:
    """What `bot retract` does; where not `known`, the source has no such digest."""
    settings = on.settings([network], **more)
    source = source or digest(2)
    worded: tuple[Thread, ...] = app.threads(settings, source, settings.accounts) if known else ()
    with on.service(settings) as service:
        found = source if known else None
        (served,) = service.retract(found, source.slug, settings.accounts, worded)
    return served


def post(on: Stage, network: Network, wishes: Wishes = Wishes(), **more: str) -> Served:  # noqa: B008 - frozen
    return on.post(digest(2), on.settings([network], **more), wishes)[network]


def forget(on: Stage) -> None:
    for each in on.folder.glob("state/*"):
        each.unlink()


def is_delete(request: Request) -> bool:
    return bool(deletes(request))


def name(post: Stored) -> str:
    """What a request to delete it calls it."""
    return post.id.rpartition("/")[2]


def states(served: Served) -> set[State]:
    assert served.thread
    return {each.state for each in served.thread.posts}


@each_network
def test_a_thread_is_deleted_last_post_first(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        there = [name(each) for each in on.live(network)]
        mine = on.rules(network).write("A person's own words").id
        served = take_back(on, network)
        assert (served.end, states(served)) == ("done", {State.RETRACTED})
        asked = [deletes(each.request) for each in on.sandbox.requests]
        assert [each for each in asked if each] == there[::-1]
        assert [each.id for each in on.live(network)] == [mine]
        before = len(on.sandbox.requests)
        assert take_back(on, network).end == "done"
        assert not [r for r in on.sandbox.requests[before:] if is_delete(r.request)]


@each_network
def test_what_was_retracted_stays_away_until_it_is_wanted_again(
    tmp_path: Path, network: Network
) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        take_back(on, network)
        served = post(on, network)
        assert (served.end, on.live(network)) == ("done", [])
        assert served.reason == "it was retracted; to publish it anew: bot post --again"
        on.clock.sleep(90000)
        served = post(on, network, Wishes(again=True))
        assert (served.end, served.thread and served.thread.generation) == ("done", 1)
        check_once(on.live(network), on.planned(digest(2), on.settings([network]))[network])
        take_back(on, network)
        assert on.live(network) == []


@each_network
def test_again_that_was_broken_off_goes_on_by_the_same_command(
    tmp_path: Path, network: Network
) -> None:
    """The message says "run it again": the same command must then finish it, not refuse."""
    with stage(tmp_path) as on:
        post(on, network)
        take_back(on, network)
        on.clock.sleep(90000)
        on.sandbox.script(
            too_many(network, timedelta(minutes=5)),
            network=network.value,
            when=lambda request: publishes(request) and b"2602.10001" in request.body,
        )
        again = Wishes(again=True)
        assert post(on, network, again, BOT_PATIENCE="0s").end == "later"
        assert len(on.live(network)) == 1
        on.clock.sleep(300)
        served = post(on, network, again)
        assert (served.end, served.reason) == ("done", "")
        check_once(on.live(network), on.planned(digest(2), on.settings([network]))[network])


def test_again_is_refused_for_what_is_out(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        post(on, X)
        served = post(on, X, Wishes(again=True))
        assert served.end == "failed"
        assert "--again publishes anew what was retracted, and this was not" in served.reason
        check_once(on.live(X), on.planned(digest(2), on.settings([X]))[X])


def test_again_of_what_was_never_out_is_a_first_time(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        served = post(on, X, Wishes(again=True))
        assert (served.end, served.thread and served.thread.generation) == ("done", 0)


@each_network
@pytest.mark.parametrize(
    "fault", [CLOSED_BEFORE, CLOSED_AFTER, server_error(503)], ids=lambda fault: fault.name
)
def test_a_deletion_in_doubt_is_settled_by_reading(
    tmp_path: Path, network: Network, fault: Fault
) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        on.sandbox.script(fault, network=network.value, when=is_delete)
        served = take_back(on, network)
        if fault is CLOSED_AFTER:
            assert served.end == "done"
        else:
            assert served.end == "later"
            assert "is still there" in served.reason
            assert states(served) == {State.SENT}
            assert take_back(on, network).end == "done"
        assert on.live(network) == []
        asked = dict.fromkeys(deletes(each.request) for each in on.sandbox.requests)
        gone = [name(each) for each in on.rules(network).every()]
        assert [each for each in asked if each] == gone[::-1]


@each_network
def test_a_deletion_in_doubt_that_cannot_be_read_waits(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        before = len(on.sandbox.requests)
        on.sandbox.script(server_error(503), network=network.value, at=before + 1)
        on.sandbox.script(server_error(503), network=network.value, at=before + 2)
        served = take_back(on, network)
        assert (served.end, states(served)) == ("later", {State.SENT})
        assert "503" in served.reason
        assert take_back(on, network).end == "done"
        assert on.live(network) == []


@each_network
def test_a_rate_limit_stops_it_and_the_next_run_goes_on(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        last = name(on.live(network)[-1])
        on.sandbox.script(
            too_many(network, timedelta(minutes=30)),
            network=network.value,
            when=lambda request: deletes(request) not in ("", last),
        )
        served = take_back(on, network)
        assert (served.end, len(on.live(network))) == ("later", 3)
        assert served.until
        assert (
            timedelta(0)
            <= served.until - on.clock.wall - timedelta(minutes=29)
            <= timedelta(minutes=2)
        )
        assert take_back(on, network).end == "done"
        assert on.live(network) == []


@each_network
def test_refused_credentials_delete_nothing_and_forget_nothing(
    tmp_path: Path, network: Network
) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        refused = refusal("401", UNAUTHORIZED[network])
        on.sandbox.script(refused, network=network.value, when=is_delete)
        served = take_back(on, network)
        assert (served.end, states(served)) == ("failed", {State.SENT})
        assert "post 3 is not deleted" in served.reason
        assert "401" in served.reason
        assert len(on.live(network)) == 4


@each_network
def test_what_a_person_deleted_counts_as_deleted(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        on.rules(network).remove(on.live(network)[1].id)
        assert take_back(on, network).end == "done"
        assert on.live(network) == []


@each_network
def test_ctrl_c_leaves_the_rest_for_the_next_run(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        on.stop = True
        served = take_back(on, network)
        assert (served.end, served.reason) == ("later", "stopped before all of it was deleted")
        on.stop = False
        assert take_back(on, network).end == "done"


@each_network
def test_with_a_lost_ledger_it_is_found_by_the_digest(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        post(on, network)
        forget(on)
        mine = on.rules(network).write("A person's own words").id
        served = take_back(on, network)
        assert (served.end, states(served)) == ("done", {State.RETRACTED})
        assert [each.id for each in on.live(network)] == [mine]


def test_what_only_resembles_ours_is_left_alone(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        on.x.write(f"{digest(2).title} is out!")
        served = take_back(on, X)
        assert (served.end, len(on.live(X))) == ("held", 1)
        assert not [r for r in on.sandbox.requests if is_delete(r.request)]
        assert "resembles the opening" in served.reason


def test_what_neither_ledger_nor_source_know_cannot_be_taken_back(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        served = take_back(on, X, known=False)
        assert (served.end, served.thread) == ("failed", None)
        assert "hot-papers-2026-02-28" in served.reason
        empty = digest(0)
        assert take_back(on, X, empty).end == "failed"
        post(on, X)
        assert take_back(on, X, known=False).end == "done", "the ledger alone is enough"
        assert on.live(X) == []


@each_network
@pytest.mark.parametrize("fault", [CLOSED_BEFORE, server_error(503)], ids=lambda f: f.name)
def test_half_a_thread_is_taken_back_though_a_read_fails_once(
    tmp_path: Path, network: Network, fault: Fault
) -> None:
    """A read that fails now works later: that is no reason to call for a person."""
    with stage(tmp_path) as on:
        half_out(on, network)
        on.sandbox.script(
            fault, network=network.value, when=lambda request: request.method == "GET"
        )
        served = take_back(on, network)
        assert served.end in ("done", "later"), served.reason
        assert take_back(on, network).end == "done"
        assert on.live(network) == []


def half_out(on: Stage, network: Network) -> None:
    """Two posts are out, and the third is not begun."""
    on.sandbox.script(
        too_many(network, timedelta(minutes=5)),
        network=network.value,
        when=lambda request: publishes(request) and b"2602.10002" in request.body,
    )
    assert post(on, network, BOT_PATIENCE="0s").end == "later"
    assert len(on.live(network)) == 2
    on.clock.sleep(300)


@each_network
def test_a_post_in_doubt_is_looked_for_and_deleted_too(tmp_path: Path, network: Network) -> None:
    with stage(tmp_path) as on:
        on.sandbox.script(
            CLOSED_AFTER,
            network=network.value,
            when=lambda request: publishes(request) and b"2602.10002" in request.body,
        )
        on.sandbox.script(
            server_error(500),
            network=network.value,
            when=lambda r: r.method == "GET" and len(on.live(network)) == 3,
        )
        served = post(on, network, BOT_PATIENCE="0s")
        assert (served.end, len(on.live(network))) == ("later", 3)
        assert take_back(on, network).end == "done"
        assert on.live(network) == []


def test_a_post_in_doubt_that_is_not_seen_is_waited_for(tmp_path: Path) -> None:
    with stage(tmp_path, XBehaviour(timeline_lag=timedelta(minutes=1))) as on:
        on.sandbox.script(
            CLOSED_AFTER,
            network="twitter",
            when=lambda request: publishes(request) and b"2602.10002" in request.body,
        )
        assert post(on, X, BOT_PATIENCE="0s").end == "later"
        assert take_back(on, X, BOT_PATIENCE="0s").end == "later"
        assert len(on.live(X)) == 3, "a reply was left without its parent"
        assert take_back(on, X).end == "done"
        assert on.live(X) == []


def in_doubt(on: Stage, fault: Fault) -> None:
    """The third post was tried, and nothing could be read afterwards."""
    on.sandbox.script(
        fault,
        network="twitter",
        when=lambda request: publishes(request) and b"2602.10002" in request.body,
    )
    on.sandbox.script(
        server_error(500),
        network="twitter",
        when=lambda r: r.method == "GET" and len(on.live(X)) >= 2,
        times=None,
    )
    assert post(on, X, BOT_PATIENCE="0s").end == "later"
    on.sandbox.mend()


def test_a_post_in_doubt_that_is_proven_absent_does_not_stop_it(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        in_doubt(on, CLOSED_BEFORE)
        before = on.clock.seconds
        served = take_back(on, X)
        assert (served.end, on.live(X)) == ("done", [])
        assert on.clock.seconds - before >= 120, "not absent before BOT_SETTLE"
        assert states(served) == {State.RETRACTED}


def test_a_post_in_doubt_for_a_day_is_for_a_person(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        in_doubt(on, CLOSED_BEFORE)
        on.clock.sleep(90000)
        served = take_back(on, X)
        assert (served.end, len(on.live(X))) == ("held", 2)
        assert "post 2 may be out: settle it first, with bot settle" in served.reason


def test_a_timeline_that_ends_too_early_is_not_taken_for_empty(tmp_path: Path) -> None:
    """With a lost ledger: what was not read may be out, so it is not said to be retracted."""
    with stage(tmp_path) as on:
        post(on, X)
        forget(on)
        for number in range(100):
            on.x.write(f"A person's own words, {number}")
        on.sandbox.script(
            ERRORS_ONLY, network="twitter", when=lambda request: "pagination" in request.query
        )
        served = take_back(on, X)
        assert served.end != "done", "it says done, and the thread is still there"
        on.sandbox.mend()


def test_a_plan_that_cannot_read_deletes_what_the_ledger_knows(tmp_path: Path) -> None:
    with stage(tmp_path, XBehaviour(unreadable=403)) as on:
        assert post(on, X, TWITTER_READ_BACK="off").end == "done"
        assert take_back(on, X, TWITTER_READ_BACK="off").end == "done"
        assert on.live(X) == []


def test_the_price_of_deleting_is_in_the_ledger(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        post(on, X)
        take_back(on, X)
        with on.service(on.settings([X])) as service:
            assert service.ledger.spent("twitter", month_of(on.clock.wall)) == on.x.spent


def test_the_ledger_or_the_source_must_know_the_digest(tmp_path: Path) -> None:
    with stage(tmp_path) as on:
        settings = on.settings([X], BOT_DIGESTS=str(tmp_path))
        with on.service(settings) as service, pytest.raises(NoDigest, match="1999-01-01"):
            app.known(settings, service.ledger, "1999-01-01", tmp_path)
