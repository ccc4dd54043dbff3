"""The base class of every part of the ledger: queries, transactions, and translated errors."""

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
    """The ledger's file, and a lock with which threads that share the ledger take turns."""

    def __init__(self, path: Path, file: Reader | Writer) -> None:
        self._path = path
        self._file = file
        self._turn = RLock()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Join the changes within it in one transaction: all of them are stored, or none.

        It serves for all that follows from one answer: the attempt, its cost, the post that was
        sent. One commit waits for the disk once.
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
