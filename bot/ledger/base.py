"""What every part of the ledger stands on: rows, transactions, and the border for errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from bot.ledger.errors import border
from bot.ledger.reader import Reader, Value
from bot.ledger.writer import Writer

if TYPE_CHECKING:
    from sqlite_utils import Database


class Base:
    """A file and a lock: threads may share a ledger, and take turns."""

    def __init__(self, path: Path, file: Reader | Writer) -> None:
        self._path = path
        self._file = file
        self._turn = RLock()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the changes within it one transaction: all of them are kept, or none.

        For what one answer tells: the attempt, what it cost, the post that was sent. One commit
        costs one wait for the disk.
        """
        with self._writing():
            yield

    def close(self) -> None:
        """Close the file. Raises LedgerError."""
        with self._border():
            self._file.close()

    @contextmanager
    def _border(self) -> Iterator[None]:
        with self._turn, border(self._path):
            yield

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        with self._border(), self._file.writing() as db:
            yield db

    def _fetch(self, sql: str, **values: Value) -> list[sqlite3.Row]:
        with self._border():
            return self._file.fetch(sql, values)

    def _change(self, sql: str, **values: Value) -> int:
        """Run one statement in a transaction; returns how many rows it changed."""
        with self._writing() as db:
            return db.execute(sql, values).rowcount
