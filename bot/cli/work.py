"""`bot run`: the always-on worker."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

import click

from bot.cli.common import Surroundings, choosing, ready_accounts, settings_of
from bot.errors import SettingsError
from bot.model import Network

LONGEST_STOP = 8.0
"""Seconds that a request in flight gets to end; what it did is found out at the next start."""


@click.command(short_help="Post each new digest, for ever: the always-on worker.")
@choosing
@click.pass_obj
def run(
    surroundings: Surroundings, *, networks: tuple[Network, ...], names: tuple[str, ...]
) -> int:
    """Find each new digest and deliver it, until it is told to stop.

    One pass is made at once, then one at each time of BOT_SCHEDULE. SIGTERM or Ctrl-C lets the
    request in flight end. What goes wrong is said in the log, at /healthz on PORT, and where
    BOT_NOTIFY_URLS says; it is tried again and does not end the worker.
    """
    settings = settings_of(surroundings)
    accounts = ready_accounts(settings, networks, names)
    if settings.digests is None:
        raise SettingsError("BOT_DIGESTS is not set", "Set it to where digests are.")
    from bot.worker.start import started  # noqa: PLC0415 - loads at first use

    while True:
        with _deaf_threads() as hear:
            worker = started(settings, accounts, surroundings.environ, sys.stdout)
            with worker as running, _stopped_by(running.stop, running.leave):
                hear()
                running.run()
        if running.stopping():
            break  # else its ledger was replaced under it, and it begins with the new one
    _let_go_of_the_log()
    return 0


@contextmanager
def _deaf_threads() -> Iterator[Callable[[], object]]:
    """Threads that are begun within get no signals, which would not wake the main thread.

    What it gives lets this thread hear again.
    """
    ours = (signal.SIGINT, signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _stopped_by(stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGTERM or Ctrl-C; the process ends soon after, come what may.

    `leave` is called before it is ended with a request under way.

    A second one of the same kind ends it at once. What a handler does may interrupt anything, even
    another handler; so it only rings, and a thread does the rest.
    """
    rings: SimpleQueue[int] = SimpleQueue()
    ended = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)
        rings.put(number)

    def wait() -> None:
        if rings.get():
            stop()
            if not ended.wait(LONGEST_STOP):
                leave()
                os._exit(0)

    threading.Thread(target=wait, name="stopper", daemon=True).start()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        told = any(signal.getsignal(number) is not ask for number in before)
        ended.set()
        rings.put(0)
        for number, handler in before.items():
            # one that comes while the process ends must not be what ends it
            signal.signal(number, signal.SIG_IGN if told else handler)


def _let_go_of_the_log() -> None:
    """Whoever read the log may have gone: no reason to end badly."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
