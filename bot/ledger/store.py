"""The ledger: what was planned, tried and sent, in one SQLite file.

Every change is a transaction of its own that is on the disk when the method returns, unless
`together` joins it to others. Times are passed in, aware; none is read from a clock here.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.ledger.accounts import Accounts
from bot.ledger.errors import LedgerError, border
from bot.ledger.migrations import LATEST
from bot.ledger.pictures import Pictures
from bot.ledger.posts import Posts
from bot.ledger.problems import Problems
from bot.ledger.reader import Reader, version
from bot.ledger.writer import Writer

__all__ = ["Ledger", "LedgerError"]

_WAIT = 10.0


class Ledger(Posts, Accounts, Problems, Pictures):
    """An open ledger; use it in a `with` statement. Threads may share one.

    Every method raises LedgerError where the file cannot be used, and Locked, which is one, where
    another process holds it longer than the `wait` it was opened with. What writes raises Replaced,
    which is one, too, where the file has lost its name: only another `open` helps then.
    """

    @classmethod
    def open(cls, path: Path, *, wait: float = _WAIT) -> Self:
        """Open a ledger to write to it; it is made, or brought up to date, where need be.

        `wait` is how many seconds to wait for another process to finish its transaction. Raises
        LedgerError for a file that is of another program or of a later release, or is damaged,
        read-only, locked or on a full disk; none of these is altered.
        """
        path = path.absolute()
        with border(path):
            _insist_on_a_file(path)
            return cls(path, Writer(path, wait))

    @classmethod
    def peek(cls, path: Path, *, wait: float = _WAIT) -> Self | None:
        """Open a ledger only to read it, and leave no trace; None where there is nothing in it.

        What a running worker commits is seen. Raises LedgerError as `open` does, and for a ledger
        of an earlier release, which is not brought up to date here.
        """
        path = path.absolute()
        with border(path), ExitStack() as undo:
            reader = Reader(path, wait)
            undo.callback(reader.close)
            try:
                path.stat()
            except FileNotFoundError:
                return None
            _insist_on_a_file(path)
            if not _readable(reader, path):
                return None
            undo.pop_all()
            return cls(path, reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _insist_on_a_file(path: Path) -> None:
    """Refuse what is there and is no file: opening a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise LedgerError(f"the ledger {path} is no file", "Set BOT_DATABASE to another file.")


def _readable(reader: Reader, path: Path) -> bool:
    """False for a file that was made and not yet written to."""
    reached = version(reader, path)
    if reached and reached < LATEST:
        raise LedgerError(
            f"the ledger {path} has version {reached} of an earlier release, and this is {LATEST}",
            "`bot post` or `bot run` brings it up to date.",
        )
    return bool(reached)
