"""A worker that reports to a `WorkerState` as the real one does, on clocks that a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.monitoring.worker_state import WorkerState

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class FakeClocks:
    """A wall clock that can be set, and a monotonic clock."""

    at: datetime = NOON
    seconds: float = 1_000.0

    def wall(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Move both clocks."""
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back."""
        self.at += timedelta(seconds=seconds)

    def watch(self) -> WorkerState:
        return WorkerState(self.wall, self.monotonic)


class WatchedWorker:
    """A worker whose timer ticks unless a test stops it."""

    def __init__(self) -> None:
        self.clocks = FakeClocks()
        self.watch = self.clocks.watch()

    def advance(self, minutes: float, *, ticking: bool = True) -> None:
        """Move the clocks, with a tick each half minute."""
        for _ in range(int(minutes * 2)):
            self.clocks.advance(30)
            if ticking:
                self.watch.ticked()

    def run_pass(self, *, good: bool = True, reason: str = "") -> None:
        """A pass of a minute; the next is due half an hour after it."""
        self.watch.begun(["twitter"])
        self.advance(1)
        self.watch.ended(good=good, reason=reason)
        self.watch.next_run(self.clocks.at + timedelta(minutes=30))
