"""Open the ledger and the publisher for a command, with the real clocks and Ctrl-C."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.cli.common import safe_lines, show
from bot.cli.signals import stop_on_signal
from bot.terminal import each_text

if TYPE_CHECKING:
    from bot.delivery.accounts import Publisher
    from bot.delivery.types import Event
    from bot.ledger.store import Ledger
    from bot.settings import Settings


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


@contextmanager
def open_ledger_readonly(settings: Settings) -> Iterator[Ledger | None]:
    """Open the ledger for reading, or yield None if there is none yet. Raises LedgerError."""
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
def open_publisher(
    settings: Settings, *, progress: bool, verbose: bool = False
) -> Iterator[Publisher]:
    """Open the ledger and yield a publisher. Ctrl-C stops it after the current requests.

    With `progress` every step is printed. Raises LedgerError.
    """
    from bot.delivery.accounts import Publisher
    from bot.delivery.types import RunTools
    from bot.ledger.store import Ledger

    stop = threading.Event()

    def wait(seconds: float) -> None:
        stop.wait(seconds)

    tools = RunTools(
        clock=now,
        monotonic=time.monotonic,
        sleep=wait,
        stopping=stop.is_set,
        tell=_printer(settings, verbose=verbose) if progress else lambda _: None,
    )
    with Ledger.open(settings.database) as ledger, stop_on_signal(stop):
        yield Publisher(settings, ledger, tools)


def _printer(settings: Settings, *, verbose: bool) -> Callable[[Event], None]:
    from bot.output import progress

    lock, closed, pace = threading.Lock(), threading.Event(), progress.Pace()
    is_terminal = sys.stdout is not None and sys.stdout.isatty()

    def tell(event: Event) -> None:
        with lock:
            if not closed.is_set():
                try:
                    left = pace.left(event, time.monotonic()) if is_terminal else None
                    # redacted here, since click knows no command in this thread
                    redacted = each_text(event, settings.redact)
                    show(safe_lines(progress.event, redacted, verbose=verbose, left=left))
                except OSError:
                    # the output is closed; publishing continues without it
                    closed.set()

    return tell
