"""Translates the exceptions of SQLite and of files to the errors of bot/errors.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import Busy, LedgerError, Locked, Replaced, WrongState

__all__ = ["Busy", "LedgerError", "Locked", "Replaced", "WrongState", "border", "explain"]

_ELSEWHERE = "Set BOT_DATABASE to another file, or move this one away."
_DAMAGED = (
    "Restore a backup, or move the file and its -wal and -shm away. Then bot makes a new ledger, "
    "and finds published posts on the network."
)
_REASONS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "Make room on the disk, then run again."),
    sqlite3.SQLITE_READONLY: ("it is read-only", "Make the file and its folder writable."),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("it is not an SQLite database", _ELSEWHERE),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "Create its folder, and make the file and the folder readable and writable.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk cannot be read or written",
        "Check whether the disk is full or failing. A ledger on a network disk is not supported.",
    ),
}
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def explain(error: sqlite3.Error | OSError, path: Path) -> LedgerError:
    """Return the LedgerError that says what SQLite or the file system reports about `path`."""
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        fix = "Set BOT_DATABASE to a file that this program may read and write."
        return LedgerError(f"the ledger {path} cannot be used: {reason}", fix)
    # the low byte is the primary code; the higher bytes give more detail than a person needs
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _LOCKED:
        fix = "Wait until the other process has ended, or stop it."
        return Locked(f"the ledger {path} is locked by another process ({error})", fix)
    unknown = ("SQLite reports an error", "Run `bot check`, then run again.")
    reason, fix = _REASONS.get(code, unknown)
    return LedgerError(f"the ledger {path} cannot be used: {reason} ({error})", fix)


@contextmanager
def border(path: Path) -> Iterator[None]:
    """Raise what SQLite and the file system raise about `path` as LedgerError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error
