"""Opens the ledger's file for writing or for reading, and runs queries and transactions in it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import ClassVar

from bot.ledger.errors import LedgerError, Locked, Replaced, border, explain
from bot.ledger.migrations import APPLICATION_ID, check_version, migrate
from bot.ledger.rows import words

Value = str | int | float | bytes | date | None
Values = dict[str, Value]
_Shape = tuple[str, int, int, int]

_OLDEST_SQLITE = (3, 35)  # RETURNING
_WAL_TRIES = 20
_OTHERS = 0o077


class LedgerFile:
    """The ledger's file; the parts of the ledger inherit from it. Threads that share it take turns.

    A time among the values is stored as UTC text, a day as text. Characters that UTF-8 cannot hold
    become `?`.
    """

    def __init__(self, path: Path, file: Reader | Writer) -> None:
        self._path = path
        self._file = file
        self._turn = RLock()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Join the changes within it in one transaction: all of them are stored, or none.

        It serves for all that follows from one answer: the attempt, its cost, the post that was
        sent. One commit waits for the disk once. Other writers wait until the transaction ends; one
        within another joins it. Raises LedgerError.
        """
        with self._turn:
            if self._file.inside:
                yield
                return
            try:
                try:
                    self._file.begin()
                except (sqlite3.Error, OSError) as error:
                    raise explain(error, self._path) from error
                yield
                self._fetch("COMMIT")
            except BaseException:
                self._file.rollback()
                raise

    def close(self) -> None:
        """Close the file. Raises LedgerError."""
        with self._turn, border(self._path):
            self._file.close()

    def _fetch(self, sql: str, **values: Value) -> list[sqlite3.Row]:
        """Run one statement and return all its rows. Raises LedgerError."""
        for name, value in values.items():
            if isinstance(value, datetime):
                values[name] = stamp(value)
            elif isinstance(value, date):
                values[name] = value.isoformat()
            elif isinstance(value, str) and not value.isascii():
                values[name] = words(value)
        try:
            with self._turn:
                return self._file.fetch(sql, values)
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self._path) from error

    def _change(self, sql: str, **values: Value) -> list[sqlite3.Row]:
        """Run one statement in a transaction, and return the rows of its RETURNING clause."""
        with self.together():
            return self._fetch(sql, **values)

    def _insert(self, table: str, /, *, replaces: bool = False, **row: Value) -> int:
        """Insert a row in a transaction, and return its number.

        With `replaces` it takes the place of a row with the same key, which else is an error.
        """
        verb, marks = "REPLACE" if replaces else "INSERT", ", ".join(f":{name}" for name in row)
        sql = f"{verb} INTO {table} ({', '.join(row)}) VALUES ({marks}) RETURNING rowid"
        return int(self._change(sql, **row)[0][0])


def stamp(at: datetime) -> str:
    """Return a time as text. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Writer:
    """One connection to the ledger. What a transaction commits is on the disk, not in a cache.

    The file is created for its owner only, and other users' rights to it are taken away, since it
    holds sessions. Raises LedgerError for a file that bot may not write, and OSError and
    sqlite3.Error.
    """

    def __init__(self, path: Path, wait: float) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise LedgerError(
                f"the ledger needs SQLite 3.35, and this Python has {sqlite3.sqlite_version}",
                "Run bot with a Python that has a later SQLite.",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            os.fchmod(made, 0o600)  # a umask may have narrowed the mode, even for the owner
            os.close(made)
        with closing(Reader(path, wait)) as reader:
            version(reader, path)
        for each in (path, _beside(path, "-wal"), _beside(path, "-shm")):
            with suppress(OSError):  # missing, another user's, or on a disk without modes
                mode = each.stat().st_mode
                if mode & _OTHERS:
                    each.chmod(mode & ~_OTHERS & 0o7777)
        self._path = path
        self._identity = _identity(path)
        self.connection = sqlite3.connect(
            path, timeout=wait, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except BaseException:
            self.connection.close()
            raise

    @property
    def inside(self) -> bool:
        """Whether the connection is within a transaction; False where it is closed."""
        try:
            return self.connection.in_transaction
        except sqlite3.ProgrammingError:
            return False

    def fetch(self, sql: str, values: Values) -> list[sqlite3.Row]:
        """Run a statement and return all its rows."""
        return self.connection.execute(sql, values).fetchall()

    def begin(self) -> None:
        """Begin a transaction that excludes other writers.

        Raises Replaced where the file has lost its name, since all writes to it would be lost.
        """
        if _identity(self._path) != self._identity:
            raise Replaced(
                f"the ledger {self._path} was moved or replaced while it was in use",
                "Run again. bot then uses the file that has the name now, and finds published "
                "posts on the network.",
            )
        self.connection.execute("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        """Undo the transaction, unless SQLite has done so or the connection is closed."""
        with suppress(sqlite3.Error):
            self.connection.rollback()

    def close(self) -> None:
        """Close the file; the last connection that closes leaves neither -wal nor -shm."""
        self.connection.close()

    def _prepare(self) -> None:
        connection = self.connection
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if not connection.execute("PRAGMA application_id").fetchone()[0]:
            # before WAL, so that the mark is in the header of the file itself and not in the -wal
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for _ in range(_WAL_TRIES):
            try:
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            # another process creates the ledger at the same time, and only here SQLite does not
            # wait for it: so wait for a transaction, and ask again
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            raise Locked(f"other processes are creating the ledger {self._path}", "Run again.")
        if mode != "wal":
            raise LedgerError(
                f"the ledger {self._path} cannot be used: its disk does not support SQLite's WAL",
                "Set BOT_DATABASE to a file on a local disk.",
            )
        migrate(connection, self._path)


class Reader:
    """Reads what was committed, also by a worker that is running. It changes nothing.

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
                rows = self._connect(shape).execute(sql, values).fetchall()
            except (OSError, sqlite3.Error):
                # an error counts only if no process wrote to the file meanwhile
                if _shape(self._path) == shape:
                    raise
            else:
                if _shape(self._path) == shape:
                    return rows

    def begin(self) -> None:
        """Raise LedgerError."""
        raise LedgerError(f"the ledger {self._path} was opened for reading only")

    def rollback(self) -> None:
        """Do nothing: a reader is never within a transaction."""

    def close(self) -> None:
        """Close the file, and delete the copy if one was made."""
        self._shape = None
        if self._connection:
            self._connection.close()
        if self._copy:
            self._copy.cleanup()
            self._copy = None

    def _connect(self, shape: _Shape) -> sqlite3.Connection:
        """Return a connection for a file of this shape; the last one if the shape is the same."""
        if self._connection and shape == self._shape:
            return self._connection
        self.close()
        path = self._path
        if shape[0] == "left":
            self._copy = TemporaryDirectory(prefix="bot-ledger-")
            path = Path(self._copy.name) / path.name
            shutil.copyfile(self._path, path)
            shutil.copyfile(_beside(self._path, "-wal"), _beside(path, "-wal"))
        query = "mode=ro&immutable=1" if shape[0] == "closed" else "mode=ro"
        self._connection = sqlite3.connect(
            f"{path.as_uri()}?{query}",
            uri=True,
            timeout=self._wait,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row
        self._shape = shape
        return self._connection


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
    """Return how a file can be read, then its node, size and time, which change when it does."""
    journaled = _beside(path, "-wal").exists()
    if journaled and _beside(path, "-shm").exists():
        return "open", 0, 0, 0
    now = path.stat()
    kind = "left" if journaled else "closed"
    return kind, now.st_ino, now.st_size, now.st_mtime_ns


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        now = path.stat()
    except FileNotFoundError:
        return None
    return now.st_dev, now.st_ino
