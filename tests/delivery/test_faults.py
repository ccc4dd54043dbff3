"""Every fault at every request, singly and in pairs: nothing lost, doubled or out of order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.delivery.types import End
from bot.model import Network
from bot.output import progress
from bot.sandbox.bluesky.answers import REFUSALS as SKY_REFUSALS
from bot.sandbox.faults import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    HUNG_AFTER,
    HUNG_BEFORE,
    Commit,
    Fault,
    every,
    later,
    refusal,
    server_error,
    slow,
    too_many,
)
from bot.sandbox.mastodon.answers import REFUSALS as MASTODON_REFUSALS
from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, IdempotencyKeys, MastodonBehaviour
from bot.sandbox.script import RequestRecord
from bot.sandbox.x.answers import REFUSALS as X_REFUSALS
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from tests.helpers.fake_world import is_publish
from tests.helpers.fault_scenarios import NETWORKS, SETTLE, FaultScenario, fault_scenario
from tests.helpers.short_timeout import short_timeout

pytestmark = pytest.mark.slow

X, M, SKY = NETWORKS
LAG = timedelta(minutes=5)
"""Longer than anybody settles: what was published is taken for absent."""

REQUESTS: Mapping[Network, tuple[tuple[str, str], ...]] = {
    X: (
        *(("look", "GET"), ("opening", "POST"), ("second look", "GET")),
        *(("reply", "POST"), ("reply", "POST")),
    ),
    M: (
        *(("who", "GET"), ("application", "GET"), ("instance", "GET"), ("look", "GET")),
        *(("opening", "POST"), ("second look", "GET")),
        *(("reply", "POST"), ("reply", "POST"), ("check", "GET")),
    ),
    SKY: (
        *(("login", "POST"), ("who", "GET"), ("look", "GET")),
        *(("opening", "POST"), ("reply", "POST"), ("reply", "POST")),
        *(("check", "GET"), ("check", "GET")),
    ),
}
"""What a clean run of the shortest thread asks, by a new ledger."""

_MOVED = {"301 redirect", "308 redirect"}
_X_REFUSED = {"400 invalid", "400 parent", "403 generic", "403 reply rule", "403 parent"}
_M_REFUSED = {"404", "404 parent", "422 length", "422 media"}
_M_TOKEN = {"401", "403 scope"}
_SKY_400 = {name for name in SKY_REFUSALS if name.startswith("400")}
_SKY_FINAL = {"401 no login", "401 takedown", "401 deactivated", "403 account"}
_SKY_REFUSED = {"400 invalid", "400 blob", "413"}
STOPS: Mapping[tuple[Network, str], Mapping[End, set[str]]] = {
    (X, "look"): {
        End.FAILED: {"401"},
        End.WRONG: _MOVED,
        End.HELD: {"403 generic", "403 duplicate", "403 reply rule", "403 parent"},
    },
    (X, "second look"): {
        End.FAILED: {"401"},
        End.WRONG: _MOVED,
        End.HELD: {"403 generic", "403 duplicate", "403 reply rule", "403 parent"},
    },
    (X, "opening"): {End.FAILED: {"401"}, End.WRONG: {"404", *_MOVED}, End.HELD: _X_REFUSED},
    (X, "reply"): {End.FAILED: {"401"}, End.WRONG: _MOVED, End.HELD: {"404", *_X_REFUSED}},
    # snac2 says 422 to a token that it does not know
    (M, "who"): {
        End.FAILED: {*_M_TOKEN, "422 length", "422 media"},
        End.WRONG: {"404", "404 parent", *_MOVED},
    },
    (M, "look"): {End.FAILED: _M_TOKEN, End.WRONG: _MOVED},
    (M, "second look"): {End.FAILED: _M_TOKEN, End.WRONG: _MOVED},
    (M, "opening"): {End.FAILED: _M_TOKEN, End.WRONG: _MOVED, End.HELD: _M_REFUSED},
    (M, "reply"): {End.FAILED: _M_TOKEN, End.WRONG: _MOVED, End.HELD: _M_REFUSED},
    (M, "check"): {End.FAILED: _M_TOKEN, End.WRONG: _MOVED},
    (SKY, "login"): {End.FAILED: {*_SKY_400, "401 no token", *_SKY_FINAL}, End.WRONG: _MOVED},
    (SKY, "who"): {End.FAILED: _SKY_FINAL, End.WRONG: _MOVED},
    (SKY, "look"): {End.FAILED: _SKY_FINAL, End.WRONG: _MOVED},
    (SKY, "opening"): {End.FAILED: _SKY_FINAL, End.WRONG: _MOVED, End.HELD: _SKY_REFUSED},
    (SKY, "reply"): {End.FAILED: _SKY_FINAL, End.WRONG: _MOVED, End.HELD: _SKY_REFUSED},
    (SKY, "check"): {End.FAILED: _SKY_FINAL, End.WRONG: _MOVED},
}
"""All that may stop a thread for a person: the fault, and what it struck. The rest is survived."""


def expected(network: Network, kind: str, fault: Fault) -> End:
    ends = STOPS.get((network, kind), {})
    return next((end for end, names in ends.items() if fault.name in names), End.DONE)


def positions(network: Network, *kinds: str) -> list[int]:
    asked = REQUESTS[network]
    return [at for at, (kind, _) in enumerate(asked, 1) if kind in kinds]


def sends(network: Network) -> list[int]:
    return positions(network, "opening", "reply")


@pytest.mark.parametrize("network", NETWORKS)
def test_a_clean_run_asks_what_the_sweep_goes_through(network: Network) -> None:
    with fault_scenario(network) as case:
        case.check(case.run())
        asked = [record.method for record in case.requests]
        assert asked == [method for _, method in REQUESTS[network]]
        assert len(case.live) == 3


@pytest.mark.parametrize(
    ("network", "fault"),
    [(n, fault) for n in NETWORKS for fault in (*every(n), slow(600.0))],
    ids=lambda value: value.name if isinstance(value, Fault) else str(value),
)
def test_every_fault_at_every_request(network: Network, fault: Fault) -> None:
    ends = []
    for at, (kind, _) in enumerate(REQUESTS[network], 1):
        with fault_scenario(network) as case:
            case.fault(fault, at)
            served = case.run_until_settled()
            case.check(served)
            ends.append((at, kind, served.end))
            _check_stopped(case, served.end)
    wanted = [(a, k, expected(network, k, fault)) for a, (k, _) in enumerate(REQUESTS[network], 1)]
    assert ends == wanted


def _check_stopped(case: FaultScenario, end: End) -> None:
    """What failed goes on once it is mended; what is held waits for a person, and sends nothing."""
    if end is End.DONE:
        return
    sent = case.posts_made
    again = case.run_until_settled()
    case.check(again)
    if end in (End.FAILED, End.WRONG):
        assert again.end is End.DONE, again.reason
        return
    assert again.end is End.HELD
    assert case.posts_made == sent
    (_, next_step) = progress.outcome([again])
    assert "bot settle" in next_step


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("fault", [HUNG_BEFORE, HUNG_AFTER], ids=lambda fault: fault.name)
def test_an_answer_that_never_comes(network: Network, fault: Fault) -> None:
    for at in sends(network)[:2]:
        with (
            fault_scenario(network) as case,
            short_timeout(lambda case=case, at=at: len(case.requests) + 1 == at),  # type: ignore[misc]
        ):
            case.fault(fault, at)
            served = case.run_until_settled()
            case.check(served)
            assert served.end is End.DONE, served.reason


LATE = (1.0, SETTLE.total_seconds() / 2, SETTLE.total_seconds() - 1)
UNHELPFUL = (
    pytest.param(X, XBehaviour(), MASTODON, id="X"),
    pytest.param(X, XBehaviour(duplicates=Duplicates.NONE), MASTODON, id="X takes duplicates"),
    pytest.param(M, None, MASTODON, id="Mastodon"),
    pytest.param(
        M, None, replace(MASTODON, keys=IdempotencyKeys.IGNORED), id="Mastodon ignores keys"
    ),
    pytest.param(SKY, None, MASTODON, id="Bluesky"),
)


@pytest.mark.parametrize(("network", "x", "mastodon"), UNHELPFUL)
@pytest.mark.parametrize("seconds", LATE)
def test_what_a_gateway_gave_up_is_carried_out_later(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, seconds: float
) -> None:
    for fault in (server_error(504), CLOSED_BEFORE):
        for at in sends(network):
            with fault_scenario(network, x=x, mastodon=mastodon) as case:
                case.fault(later(fault, seconds), at)
                served = case.run_until_settled()
                case.check(served)
                assert served.end is End.DONE, served.reason


_REFUSALS = {X: X_REFUSALS, M: MASTODON_REFUSALS, SKY: SKY_REFUSALS}
_TWO_REFUSALS = {
    X: ("403 generic", "403 duplicate"),
    M: ("422 length", "401"),
    SKY: ("400 swap", "400 expired"),
}


def _kinds(network: Network) -> tuple[Fault, ...]:
    refusals, names = _REFUSALS[network], _TWO_REFUSALS[network]
    return (
        *(CLOSED_BEFORE, CLOSED_AFTER, server_error(503), later(server_error(504), 60)),
        *(too_many(network, timedelta(minutes=5)), *(refusal(n, refusals[n]) for n in names)),
    )


def _final(case: FaultScenario, second: int) -> set[str]:
    """What may end a thread; a read that is refused with 403 does, whatever it says."""
    refused = {"403 generic", "422 length", "401"}
    read = [record.method for record in case.requests[second - 1 : second]] == ["GET"]
    return refused | {"403 duplicate"} if read else refused


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("first", range(7))
def test_every_pair_of_kinds_at_a_post_and_what_follows(network: Network, first: int) -> None:
    one = _kinds(network)[first]
    for two in _kinds(network):
        for at in sends(network)[:2]:
            with fault_scenario(network) as case:
                case.fault(one, at)
                case.fault(two, at + 1)
                served = case.run_until_settled()
                case.check(served)
                if not {one.name, two.name} & _final(case, at + 1):
                    assert served.end is End.DONE, (one.name, two.name, at, served.reason)


REFUSED_LATER = (
    *((X, refusal(name, X_REFUSALS[name])) for name in ("403 generic", "403 duplicate")),
    (X, too_many(X, timedelta(minutes=5))),
    *((M, refusal(name, MASTODON_REFUSALS[name])) for name in ("403 scope", "422 length")),
    (M, too_many(M, timedelta(minutes=5))),
)


@pytest.mark.parametrize(
    ("network", "fault"), REFUSED_LATER, ids=lambda v: v.name if isinstance(v, Fault) else str(v)
)
def test_a_try_whose_outcome_is_unknown_and_then_a_refusal(network: Network, fault: Fault) -> None:
    """It was published behind a 504, and is listed only after the second try was refused."""
    x, mastodon = XBehaviour(timeline_lag=LAG), replace(MASTODON, lag=LAG)
    for at in sends(network):
        with fault_scenario(network, x=x, mastodon=mastodon) as case:
            case.fault(later(server_error(504), 1), at)
            refused = _next_post(case, at, fault)
            served = case.run_until_settled()
            assert refused
            case.check(served)
            assert served.end is expected(network, "opening", fault)
            _check_stopped(case, served.end)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_that_knows_the_post_is_the_second_net(network: Network) -> None:
    """Taken for absent and sent again: a key or a duplicate's refusal leads to the one there is."""
    x, mastodon = (
        XBehaviour(timeline_lag=LAG),
        replace(MASTODON, lag=LAG, keys=IdempotencyKeys.FAILS),
    )
    for at in sends(network):
        with fault_scenario(network, x=x, mastodon=mastodon) as case:
            case.fault(server_error(504, Commit.NOW), at)
            served = case.run_until_settled()
            case.check(served)
            assert served.end is End.DONE, served.reason


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.version)
@pytest.mark.parametrize(
    "fault",
    [CLOSED_BEFORE, CLOSED_AFTER, server_error(503), later(server_error(504), 60)],
    ids=lambda fault: fault.name,
)
def test_each_server_with_this_api(server: MastodonBehaviour, fault: Fault) -> None:
    with fault_scenario(M, mastodon=server) as clean:
        clean.check(clean.run())
        asked = [record.number for record in clean.requests if is_publish(record.request)]
    for at in asked:
        with fault_scenario(M, mastodon=server) as case:
            case.fault(fault, at)
            served = case.run_until_settled()
            case.check(served)
            assert served.end is End.DONE, served.reason


@pytest.mark.parametrize("network", NETWORKS)
def test_a_post_that_never_works_is_tried_ever_more_seldom_and_never_held(
    network: Network,
) -> None:
    """An outage of a day in which reads work: what is proven absent needs no person."""
    with fault_scenario(network) as case:
        outage = [server_error(503)]
        case.world.sandbox.decide(
            lambda record: outage[0] if outage and is_publish(record.request) else None
        )
        clock, tries = case.world.clock, list[float]()
        end = clock.seconds + 24 * 3600.0
        while clock.seconds < end:
            served = case.run()
            assert served.end is End.LATER, served.reason
            tries.append(case.posts_made)
            assert served.until
            clock.sleep(max(1.0, (served.until - clock()).total_seconds()))
        assert 24 <= case.posts_made <= 36
        assert case.live == []
        outage.clear()
        served = case.run_until_settled()
        assert served.end is End.DONE
        case.check(served)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_post_that_is_unknown_for_a_day_is_held(network: Network) -> None:
    """Each read fails, each run gives up, and none sends again what may be out."""
    with fault_scenario(network) as case:
        first = sends(network)[0]
        case.fault(CLOSED_AFTER, first)
        case.world.sandbox.decide(
            lambda record: server_error(503) if record.number > first else None
        )
        ends = []
        for _ in range(14):
            served = case.run()
            ends.append(served.end)
            case.world.clock.sleep(2 * 3600.0)
        assert ends[0] is End.LATER
        assert ends[-1] is End.HELD
        assert "unknown for" in served.reason
        case.check(served)
        assert case.posts_made == 1


def _next_post(case: FaultScenario, at: int, fault: Fault) -> list[int]:
    """Let the first post after the `at`-th request go wrong; the list tells which that was."""
    struck: list[int] = []

    def decide(record: RequestRecord) -> Fault | None:
        if struck or record.number <= at or not is_publish(record.request):
            return None
        struck.append(record.number)
        return fault

    case.world.sandbox.decide(decide)
    return struck


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("begun", ["0x1.fe50000000001p+13", "0x1.f400000000001p+11"])
def test_a_wait_that_is_less_than_a_clock_can_show_comes_to_its_end(
    network: Network, begun: str
) -> None:
    """Fractions of seconds leave half of the last figure: added to the time, it changes nothing."""
    with fault_scenario(network) as case:
        case.world.clock.seconds = float.fromhex(begun)
        case.fault(CLOSED_BEFORE, REQUESTS[network].index(("opening", "POST")) + 1)
        served = case.run_until_settled()
        case.check(served)
        assert served.end is End.DONE, served.reason
