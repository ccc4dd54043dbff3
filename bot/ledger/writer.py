"""Opens a ledger file for writing: creates it, updates its schema, changes it in transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot.ledger.errors import LedgerError, Locked, Replaced
from bot.ledger.migrations import APPLICATION_ID, migrate
from bot.ledger.reader import Reader, Values, version

if TYPE_CHECKING:
    from sqlite_utils import Database

_WAL_TRIES = 20
_OTHERS = 0o077


class Writer:
    """One connection to the ledger. What a transaction commits is on the disk, not in a cache.

    Raises LedgerError for a file that bot may not write, and OSError and sqlite3.Error.
    """

    def __init__(self, path: Path, wait: float) -> None:
        _make(path)
        with closing(Reader(path, wait)) as reader:
            version(reader, path)
        _shut(path)
        self._path = path
        self._identity = _identity(path)
        self.connection = sqlite3.connect(
            path, timeout=wait, isolation_level=None, check_same_thread=False
        )
        try:
            self._database = self._prepare()
        except BaseException:
            self.connection.close()
            raise

    @property
    def inside(self) -> bool:
        """Whether the connection is within a transaction."""
        return self.connection.in_transaction

    def fetch(self, sql: str, values: Values) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """Begin a transaction that excludes other writers; one within another joins it."""
        if self.inside:
            yield self._database
            return
        self._require_same_file()
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.commit()
        except BaseException:
            self._database.rollback()
            raise

    def close(self) -> None:
        """Close the file; the last connection that closes leaves neither -wal nor -shm."""
        self.connection.close()

    def _prepare(self) -> Database:
        from sqlite_utils import Database

        self.connection.row_factory = sqlite3.Row
        db = Database(self.connection, recursive_triggers=False, execute_plugins=False)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if not self.fetch("PRAGMA application_id", {})[0][0]:
            # before WAL, so that the mark is in the header of the file itself and not in the -wal
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        if self._log_ahead() != "wal":
            raise LedgerError(
                f"the ledger {self._path} cannot be used: its disk does not support SQLite's WAL",
                "Set BOT_DATABASE to a file on a local disk.",
            )
        migrate(db, self._path)
        return db

    def _log_ahead(self) -> str:
        """Ask for WAL, and return the mode that the disk allows.

        Where two processes create a ledger at the same time, SQLite does not let one of them wait
        here, as it does everywhere else. So this one waits for a transaction, and asks again.
        """
        for _ in range(_WAL_TRIES):
            try:
                return str(self.fetch("PRAGMA journal_mode = WAL", {})[0][0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute("ROLLBACK")
        raise Locked(f"other processes are creating the ledger {self._path}", "Run again.")

    def _require_same_file(self) -> None:
        """Raise Replaced where the file has lost its name, since all writes to it would be lost."""
        if _identity(self._path) != self._identity:
            raise Replaced(
                f"the ledger {self._path} was moved or replaced while it was in use",
                "Run again. bot then uses the file that has the name now, and finds published "
                "posts on the network.",
            )


def _make(path: Path) -> None:
    """Create the folder and an empty file for its owner only; -wal and -shm take its mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return
    # a umask may have narrowed the mode, so that even the owner could not write
    os.fchmod(file, 0o600)
    os.close(file)


def _shut(path: Path) -> None:
    """Take other users' rights to the ledger away, since it holds sessions."""
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):  # missing, another user's, or on a disk without modes
            mode = file.stat().st_mode
            if mode & _OTHERS:
                file.chmod(mode & ~_OTHERS & 0o7777)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        now = path.stat()
    except FileNotFoundError:
        return None
    return now.st_dev, now.st_ino
