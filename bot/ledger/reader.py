"""Reads a ledger file without changing anything: it takes no lock and leaves no new file."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from bot.ledger.errors import LedgerError
from bot.ledger.migrations import APPLICATION_ID, check_version

if TYPE_CHECKING:
    from sqlite_utils import Database

Value = str | int | float | None
Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a file can be read (`kind`), and the values that change when it is written to."""

    kind: str
    node: int = 0
    size: int = 0
    changed: int = 0


class Reader:
    """Reads what was committed, also by a worker that is running.

    SQLite cannot open a file in WAL mode for reading without making a -wal and a -shm beside it,
    which it leaves there. So a file that no process has open is read as if it could not change, and
    read again if it did. A file that a process has open has a -wal and a -shm already. Where a -wal
    was left without its -shm (in a restored backup), a copy of the two is read.

    Raises OSError and sqlite3.Error.
    """

    inside: ClassVar = False
    """A reader is never within a transaction."""

    def __init__(self, path: Path, wait: float) -> None:
        self._path = path
        self._wait = wait
        self._shape: _Shape | None = None
        self._connection: sqlite3.Connection | None = None
        self._copy: TemporaryDirectory[str] | None = None

    def fetch(self, sql: str, values: Values) -> list[sqlite3.Row]:
        """Return all rows of a query, from a moment in which the file did not change."""
        while True:
            shape = _shape(self._path)
            try:
                rows = self._connected(shape).execute(sql, values).fetchall()
            except (OSError, sqlite3.Error):
                # an error counts only if no process wrote to the file meanwhile
                if _shape(self._path) == shape:
                    raise
            else:
                if _shape(self._path) == shape:
                    return rows

    def writing(self) -> AbstractContextManager[Database]:
        """Raise LedgerError."""
        raise LedgerError(f"the ledger {self._path} was opened for reading only")

    def close(self) -> None:
        """Close the file, and delete the copy if one was made."""
        self._shape = None
        if self._connection:
            self._connection.close()
        if self._copy:
            self._copy.cleanup()
            self._copy = None

    def _connected(self, shape: _Shape) -> sqlite3.Connection:
        if self._connection is None or shape != self._shape:
            self.close()
            self._connection = self._connect(shape.kind)
            self._shape = shape
        return self._connection

    def _connect(self, kind: str) -> sqlite3.Connection:
        path = self._copied() if kind == "left" else self._path
        query = "mode=ro&immutable=1" if kind == "closed" else "mode=ro"
        connection = sqlite3.connect(
            f"{path.as_uri()}?{query}",
            uri=True,
            timeout=self._wait,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _copied(self) -> Path:
        folder = TemporaryDirectory(prefix="bot-ledger-")
        path = Path(folder.name) / self._path.name
        try:
            shutil.copyfile(self._path, path)
            shutil.copyfile(_beside(self._path, "-wal"), _beside(path, "-wal"))
        except BaseException:
            folder.cleanup()
            raise
        self._copy = folder
        return path


def version(reader: Reader, path: Path) -> int | None:
    """Return the step that the ledger has reached; None for an empty file.

    Raises LedgerError for a file of another program, or of a later release.
    """
    # in this order: a new ledger is marked before its first table is made
    filled = reader.fetch("SELECT 1 FROM sqlite_master LIMIT 1", {})
    if reader.fetch("PRAGMA application_id", {})[0][0] == APPLICATION_ID:
        reached: int = reader.fetch("PRAGMA user_version", {})[0][0]
        check_version(reached, path)
        return reached
    if filled:
        raise LedgerError(
            f"{path} is an SQLite database of another program, not a ledger of bot",
            "Set BOT_DATABASE to another file.",
        )
    return None


def _shape(path: Path) -> _Shape:
    journaled = _beside(path, "-wal").exists()
    if journaled and _beside(path, "-shm").exists():
        return _Shape("open")
    now = path.stat()
    kind = "left" if journaled else "closed"
    return _Shape(kind, now.st_ino, now.st_size, now.st_mtime_ns)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
