"""Faults, crashes and clocks that jump, in any order: never doubled, lost or out of order.

Outside the law, on servers that neither keep keys nor refuse duplicates: what is carried out, or
shown, only after BOT_SETTLE. Nobody could tell such a post from one that was never sent.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.delivery.types import End
from bot.model import Network
from bot.sandbox.faults import (
    BAD_RESET,
    CLOSED_AFTER,
    CLOSED_BEFORE,
    EMPTY,
    JSON_LIST,
    NOT_JSON,
    RESET_AFTER,
    Commit,
    Fault,
    cut_body,
    later,
    server_error,
    slow,
    too_many,
)
from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, IdempotencyKeys, MastodonBehaviour
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from tests.helpers.fake_world import check_safe
from tests.helpers.fault_scenarios import NETWORKS, SETTLE, Crash, FaultScenario, fault_scenario
from tests.helpers.process_killed import ProcessKilled

pytestmark = pytest.mark.slow

X, M, SKY = NETWORKS


def crashes(network: Network) -> list[tuple[str, int]]:
    """Where a clean run can die: after each commit, before and after each request is answered."""
    with fault_scenario(network) as case:
        case.check(case.run())
        commits, requests = case.crash.commits, len(case.requests)
    return [
        *(("commit", at) for at in range(1, commits + 1)),
        *(("request", at) for at in range(1, requests + 1)),
        *(("answer", at) for at in range(1, requests + 1)),
    ]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_crash_at_every_commit_and_request(network: Network) -> None:
    points = crashes(network)
    requests = {X: 4, M: 8, SKY: 8}[network]
    assert len(points) >= 2 * requests + 3 * 3, "three posts, and three commits at least for each"
    for kind, at in points:
        with fault_scenario(network) as case:
            if kind != "commit":
                case.crash_at(CLOSED_BEFORE if kind == "request" else CLOSED_AFTER, at)
            with pytest.raises(ProcessKilled):
                case.run(Crash(at, after=True) if kind == "commit" else None)
            check_safe(case.live, case.thread)
            served = case.run_until_settled()
            case.check(served)
            assert served.end is End.DONE, (kind, at, served.reason)


LONGEST_LAG = 60.0
HELPFUL = tuple(replace(server, lag=timedelta(0)) for server in SERVERS)
KINDS: tuple[Fault, ...] = (
    *(CLOSED_BEFORE, CLOSED_AFTER, RESET_AFTER, NOT_JSON, EMPTY, JSON_LIST, BAD_RESET),
    *(cut_body(7), server_error(500), server_error(502, Commit.NOW), server_error(503)),
    *(slow(1.0), slow(600.0), later(CLOSED_BEFORE, 1.0), later(server_error(504), 30.0)),
    later(server_error(504), SETTLE.total_seconds() - LONGEST_LAG - 1),
)
HOURS = st.integers(-6, 6).map(lambda hours: timedelta(hours=hours))


class Deliveries(RuleBasedStateMachine):
    """One digest on one network, and all that can happen to it between two commands."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.world: FaultScenario | None = None

    @property
    def fault_scenario(self) -> FaultScenario:
        assert self.world is not None
        return self.world

    @initialize(
        network=st.sampled_from(NETWORKS),
        duplicates=st.sampled_from(Duplicates),
        server=st.sampled_from((*HELPFUL, replace(MASTODON, keys=IdempotencyKeys.IGNORED))),
        lag=st.sampled_from((0.0, 0.0, 10.0, LONGEST_LAG)),
        papers=st.integers(1, 2),
    )
    def begin(
        self,
        network: Network,
        duplicates: Duplicates,
        server: MastodonBehaviour,
        lag: float,
        papers: int,
    ) -> None:
        listed = timedelta(seconds=lag)
        x = XBehaviour(duplicates=duplicates, timeline_lag=listed)
        self.world = self.open.enter_context(
            fault_scenario(network, papers, x=x, mastodon=replace(server, lag=listed))
        )

    @rule(fault=st.sampled_from(KINDS), ahead=st.integers(1, 9))
    def fault(self, fault: Fault, ahead: int) -> None:
        self.fault_scenario.fault(fault, len(self.fault_scenario.requests) + ahead)

    @rule(minutes=st.sampled_from((None, 5, 30)), ahead=st.integers(1, 9))
    def limit(self, minutes: int | None, ahead: int) -> None:
        reset = None if minutes is None else timedelta(minutes=minutes)
        self.fault(too_many(self.fault_scenario.network, reset), ahead)

    @rule(at=st.integers(1, 24), after=st.booleans())
    def run_and_die_at_a_commit(self, at: int, after: bool) -> None:  # noqa: FBT001 - hypothesis
        self.run(Crash(at, after=after))

    @rule(ahead=st.integers(1, 9), answered=st.booleans())
    def run_and_die_at_a_request(self, ahead: int, answered: bool) -> None:  # noqa: FBT001 - (same)
        fault = CLOSED_AFTER if answered else CLOSED_BEFORE
        self.fault_scenario.crash_at(fault, len(self.fault_scenario.requests) + ahead)
        self.run(None)

    @rule(jumps=st.lists(HOURS, max_size=6))
    def run_while_the_clock_jumps(self, jumps: list[timedelta]) -> None:
        self.fault_scenario.jumps[:] = jumps
        self.run(None)

    @rule(ahead=HOURS)
    def set_the_clock(self, ahead: timedelta) -> None:
        self.fault_scenario.ahead = ahead

    @rule(seconds=st.sampled_from((1.0, 60.0, 3600.0)))
    def wait(self, seconds: float) -> None:
        self.fault_scenario.world.clock.sleep(seconds)

    def run(self, crash: Crash | None) -> None:
        try:
            served = self.fault_scenario.run(crash)
        except ProcessKilled:
            return
        self.fault_scenario.check(served)
        assert served.end in (End.DONE, End.LATER) or given_up(served.reason), served.reason

    @precondition(lambda self: self.world is not None)
    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        check_safe(self.fault_scenario.live, self.fault_scenario.thread)

    def teardown(self) -> None:
        try:
            if self.world is not None:
                self.finish()
        finally:
            self.open.close()

    def finish(self) -> None:
        """When nothing goes wrong any more, it is brought to its end."""
        self.fault_scenario.jumps.clear()
        self.fault_scenario.world.sandbox.fix()
        served = self.fault_scenario.run_until_settled()
        self.fault_scenario.check(served)
        assert served.end is End.DONE or given_up(served.reason), served.reason


def given_up(reason: str) -> bool:
    """A post that died with its process again and again is for a person to look at."""
    return "tried 5 times" in reason


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=40,
    stateful_step_count=8,
)
