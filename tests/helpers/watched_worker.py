"""A worker whose time a test moves, and that tells how it is as the real one does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.worker.watching.watch import Watch

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Clocks:
    """A wall clock, which somebody may set, and one that only goes on."""

    at: datetime = NOON
    seconds: float = 1_000.0

    def wall(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def go(self, seconds: float) -> None:
        """Time goes by."""
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds

    def put(self, seconds: float) -> None:
        """Somebody sets the wall clock, forward or back."""
        self.at += timedelta(seconds=seconds)

    def watch(self) -> Watch:
        return Watch(self.wall, self.monotonic)


class Life:
    """A worker whose timer ticks unless it is wedged."""

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.watch = self.clocks.watch()

    def go(self, minutes: float, *, ticking: bool = True) -> None:
        """Time goes by, a tick each half minute."""
        for _ in range(int(minutes * 2)):
            self.clocks.go(30)
            if ticking:
                self.watch.ticked()

    def make_a_pass(self, *, good: bool = True, reason: str = "") -> None:
        """A pass of a minute; the next is due half an hour after it."""
        self.watch.begun(["twitter"])
        self.go(1)
        self.watch.ended(good=good, reason=reason)
        self.watch.next_run(self.clocks.at + timedelta(minutes=30))
