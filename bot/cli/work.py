"""`bot run`: the always-on worker."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from bot.cli.common import ProcessContext, choosing, ready_accounts, settings_of
from bot.cli.serving import TOGETHER
from bot.errors import SettingsError
from bot.model import Network

LONGEST_STOP = 8.0
"""Seconds that a request in flight gets to end; what it did is found out at the next start."""

_OURS = (signal.SIGINT, signal.SIGTERM)
_ENDED_BY = 128
"""What a shell adds to a signal's number for the status of what it ended."""
_AT_ONCE = 0.001


@click.command(short_help="Post each new digest, for ever: the always-on worker.")
@choosing
@click.pass_obj
def run(
    surroundings: ProcessContext, *, networks: tuple[Network, ...], names: tuple[str, ...]
) -> int:
    """Find each new digest and deliver it, until it is stopped.

    One pass is made at once, then one at each time of BOT_SCHEDULE. SIGTERM or Ctrl-C lets the
    request in flight end. What goes wrong is said in the log, at /healthz on PORT, and where
    BOT_NOTIFY_URLS says; it is tried again and does not end the worker.
    """
    settings = settings_of(surroundings)
    accounts = ready_accounts(settings, networks, names)
    if settings.digests is None:
        raise SettingsError("BOT_DIGESTS is not set", "Set it to where digests are.")
    from bot.worker.start import started  # noqa: PLC0415 - loads at first use

    with _ears() as ears:
        while True:
            worker = started(settings, accounts, surroundings.environ, sys.stdout)
            with worker as running, ears.hearing_for(running.stop, running.leave):
                running.run()
            if running.stopping():
                break  # else its ledger was replaced under it, and it begins with the new one
    _let_go_of_the_log()
    return 0


class _Ears:
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
def _ears() -> Iterator[_Ears]:
    """Hear signals whatever the main thread is at: it may sit in SQLite for ten seconds.

    Python calls a signal's handler on the main thread, between two of its own steps. But the number
    of the signal is written to a wire at once, on whatever thread it came
    (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """
    near, far = socket.socketpair()
    far.settimeout(0)
    ears = _Ears(near)
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


def _let_go_of_the_log() -> None:
    """Whoever read the log may have gone: no reason to end badly."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
