"""Runs `bot` as a process of its own that ends itself, or finds the disk full, for tests.

python crash_child.py before N ARGUMENTS...    SIGKILL before the N-th commit to the ledger
python crash_child.py after N ARGUMENTS...     SIGKILL after it
python crash_child.py trace FILE ARGUMENTS...  say in FILE how many commits there were
python crash_child.py room BYTES ARGUMENTS...  let no file grow beyond so many bytes
"""

from __future__ import annotations

import functools
import os
import re
import resource
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

T = TypeVar("T")

COMMIT = "commit"
# outside of a transaction such a statement is one by itself
_COMMITS = re.compile(r"\s*(COMMIT|PRAGMA\s+\w+\s*=)", re.IGNORECASE)
_UNDOES = re.compile(r"\s*ROLLBACK", re.IGNORECASE)


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Point:
    """Before or after the `number`-th request to a network, or the `number`-th commit."""

    when: When
    what: str
    number: int

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}"


class Killed(BaseException):
    """The run is over: nothing of it happens any more."""


class Fuse:
    """Counts what a run does, and ends it at a point; a run that has ended does nothing more."""

    def __init__(self, point: Point | None = None, end: Callable[[], None] = lambda: None) -> None:
        self.counts: Counter[str] = Counter()
        self.told: list[str] = []
        """Every statement as SQLite itself tells it, if outside of a transaction or ending one."""
        self.blown = False
        self._point = point
        self._end = end

    def passing(self, what: str, act: Callable[[], T]) -> T:
        """Do it, unless the run ends before, or ended."""
        self.check()
        self.counts[what] += 1
        number = self.counts[what]
        self._reach(Point(When.BEFORE, what, number))
        done = act()
        self._reach(Point(When.AFTER, what, number))
        return done

    def check(self) -> None:
        """Raise Killed if the run has ended."""
        if self.blown:
            raise Killed

    def _reach(self, point: Point) -> None:
        if point == self._point:
            self.blown = True
            self._end()
        self.check()


def traced(fuse: Fuse) -> type[sqlite3.Connection]:
    """A connection that passes every commit by the fuse."""

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type] # as they came
            self.set_trace_callback(self._tell)

        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            if _UNDOES.match(sql):
                return super().execute(sql)
            fuse.check()
            act = functools.partial(super().execute, sql, *parameters)  # type: ignore[arg-type]
            ends = _COMMITS.match(sql) and (self.in_transaction == _is_commit(sql))
            return fuse.passing(COMMIT, act) if ends else act()

        def _tell(self, sql: str) -> None:
            if _is_commit(sql) or not self.in_transaction:
                fuse.told.append(sql)

    return Traced


def _is_commit(sql: str) -> bool:
    return sql.strip().upper().startswith("COMMIT")


@contextmanager
def ledger_passes(fuse: Fuse) -> Iterator[None]:
    """From here on every connection to SQLite is a traced one."""
    connect = sqlite3.connect
    sqlite3.connect = functools.partial(connect, factory=traced(fuse))  # type: ignore[assignment]
    try:
        yield
    finally:
        sqlite3.connect = connect


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def bot(arguments: list[str]) -> NoReturn:
    from bot.cli import main  # noqa: PLC0415 - not before the disk is full

    sys.argv = ["bot", *arguments]
    main()


def run(how: str, much: str, arguments: list[str]) -> None:
    if how == "room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(much), int(much)))
        bot(arguments)
    fuse = Fuse() if how == "trace" else Fuse(Point(When(how), COMMIT, int(much)), die)
    try:
        with ledger_passes(fuse):
            bot(arguments)
    finally:
        if how == "trace":
            Path(much).write_text(str(fuse.counts[COMMIT]))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3:])
