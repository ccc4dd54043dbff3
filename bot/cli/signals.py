"""How commands hear Ctrl-C, SIGTERM and SIGHUP: the page, a run by hand, and the worker."""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn

from bot.cli.common import echo

TOGETHER = 2.0
"""Seconds within which several SIGTERMs are one."""
LONGEST_STOP = 8.0
"""Seconds that a request in flight gets to end; what it did is found out at the next start."""

_OURS = (signal.SIGINT, signal.SIGTERM)
_ENDED_BY = 128
"""What a shell adds to a signal's number for the status of what it ended."""
_AT_ONCE = 0.001
_HANG_UP = getattr(signal, "SIGHUP", None)  # there is none on Windows
_ENDING = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, _HANG_UP)))


@contextmanager
def until_signal() -> Iterator[Callable[[], None]]:
    """Give what waits for Ctrl-C, SIGTERM or SIGHUP; the third of them ends the process at once.

    A terminal that is closed sends SIGHUP; who said `nohup` does not want it to be heard.

    The handler does nothing that takes a lock: another signal may come while it runs, and
    `threading.Event.set` would then wait for itself for ever.
    """
    asked: SimpleQueue[int] = SimpleQueue()
    seen: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        seen.append(number)
        asked.put(number)
        if len(seen) > 1:  # one Ctrl-C may arrive twice, through a shell and `timeout`
            signal.signal(number, signal.SIG_DFL)

    def wait() -> None:
        asked.get()

    before = {number: signal.getsignal(number) for number in _ENDING}
    if before.get(_HANG_UP) is signal.SIG_IGN:
        del before[_HANG_UP]
    for number in before:
        signal.signal(number, ask)
    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signal(stop: threading.Event) -> Iterator[None]:
    """Ask to stop at the first Ctrl-C or SIGTERM; the second ends the process at once.

    But SIGTERM counts once within two seconds: platforms send it to a process and to its group.
    """
    rings: SimpleQueue[int] = SimpleQueue()
    first: dict[int, float] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        # it may interrupt anything, even itself: so it only rings, and a thread does the rest
        del frame
        since = time.monotonic() - first.setdefault(number, time.monotonic())
        if number == signal.SIGINT or since > TOGETHER:
            signal.signal(number, signal.SIG_DFL)
        if since > TOGETHER:
            signal.raise_signal(number)
        rings.put(number)

    def wait() -> None:
        if rings.get():
            stop.set()
            echo("Stopping after the request in flight.", err=True)

    threading.Thread(target=wait, name="stopper", daemon=True).start()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        rings.put(0)
        for number, handler in before.items():
            signal.signal(number, handler)


class WorkerSignals:
    """Hears SIGTERM and Ctrl-C in a thread of its own, from before a worker is there to its end.

    The worker is told to stop, and the process ends soon after, come what may. A second signal of
    the same kind ends it at once; but SIGTERM counts once within two seconds.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._turn = threading.Lock()
        self._worker: tuple[Callable[[], None], Callable[[], None]] | None = None
        self.told = False

    @contextmanager
    def hearing_for(self, stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
        """Call `stop` at the first signal, and `leave` if it has to end with a request under way.

        One that came already counts.
        """
        with self._turn:
            self._worker = stop, leave
            told = self.told
        if told:
            stop()
        try:
            yield
        finally:
            with self._turn:
                self._worker = None

    def hear(self) -> None:
        """Do what signals ask for, until the wire is closed."""
        heard: dict[int, float] = {}
        until = math.inf
        while number := self._next(until):
            now = time.monotonic()
            if number in heard and (number == signal.SIGINT or now - heard[number] > TOGETHER):
                os._exit(_ENDED_BY + number)
            if not heard:
                until = time.monotonic() + LONGEST_STOP
                self._stop()
            heard.setdefault(number, now)

    def _next(self, until: float) -> int:
        """The next signal of ours; 0 where the process ends by itself."""
        while True:
            left = until - time.monotonic()
            self._wire.settimeout(None if left == math.inf else max(left, _AT_ONCE))
            try:
                told = self._wire.recv(1)
            except TimeoutError:
                self._leave()
            if not told or told[0] in _OURS:
                return told[0] if told else 0

    def _stop(self) -> None:
        with self._turn:
            self.told = True
            worker = self._worker
        if worker:
            worker[0]()

    def _leave(self) -> NoReturn:
        with self._turn:
            worker = self._worker
        if worker:
            worker[1]()
        os._exit(0)


@contextmanager
def worker_signals() -> Iterator[WorkerSignals]:
    """Hear signals whatever the main thread is at: it may sit in SQLite for ten seconds.

    Python calls a signal's handler on the main thread, between two of its own steps. But the number
    of the signal is written to a wire at once, on whatever thread it came
    (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """
    near, far = socket.socketpair()
    far.settimeout(0)
    ears = WorkerSignals(near)
    thread = threading.Thread(target=ears.hear, name="ears", daemon=True)
    thread.start()
    wire = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, _pass_by) for number in _OURS}
    try:
        yield ears
    finally:
        for number, handler in before.items():
            # one that comes while the process ends must not be what ends it
            signal.signal(number, signal.SIG_IGN if ears.told else handler)
        signal.set_wakeup_fd(wire)
        far.close()
        thread.join()
        near.close()


def _pass_by(number: int, frame: FrameType | None) -> None:
    """There is a handler, so that the signal does not end the process; it has nothing to do."""
    del number, frame
