"""Handle Ctrl-C, SIGTERM and SIGHUP for served pages, for single runs and for the worker."""

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
"""Seconds within which several SIGTERMs count as one."""
LONGEST_STOP = 8.0
"""Seconds that the current request gets to end. The next start finds out what it did."""

_OURS = (signal.SIGINT, signal.SIGTERM)
_ENDED_BY = 128
"""A shell adds this to a signal's number for the exit status."""
_AT_ONCE = 0.001
_HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none
_ENDING = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, _HANG_UP)))


@contextmanager
def until_signal() -> Iterator[Callable[[], None]]:
    """Yield a function that waits for Ctrl-C, SIGTERM or SIGHUP. The third ends the process.

    A terminal that is closed sends SIGHUP. Under `nohup` SIGHUP is ignored.

    The handler takes no lock: another signal may come while it runs, and `threading.Event.set`
    would then wait for itself for ever.
    """
    received: SimpleQueue[int] = SimpleQueue()
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        seen.append(number)
        received.put(number)
        if len(seen) > 1:  # one Ctrl-C may arrive twice, through a shell and `timeout`
            signal.signal(number, signal.SIG_DFL)

    def wait() -> None:
        received.get()

    before = {number: signal.getsignal(number) for number in _ENDING}
    if before.get(_HANG_UP) is signal.SIG_IGN:
        del before[_HANG_UP]
    for number in before:
        signal.signal(number, handle)
    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signal(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at the first Ctrl-C or SIGTERM. The second ends the process at once.

    But SIGTERM counts once within two seconds: platforms send it to a process and to its group.
    """
    received: SimpleQueue[int] = SimpleQueue()
    first: dict[int, float] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        # it may interrupt anything, even itself, so a thread does the rest
        del frame
        since = time.monotonic() - first.setdefault(number, time.monotonic())
        if number == signal.SIGINT or since > TOGETHER:
            signal.signal(number, signal.SIG_DFL)
        if since > TOGETHER:
            signal.raise_signal(number)
        received.put(number)

    def wait() -> None:
        if received.get():
            stop.set()
            echo("Stopping after the current request.", err=True)

    threading.Thread(target=wait, name="stopper", daemon=True).start()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        received.put(0)
        for number, handler in before.items():
            signal.signal(number, handler)


class WorkerSignals:
    """Receives SIGTERM and Ctrl-C in a thread of its own, also before a worker is started.

    The first signal stops the worker, and the process ends after LONGEST_STOP seconds at the
    latest. A second signal of the same kind ends it at once, but SIGTERM counts once within two
    seconds.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._worker: tuple[Callable[[], None], Callable[[], None]] | None = None
        self.stop_requested = False

    @contextmanager
    def calling(self, stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
        """Call `stop` at the first signal, and `leave` if a request does not end in time.

        A signal that came earlier counts too.
        """
        with self._lock:
            self._worker = stop, leave
            stop_requested = self.stop_requested
        if stop_requested:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._worker = None

    def listen(self) -> None:
        """Handle signals until the wire is closed."""
        received: dict[int, float] = {}
        until = math.inf
        while number := self._next(until):
            now = time.monotonic()
            again = number in received
            if again and (number == signal.SIGINT or now - received[number] > TOGETHER):
                os._exit(_ENDED_BY + number)
            if not received:
                until = time.monotonic() + LONGEST_STOP
                self._stop()
            received.setdefault(number, now)

    def _next(self, until: float) -> int:
        """Return the number of the next Ctrl-C or SIGTERM, or 0 once the wire is closed."""
        while True:
            left = until - time.monotonic()
            self._wire.settimeout(None if left == math.inf else max(left, _AT_ONCE))
            try:
                data = self._wire.recv(1)
            except TimeoutError:
                self._leave()
            if not data or data[0] in _OURS:
                return data[0] if data else 0

    def _stop(self) -> None:
        with self._lock:
            self.stop_requested = True
            worker = self._worker
        if worker:
            worker[0]()

    def _leave(self) -> NoReturn:
        with self._lock:
            worker = self._worker
        if worker:
            worker[1]()
        os._exit(0)


@contextmanager
def worker_signals() -> Iterator[WorkerSignals]:
    """Receive signals even while the main thread is busy: SQLite may block it for ten seconds.

    Python calls a signal's handler on the main thread, between two of its own steps. But it writes
    the number of the signal to a wire at once, in any thread
    (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """
    near, far = socket.socketpair()
    far.settimeout(0)
    signals = WorkerSignals(near)
    thread = threading.Thread(target=signals.listen, name="signals", daemon=True)
    thread.start()
    wire = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, _ignore) for number in _OURS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            # a late signal must not change the exit status of a process that is already stopping
            signal.signal(number, signal.SIG_IGN if signals.stop_requested else handler)
        signal.set_wakeup_fd(wire)
        far.close()
        thread.join()
        near.close()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing. With a handler the signal does not end the process."""
    del number, frame
