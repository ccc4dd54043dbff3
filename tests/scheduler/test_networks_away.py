"""Networks that refuse, limit or are gone: how seldom the worker asks, and what it tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.model import Network, State
from bot.sandbox import faults
from bot.sandbox.bluesky import answers as sky_answers
from bot.sandbox.faults import CLOSED_BEFORE, refusal, too_many
from bot.sandbox.script import RequestRecord
from bot.sandbox.wire import Request, Response
from bot.sandbox.x.behaviour import XBehaviour
from bot.scheduler.run_once import LONGEST_REST
from tests.helpers.fake_world import FakeWorld, check_once, fake_world, is_publish
from tests.helpers.worker_world import (
    FakeHeartbeat,
    FakeOperator,
    WorkerWorld,
    later,
    publish,
    worker_settings,
    worker_world,
)

pytestmark = pytest.mark.slow  # a sweep: CI runs it

X, TOOTS, SKY = Network.TWITTER, Network.MASTODON, Network.BLUESKY
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HALF_AN_HOUR = timedelta(minutes=30)
LOGIN = "/xrpc/com.atproto.server.createSession"
ASKS_FOR_A_CODE = sky_answers.error(
    401, "AuthFactorTokenRequired", "A sign in code has been sent to your email address"
)
WRONG = {
    X: {"TWITTER_ACCESS_TOKEN_SECRET": "wrong"},
    TOOTS: {"MASTODON_ACCESS_TOKEN": "wrong"},
    SKY: {"BLUESKY_APP_PASSWORD": "wrong-wrong-wrong"},
}
each_network = pytest.mark.parametrize("network", [X, TOOTS, SKY], ids=str)


def keep_running(worker: WorkerWorld, long: timedelta) -> None:
    """A pass every half hour, and whenever the one before named a time."""
    clock = worker.world.clock
    end = clock.wall + long
    while clock.wall < end:
        wakes = worker.run()
        again = min([clock.wall + HALF_AN_HOUR, *wakes.values()])
        later(worker.world, max(again - clock.wall, timedelta(seconds=1)))


def logins(world: FakeWorld) -> int:
    return sum(record.path == LOGIN for record in world.sandbox.requests)


def is_login(request: Request) -> bool:
    return request.path == LOGIN


# A refused account rests -------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [True, False], ids=["a digest waits", "nothing to do"])
@pytest.mark.parametrize("answer", [None, ASKS_FOR_A_CODE], ids=["wrong password", "a code"])
def test_a_refused_login_is_tried_ever_more_seldom(
    tmp_path: Path, answer: Response | None, *, waiting: bool
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [SKY], **({} if answer else WRONG[SKY]))
        if answer:
            world.sandbox.script(refusal("a code", answer), when=is_login, times=None)
        if waiting:
            publish(world, 1)
        operator = FakeOperator()
        with worker_world(world, settings, operator) as worker:
            keep_running(worker, DAY)
            assert 4 <= logins(world) <= 10
            assert (operator.raised, operator.over) == (["refused:bluesky"], [])
            before = logins(world)
            keep_running(worker, 3 * DAY)
            assert logins(world) - before <= 4, "once a day at last"
            (line, *_) = worker.lines("account.refused")
            assert ("code by mail" in str(line["reason"])) == bool(answer)


@each_network
def test_a_refused_account_is_asked_seldom_on_every_network(
    tmp_path: Path, network: Network
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [network], **WRONG[network])
        publish(world, 1)
        world.add_history(settings)
        with worker_world(world, settings) as worker:
            keep_running(worker, DAY)
        assert 4 <= len(world.sandbox.requests) <= 10


@each_network
def test_while_a_refused_account_rests_it_is_still_told_to_be_refused(
    tmp_path: Path, network: Network
) -> None:
    """Nobody says that all is well because nothing was tried."""
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [network], **WRONG[network])
        publish(world, 1)
        world.add_history(settings)
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            asked = len(world.sandbox.requests)
            later(world, timedelta(minutes=5))
            worker.run()
            assert len(world.sandbox.requests) == asked, "it did not rest"
            (health,) = worker.watch.snapshot().accounts
            assert health.able is False
            assert health.reason
            assert health.fix
            last = worker.lines("pass.ended")[-1]
            assert (last["good"], heartbeat.beats) == (False, [False, False])
            assert last["reason"]
        assert (operator.raised, operator.over) == ([f"refused:{network}"], [])


def test_a_refused_account_is_tried_at_once_at_a_new_start(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [SKY], **WRONG[SKY])
        for start in range(1, 4):
            with worker_world(world, settings) as worker:
                worker.run()
                later(world, timedelta(minutes=1))
                worker.run()
            assert logins(world) == start


def test_a_refused_account_is_tried_at_once_with_other_settings(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        wrong, right = worker_settings(world, [SKY], **WRONG[SKY]), worker_settings(world, [SKY])
        source = publish(world, 1)
        operator = FakeOperator()
        with worker_world(world, wrong, operator) as worker:
            keep_running(worker, 6 * HOUR)
        before = logins(world)
        with worker_world(world, right, operator) as worker:
            worker.passes._started.add("bluesky")  # so that it is not for being a new start
            worker.run()
        assert logins(world) == before + 1
        assert (operator.raised, operator.over) == (["refused:bluesky"], ["refused:bluesky"])
        check_once(world.live(SKY), world.planned(source, right)[SKY])


def test_an_account_that_is_taken_again_goes_on_within_a_day_by_itself(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [SKY])
        code = [True]
        world.sandbox.script(
            refusal("a code", ASKS_FOR_A_CODE),
            when=lambda request: is_login(request) and code[0],
            times=None,
        )
        source, operator = publish(world, 1), FakeOperator()
        with worker_world(world, settings, operator) as worker:
            keep_running(worker, 20 * HOUR)
            code[0] = False
            assert world.live(SKY) == []
            keep_running(worker, LONGEST_REST)
        assert operator.over == ["refused:bluesky"]
        check_once(world.live(SKY), world.planned(source, settings)[SKY])


@pytest.mark.parametrize("waiting", [True, False], ids=["a digest waits", "nothing to do"])
def test_a_limited_login_is_not_asked_before_its_time_by_any_process(
    tmp_path: Path, *, waiting: bool
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [SKY])
        if waiting:
            publish(world, 1)
        world.sandbox.script(too_many(SKY, 5 * HOUR), when=is_login)
        operator = FakeOperator()
        with worker_world(world, settings, operator) as worker:
            keep_running(worker, 2 * HOUR)
            assert logins(world) == 1
        for _ in range(3):  # each a new process on the same ledger
            with worker_world(world, settings, operator) as worker:
                keep_running(worker, HALF_AN_HOUR)
            assert logins(world) == 1
        with worker_world(world, settings, operator) as worker:
            keep_running(worker, HOUR)
            assert logins(world) == 1
            keep_running(worker, HOUR)
            assert logins(world) == 2
        assert operator.raised == []
        assert len(world.live(SKY)) == (4 if waiting else 0)


def test_a_login_that_is_limited_in_the_middle_of_a_thread_is_kept_too(tmp_path: Path) -> None:
    """The session ends, the next login is limited: whoever runs next knows of it."""
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [SKY])
        source = publish(world, 1)
        ended = [False]

        def decide(record: RequestRecord) -> faults.Fault | None:
            if not ended[0]:
                if is_publish(record.request) and b"2602.10010" in record.body:
                    ended[0] = True
                    return refusal("expired", sky_answers.EXPIRED)
                return None
            if record.path.endswith("refreshSession"):
                return refusal("revoked", sky_answers.REVOKED)
            return too_many(SKY, 5 * HOUR) if is_login(record.request) and ended[0] else None

        world.sandbox.decide(decide)
        with worker_world(world, settings) as worker:
            keep_running(worker, HALF_AN_HOUR)
        tried = logins(world)
        assert tried <= 2, "once to begin with, and once refused"
        for _ in range(2):
            with worker_world(world, settings) as worker:
                keep_running(worker, HALF_AN_HOUR)
        assert logins(world) == tried
        world.sandbox.fix()
        later(world, 5 * HOUR)
        with worker_world(world, settings) as worker:
            keep_running(worker, HALF_AN_HOUR)
        check_once(world.live(SKY), world.planned(source, settings)[SKY])


# Networks that are gone --------------------------------------------------------------------------


@contextmanager
def gone(world: FakeWorld, networks: Sequence[Network]) -> Iterator[None]:
    """In the block these networks refuse every connection."""
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(world.sandbox.down(network.value))
        yield


def known(world: FakeWorld, worker: WorkerWorld, heartbeat: FakeHeartbeat) -> None:
    """A first digest goes out, so that every account is known."""
    publish(world, 1)
    worker.run()
    assert heartbeat.beats == [True]
    heartbeat.beats.clear()
    later(world, DAY)


def last_pass(worker: WorkerWorld) -> tuple[object, str]:
    line = worker.lines("pass.ended")[-1]
    return line["good"], str(line.get("reason", ""))


EVERY = ([TOOTS], [SKY], [X], [TOOTS, SKY])


@pytest.mark.parametrize("networks", EVERY, ids="+".join)
@pytest.mark.parametrize("met", [False, True], ids=["never met", "known"])
@pytest.mark.parametrize("waiting", [True, False], ids=["a digest waits", "nothing to do"])
def test_a_pass_that_reaches_no_network_is_a_bad_one_and_says_why(
    tmp_path: Path, networks: list[Network], *, met: bool, waiting: bool
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, networks)
        world.add_history(settings)
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        with worker_world(world, settings, operator, heartbeat) as worker:
            if met:
                known(world, worker, heartbeat)
            if waiting:
                publish(world, 2)
            with gone(world, networks):
                worker.run()
            assert heartbeat.beats == [False]
            good, reason = last_pass(worker)
            assert good is False
            assert "the connection is refused" in reason
            assert operator.raised == [], "it may be over in a moment"


@pytest.mark.parametrize("met", [False, True], ids=["never met", "known"])
def test_a_pass_that_reaches_one_of_two_networks_is_a_good_one(
    tmp_path: Path, *, met: bool
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS, SKY])
        heartbeat = FakeHeartbeat()
        with worker_world(world, settings, None, heartbeat) as worker:
            if met:
                known(world, worker, heartbeat)
            source = publish(world, 2)
            with gone(world, [TOOTS]):
                worker.run()
            assert (heartbeat.beats, last_pass(worker)) == ([True], (True, ""))
        check_once(world.live(SKY)[-4:], world.planned(source, settings)[SKY])


@each_network
@pytest.mark.parametrize("begun", [False, True], ids=["before the opening", "in the middle"])
def test_a_network_that_is_gone_for_hours_is_told_of_and_is_over_once_it_is_back(
    tmp_path: Path, network: Network, *, begun: bool
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [network])
        world.add_history(settings)
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        with worker_world(world, settings, operator, heartbeat) as worker:
            known(world, worker, heartbeat)
            source = publish(world, 2)
            if begun:
                world.sandbox.script(
                    too_many(network, HALF_AN_HOUR),
                    network=network.value,
                    when=lambda request: is_publish(request) and b"2602.10020" in request.body,
                )
                worker.run()
                assert len(world.live(network)) == 5
                heartbeat.beats.clear()
                later(world, HALF_AN_HOUR)
            with gone(world, [network]):
                keep_running(worker, 3 * HOUR)
            assert operator.raised == [f"silent:{network}"]
            assert set(heartbeat.beats) == {False}
            keep_running(worker, 2 * HOUR)
            assert operator.over == [f"silent:{network}"]
            assert heartbeat.beats[-1] is True
        check_once(world.live(network)[4:], world.planned(source, settings)[network])


def test_an_account_without_credits_is_told_of_and_goes_on_once_there_are_some(
    tmp_path: Path,
) -> None:
    """Nobody says when there will be some, and a person has to buy them."""
    with fake_world(tmp_path, XBehaviour(credits=Decimal("0.20"))) as world:
        settings = worker_settings(world, [X])
        world.add_history(settings)
        source, operator = publish(world, 1), FakeOperator()
        with worker_world(world, settings, operator) as worker:
            keep_running(worker, DAY)
            (thread,) = worker.ledger.threads("twitter", unfinished=True)
            assert {post.state for post in thread.posts} <= {State.SENT, State.PLANNED}
            assert len(world.sandbox.requests) <= 60, "it hammers"
            told = list(operator.raised)
            world.x.behaviour = XBehaviour()
            keep_running(worker, 2 * HOUR)
            check_once(world.live(X), world.planned(source, settings)[X])
        assert len(told) == 1
        assert operator.over == told


# What a stop broke off ---------------------------------------------------------------------------


def test_what_a_stop_broke_off_while_it_was_settled_raises_no_alert(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        source = publish(world, 1)
        tried = [False]

        def decide(record: RequestRecord) -> faults.Fault | None:
            if is_publish(record.request) and b"2602.10010" in record.body and not tried[0]:
                tried[0] = True
                return CLOSED_BEFORE
            world.stop = tried[0]  # SIGTERM, while a read looks for what became of it
            return None

        world.sandbox.decide(decide)
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            assert world.stop
            (thread,) = worker.ledger.threads("mastodon", unfinished=True)
            assert State.UNKNOWN in {post.state for post in thread.posts}
            assert worker.lines("trouble.raised") == []
            assert worker.ledger.problems() == ()
        assert (operator.raised, heartbeat.beats) == ([], [])
        world.sandbox.fix()
        world.stop = False
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
        assert (operator.raised, heartbeat.beats) == ([], [True])
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_what_was_told_before_is_not_said_to_be_over_by_a_stop(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [SKY], **WRONG[SKY])
        operator = FakeOperator()
        with worker_world(world, settings, operator) as worker:
            worker.run()
            world.stop = True
            worker.run()
            world.stop = False
        assert (operator.raised, operator.over) == (["refused:bluesky"], [])
