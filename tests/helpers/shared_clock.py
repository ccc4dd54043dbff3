"""A simulated clock for several senders: one runs until it waits, then the next that wakes up."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from tests.helpers.fake_world import MORNING, FakeClock

T = TypeVar("T")


class SharedClock(FakeClock):
    """Simulated time in which senders of several threads take turns.

    While `run` is under way, waiting hands the turn to the sender that wakes up first; the clock
    moves to the time at which that is. Outside of `run` it is a FakeClock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin = self.seconds
        self._waking: list[tuple[float, int, threading.Event]] = []
        self._waits = threading.Semaphore(0)
        self._count = 0
        self._running = False

    def run(self, senders: Sequence[tuple[float, Callable[[], T]]]) -> list[T]:
        """Start each sender so many seconds from now, and return what they returned, in order."""
        ends: dict[int, T] = {}
        errors: list[BaseException] = []
        now, left = self.seconds, len(senders)

        def work(number: int, seconds: float, sender: Callable[[], T]) -> None:
            nonlocal left
            self._wait_until(now + seconds)
            try:
                ends[number] = sender()
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)
            left -= 1
            self._waits.release()

        self._running = True
        for number, (seconds, sender) in enumerate(senders):
            threading.Thread(target=work, args=(number, seconds, sender), daemon=True).start()
            self._waits.acquire()
        while left:
            at, _, wake = heapq.heappop(self._waking)
            self.seconds = max(self.seconds, at)
            self.wall = MORNING + timedelta(seconds=self.seconds - self._begin)
            wake.set()
            self._waits.acquire()
        self._running = False
        if errors:
            raise errors[0]
        return [ends[number] for number in range(len(senders))]

    def sleep(self, seconds: float) -> None:
        if self._running:
            self._wait_until(self.seconds + seconds)
        else:
            super().sleep(seconds)

    def _wait_until(self, at: float) -> None:
        wake = threading.Event()
        self._count += 1
        heapq.heappush(self._waking, (at, self._count, wake))
        self._waits.release()
        wake.wait()
