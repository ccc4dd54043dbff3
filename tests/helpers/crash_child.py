"""A script that runs `bot` and kills its own process at a commit, or limits the size of files.

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

from tests.helpers.process_killed import ProcessKilled

T = TypeVar("T")

COMMIT = "commit"
# outside of a transaction such a statement is one by itself
_COMMITS = re.compile(r"\s*(COMMIT|PRAGMA\s+\w+\s*=)", re.IGNORECASE)
_UNDOES = re.compile(r"\s*ROLLBACK", re.IGNORECASE)


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """Before or after the `number`-th request to a network, or the `number`-th commit."""

    when: When
    what: str
    number: int

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}"


class StepCounter:
    """Counts the steps of a run and ends it at a point; after that each step raises."""

    def __init__(
        self, point: CrashPoint | None = None, end: Callable[[], None] = lambda: None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.statements: list[str] = []
        """Every statement as SQLite itself tells it, if outside of a transaction or ending one."""
        self.fired = False
        self._point = point
        self._end = end

    def step(self, what: str, act: Callable[[], T]) -> T:
        """Count a step and do it, unless the run ends before it."""
        self.check()
        self.counts[what] += 1
        number = self.counts[what]
        self._reach(CrashPoint(When.BEFORE, what, number))
        done = act()
        self._reach(CrashPoint(When.AFTER, what, number))
        return done

    def check(self) -> None:
        """Raise Killed if the run has ended."""
        if self.fired:
            raise ProcessKilled

    def _reach(self, point: CrashPoint) -> None:
        if point == self._point:
            self.fired = True
            self._end()
        self.check()


def counting_connection(counter: StepCounter) -> type[sqlite3.Connection]:
    """A class of connections that count every commit."""

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type] # as they came
            self.set_trace_callback(self._tell)

        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            if _UNDOES.match(sql):
                return super().execute(sql)
            counter.check()
            act = functools.partial(super().execute, sql, *parameters)  # type: ignore[arg-type]
            ends = _COMMITS.match(sql) and (self.in_transaction == _is_commit(sql))
            return counter.step(COMMIT, act) if ends else act()

        def _tell(self, sql: str) -> None:
            if _is_commit(sql) or not self.in_transaction:
                counter.statements.append(sql)

    return Traced


def _is_commit(sql: str) -> bool:
    return sql.strip().upper().startswith("COMMIT")


@contextmanager
def counting_commits(counter: StepCounter) -> Iterator[None]:
    """From here on every connection to SQLite is a traced one."""
    connect = sqlite3.connect
    sqlite3.connect = functools.partial(connect, factory=counting_connection(counter))  # type: ignore[assignment]
    try:
        yield
    finally:
        sqlite3.connect = connect


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_bot(arguments: list[str]) -> NoReturn:
    from bot.cli import main

    sys.argv = ["bot", *arguments]
    main()


def run(how: str, much: str, arguments: list[str]) -> None:
    if how == "room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(much), int(much)))
        run_bot(arguments)
    counter = (
        StepCounter()
        if how == "trace"
        else StepCounter(CrashPoint(When(how), COMMIT, int(much)), kill_self)
    )
    try:
        with counting_commits(counter):
            run_bot(arguments)
    finally:
        if how == "trace":
            Path(much).write_text(str(counter.counts[COMMIT]))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3:])
