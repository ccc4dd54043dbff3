"""Serving accounts from a command: the ledger, the clocks, and Ctrl-C."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.cli.common import show, worded
from bot.cli.signals import stop_on_signal
from bot.terminal import each_text

if TYPE_CHECKING:
    from bot.delivery.accounts import Publisher
    from bot.delivery.types import Event
    from bot.ledger.store import Ledger
    from bot.settings import Settings


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


@contextmanager
def open_ledger_readonly(settings: Settings) -> Iterator[Ledger | None]:
    """The ledger, only to be read; None where there is none yet. Raises LedgerError."""
    if not settings.database.exists():
        yield None
        return
    from bot.ledger.store import Ledger

    ledger = Ledger.peek(settings.database)
    if ledger is None:
        yield None
        return
    with ledger:
        yield ledger


@contextmanager
def serving(settings: Settings, *, told: bool, verbose: bool = False) -> Iterator[Publisher]:
    """What serves accounts, with the ledger open; Ctrl-C lets requests in flight end first.

    With `told` every step is printed. Raises LedgerError.
    """
    from bot.delivery.accounts import Publisher
    from bot.delivery.types import RunTools
    from bot.ledger.store import Ledger

    stop = threading.Event()

    def wait(seconds: float) -> None:
        stop.wait(seconds)

    around = RunTools(
        clock=now,
        monotonic=time.monotonic,
        sleep=wait,
        stopping=stop.is_set,
        tell=_teller(settings, verbose=verbose) if told else lambda _: None,
    )
    with Ledger.open(settings.database) as ledger, stop_on_signal(stop):
        yield Publisher(settings, ledger, around)


def _teller(settings: Settings, *, verbose: bool) -> Callable[[Event], None]:
    from bot.output import progress

    turn, closed, pace = threading.Lock(), threading.Event(), progress.Pace()
    timed = sys.stdout is not None and sys.stdout.isatty()

    def tell(happened: Event) -> None:
        with turn:
            if not closed.is_set():
                try:
                    left = pace.left(happened, time.monotonic()) if timed else None
                    # in another thread, where nobody knows the command
                    known = each_text(happened, settings.redact)
                    show(worded(progress.event, known, verbose=verbose, left=left))
                except OSError:
                    # whoever read our output has gone: delivery goes on without a word
                    closed.set()

    return tell
