"""Faults, crashes and clocks that jump, in any order: never doubled, lost or out of order.

Outside the law, on servers that neither keep keys nor refuse duplicates: what is carried out, or
shown, only after BOT_SETTLE. Nobody could tell such a post from one that was never sent.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from faultplay import NETWORKS, SETTLE, Crash, Death, Play, play
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stage import check_safe

from bot.delivery.terms import End
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
from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, Keys, MastodonBehaviour
from bot.sandbox.x.behaviour import Duplicates, XBehaviour

X, M, SKY = NETWORKS


def crashes(network: Network) -> list[tuple[str, int]]:
    """Where a clean run can die: after each commit, before and after each request is answered."""
    with play(network) as on:
        on.check(on.run())
        commits, requests = on.death.commits, len(on.requests)
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
        with play(network) as on:
            if kind != "commit":
                on.dies_with(CLOSED_BEFORE if kind == "request" else CLOSED_AFTER, at)
            with pytest.raises(Crash):
                on.run(Death(at, after=True) if kind == "commit" else None)
            check_safe(on.live, on.thread)
            served = on.until_settled()
            on.check(served)
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
        self.on: Play | None = None

    @property
    def play(self) -> Play:
        assert self.on is not None
        return self.on

    @initialize(
        network=st.sampled_from(NETWORKS),
        duplicates=st.sampled_from(Duplicates),
        server=st.sampled_from((*HELPFUL, replace(MASTODON, keys=Keys.IGNORED))),
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
        self.on = self.open.enter_context(
            play(network, papers, x=x, mastodon=replace(server, lag=listed))
        )

    @rule(fault=st.sampled_from(KINDS), ahead=st.integers(1, 9))
    def fault(self, fault: Fault, ahead: int) -> None:
        self.play.fault(fault, len(self.play.requests) + ahead)

    @rule(minutes=st.sampled_from((None, 5, 30)), ahead=st.integers(1, 9))
    def limit(self, minutes: int | None, ahead: int) -> None:
        reset = None if minutes is None else timedelta(minutes=minutes)
        self.fault(too_many(self.play.network, reset), ahead)

    @rule(at=st.integers(1, 24), after=st.booleans())
    def run_and_die_at_a_commit(self, at: int, after: bool) -> None:  # noqa: FBT001 - hypothesis
        self.run(Death(at, after=after))

    @rule(ahead=st.integers(1, 9), answered=st.booleans())
    def run_and_die_at_a_request(self, ahead: int, answered: bool) -> None:  # noqa: FBT001 - (same)
        fault = CLOSED_AFTER if answered else CLOSED_BEFORE
        self.play.dies_with(fault, len(self.play.requests) + ahead)
        self.run(None)

    @rule(jumps=st.lists(HOURS, max_size=6))
    def run_while_the_clock_jumps(self, jumps: list[timedelta]) -> None:
        self.play.jumps[:] = jumps
        self.run(None)

    @rule(ahead=HOURS)
    def set_the_clock(self, ahead: timedelta) -> None:
        self.play.ahead = ahead

    @rule(seconds=st.sampled_from((1.0, 60.0, 3600.0)))
    def wait(self, seconds: float) -> None:
        self.play.on.clock.sleep(seconds)

    def run(self, death: Death | None) -> None:
        try:
            served = self.play.run(death)
        except Crash:
            return
        self.play.check(served)
        assert served.end in (End.DONE, End.LATER) or given_up(served.reason), served.reason

    @precondition(lambda self: self.on is not None)
    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        check_safe(self.play.live, self.play.thread)

    def teardown(self) -> None:
        try:
            if self.on is not None:
                self.finish()
        finally:
            self.open.close()

    def finish(self) -> None:
        """When nothing goes wrong any more, it is brought to its end."""
        self.play.jumps.clear()
        self.play.on.sandbox.mend()
        served = self.play.until_settled()
        self.play.check(served)
        assert served.end is End.DONE or given_up(served.reason), served.reason


def given_up(reason: str) -> bool:
    """A post that died with its process again and again is for a person to look at."""
    return "tried 5 times" in reason


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=40,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
