"""The worker: rung for, it makes a pass; told to stop, it ends. It runs for months.

The main thread makes the passes. The timer, the server on PORT and the accounts of a pass have
threads of their own, and none of them does anything but its own work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.scheduler.reporter import Reporter
from bot.scheduler.run_once import EVERYBODY, Runner
from bot.scheduler.timer import Due, Timer

LONGEST_WAIT = 60.0
"""Seconds after which the main thread looks around, though nobody rang."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What keeps going: `due` is rung by the timer, `passes` does the work, `reporter` tell of it.

    `run` returns soon after `stop` was called; `leave` says that it did not.
    """

    passes: Runner
    timer: Timer
    due: Due
    reporter: Reporter
    stopping: Callable[[], bool]
    stop: Callable[[], None]
    leave: Callable[[], None]

    def run(self) -> None:
        """One pass at once, then one whenever it is due, until it is to stop.

        Returns also where the ledger is not the one any more that it was begun with.
        """
        self.due.ring(EVERYBODY)
        while not (self.stopping() or self.passes.lost):
            names = self.due.wait(LONGEST_WAIT)
            if names and not self.stopping():
                self._pass(names)

    def _pass(self, names: frozenset[str]) -> None:
        wakes = self.passes.run(names)
        for name, moment in wakes.items():
            self.timer.at(moment, name)
        self.reporter.next_run(self._next())

    def _next(self) -> datetime | None:
        return self.timer.next_run()
