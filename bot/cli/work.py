"""`bot run`: the always-on worker."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    worker = started(settings, accounts, surroundings.environ, sys.stdout)
    with worker as running, _stopped_by(running.stop):
        running.run()
    return 0


@contextmanager
def _stopped_by(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGTERM or Ctrl-C; the process ends soon after, come what may."""

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)
        stop()
        last = threading.Timer(LONGEST_STOP, os._exit, (0,))
        last.daemon = True
        last.start()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
