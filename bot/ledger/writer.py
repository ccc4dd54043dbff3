"""A ledger file opened to be written: made safely, brought up to date, changed in transactions."""

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

_MEETINGS = 20
_OTHERS = 0o077


class Writer:
    """One connection to the ledger. What a transaction commits is on the disk, not in a cache.

    Raises LedgerError for a file that is not ours to write, and OSError and sqlite3.Error.
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
        """Within a transaction."""
        return self.connection.in_transaction

    def fetch(self, sql: str, values: Values) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """A transaction that no other writer can come between; one within another joins it."""
        if self.inside:
            yield self._database
            return
        self._stand_by()
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.commit()
        except BaseException:
            self._database.rollback()
            raise

    def close(self) -> None:
        """Give the file back; the last one to do so leaves neither -wal nor -shm."""
        self.connection.close()

    def _prepare(self) -> Database:
        from sqlite_utils import Database

        self.connection.row_factory = sqlite3.Row
        db = Database(self.connection, recursive_triggers=False, execute_plugins=False)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if not self.fetch("PRAGMA application_id", {})[0][0]:
            # before WAL, so that the mark is in the file's own header, whatever happens next
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        if self._log_ahead() != "wal":
            raise LedgerError(
                f"the ledger {self._path} cannot be used: its disk does not support SQLite's WAL",
                "Set BOT_DATABASE to a file on a local disk.",
            )
        migrate(db, self._path)
        return db

    def _log_ahead(self) -> str:
        """Ask for WAL; returns the mode that the disk allows.

        Two processes that make a ledger at once meet here, and SQLite does not let one wait, as it
        does everywhere else: so this one waits for its turn to write, and asks again.
        """
        for _ in range(_MEETINGS):
            try:
                return str(self.fetch("PRAGMA journal_mode = WAL", {})[0][0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute("ROLLBACK")
        raise Locked(f"the ledger {self._path} is being made by other processes", "Run again.")

    def _stand_by(self) -> None:
        """What is written to a file that has lost its name is lost with it."""
        if _identity(self._path) != self._identity:
            raise Replaced(
                f"the ledger {self._path} was moved or replaced while it was in use",
                "Run again: it starts with the ledger that is there now, and what is out is "
                "found on the network.",
            )


def _make(path: Path) -> None:
    """An empty file that only we may read, and its folder; -wal and -shm take its mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return
    # no mode that a umask narrowed: a file we cannot write ourselves helps nobody
    os.fchmod(file, 0o600)
    os.close(file)


def _shut(path: Path) -> None:
    """Let nobody else read a ledger that was made or copied here otherwise: it holds sessions."""
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):  # not there, another user's, or on a disk that has no modes
            mode = each.stat().st_mode
            if mode & _OTHERS:
                each.chmod(mode & ~_OTHERS & 0o7777)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        now = path.stat()
    except FileNotFoundError:
        return None
    return now.st_dev, now.st_ino
