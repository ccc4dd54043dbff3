"""Serving accounts from a command: the ledger, the clocks, and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from bot.cli.common import echo, show, worded
from bot.terminal import each_text

if TYPE_CHECKING:
    from bot.delivery.terms import Event
    from bot.ledger.store import Ledger
    from bot.service import Publisher
    from bot.settings import Settings


TOGETHER = 2.0
"""Seconds within which several SIGTERMs are one."""


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


@contextmanager
def looked_up(settings: Settings) -> Iterator[Ledger | None]:
    """The ledger, only to be read; None where there is none yet. Raises LedgerError."""
    if not settings.database.exists():
        yield None
        return
    from bot.ledger.store import Ledger  # noqa: PLC0415 - loads at first use

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
    from bot.delivery.terms import RunTools  # noqa: PLC0415 - loads at first use
    from bot.ledger.store import Ledger  # noqa: PLC0415 - loads at first use
    from bot.service import Publisher  # noqa: PLC0415 - loads at first use

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
    with Ledger.open(settings.database) as ledger, _interruptible(stop):
        yield Publisher(settings, ledger, around)


def _teller(settings: Settings, *, verbose: bool) -> Callable[[Event], None]:
    from bot.show import progress  # noqa: PLC0415 - loads at first use

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


@contextmanager
def _interruptible(stop: threading.Event) -> Iterator[None]:
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
