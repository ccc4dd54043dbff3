"""A ledger file looked into without a trace: no lock, no file that was not there."""

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
    """How a file lies there, and what is otherwise once somebody has written to it."""

    kind: str
    node: int = 0
    size: int = 0
    changed: int = 0


class Reader:
    """Reads what was committed, that of a worker that is running included.

    SQLite cannot open a file in WAL mode for reading without making a -wal and a -shm beside it,
    and leaves them. So a file that nobody has open is read as if it could not change, and read
    again where it did; one that somebody has open has both files; and where a -wal was left
    without its -shm (a copy, put back), a copy of the two is read.

    Raises OSError and sqlite3.Error.
    """

    inside: ClassVar = False
    """Never within a transaction."""

    def __init__(self, path: Path, wait: float) -> None:
        self._path = path
        self._wait = wait
        self._shape: _Shape | None = None
        self._connection: sqlite3.Connection | None = None
        self._copy: TemporaryDirectory[str] | None = None

    def fetch(self, sql: str, values: Values) -> list[sqlite3.Row]:
        """All rows of a query, as they were while the file did not change."""
        while True:
            shape = _shape(self._path)
            try:
                rows = self._connected(shape).execute(sql, values).fetchall()
            except (OSError, sqlite3.Error):
                # what was read while somebody wrote is no proof of anything
                if _shape(self._path) == shape:
                    raise
            else:
                if _shape(self._path) == shape:
                    return rows

    def writing(self) -> AbstractContextManager[Database]:
        """Refuse: raises LedgerError."""
        raise LedgerError(f"the ledger {self._path} was opened only to be read")

    def close(self) -> None:
        """Give the file back, and remove the copy if one was made."""
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
    """Whose file it is: the step our ledger has reached, None for a file without anything in it.

    Raises LedgerError for a file of another program, or of a later release.
    """
    # in this order: a ledger is marked before anything is in it, so the mark cannot be missed
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
