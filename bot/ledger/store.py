"""Opens the ledger, one SQLite file that holds what was planned, tried and sent.

Every change is a transaction of its own that is on the disk when the method returns, unless
`together` joins it to others. Times are passed in and aware; no method reads a clock.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.ledger.accounts import Accounts
from bot.ledger.errors import LedgerError, border
from bot.ledger.file import Reader, Writer, version
from bot.ledger.migrations import LATEST
from bot.ledger.posts import Posts
from bot.ledger.problems import Problems

__all__ = ["Ledger", "LedgerError"]

_WAIT = 10.0


class Ledger(Posts, Accounts, Problems):
    """An open ledger; use it in a `with` statement. Threads may share one.

    Every method raises LedgerError where the file cannot be used, and its subclass Locked where
    another process holds the file longer than the `wait` it was opened with. Methods that write
    raise the subclass Replaced where the file has lost its name: then the ledger must be opened
    again.
    """

    @classmethod
    def open(cls, path: Path, *, wait: float = _WAIT) -> Self:
        """Open a ledger for writing; create it or update its schema if necessary.

        `wait` is how many seconds to wait for another process to finish its transaction. Raises
        LedgerError for a file that is of another program or of a later release, or is damaged,
        read-only, locked or on a full disk; such a file is not changed.
        """
        path = path.absolute()
        with border(path):
            _require_file(path)
            return cls(path, Writer(path, wait))

    @classmethod
    def peek(cls, path: Path, *, wait: float = _WAIT) -> Self | None:
        """Open a ledger for reading only, and change nothing; None where it is missing or empty.

        What a running worker commits is visible. Raises LedgerError as `open` does, and for a
        ledger of an earlier release, which is not updated here.
        """
        path = path.absolute()
        with border(path), ExitStack() as undo:
            reader = Reader(path, wait)
            undo.callback(reader.close)
            try:
                path.stat()
            except FileNotFoundError:
                return None
            _require_file(path)
            reached = version(reader, path)
            if not reached:  # it may be created and not yet written to
                return None
            if reached < LATEST:
                raise LedgerError(
                    f"the ledger {path} has version {reached} of an earlier release, and {LATEST} "
                    "is needed",
                    "`bot post` or `bot run` updates it.",
                )
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


def _require_file(path: Path) -> None:
    """Raise LedgerError for a path that is not a file: opening a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise LedgerError(f"the ledger {path} is not a file", "Set BOT_DATABASE to a file.")
