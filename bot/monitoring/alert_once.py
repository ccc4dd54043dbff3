"""Raising the hand: what a pass found is kept, and told once, and once more when it is over.

The ledger remembers what was told, so that nobody is told again after a restart, and what nobody
could be told is told by the next pass. An alert may come twice (a service took it and its answer
was lost, or the program was killed in between), and none is lost: for the same reasons a trouble
that comes back while its end was not surely told is raised anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from bot.ledger.rows import StoredProblem, words
from bot.monitoring.problem import Problem, changes


@dataclass(frozen=True, slots=True)
class AlertResult:
    """The keys of the troubles that somebody was told of, and why an address took nothing."""

    keys: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProblemReport:
    """What a pass changed: what is new, what is gone, and why an address took nothing of it."""

    raised: tuple[Problem, ...]
    over: tuple[StoredProblem, ...]
    reasons: tuple[str, ...]


class AlertSender(Protocol):
    """Whoever carries an alert to the operator: `Alerts`."""

    def tell(self, raised: Sequence[StoredProblem], over: Sequence[StoredProblem]) -> AlertResult:
        """Tell it all; never raises."""
        ...


def report(
    book: ProblemStore,
    alerts: AlertSender | None,
    now: Collection[Problem],
    judges: Callable[[str], bool],
    at: datetime,
) -> ProblemReport:
    """Keep what a pass found and what is gone, and tell all of it that nobody was told yet.

    `judges` says of a key whether this pass could tell that its trouble is gone. Without `alerts`
    what is open stays to be told. Raises what `book` raises: LedgerError.
    """
    now = [_storable(problem) for problem in now]
    change = changes(book.problems(), now, judges)
    for problem in change.raised:
        book.raise_problem(_stored(problem, at))
    for gone in change.over:
        book.over(gone.key, at)
    known = book.problems()
    new = [one for one in known if not (one.told_at or one.over_at)]
    over = [one for one in known if one.over_at]
    nobody = AlertResult(frozenset(one.key for one in over))
    told = nobody if alerts is None else alerts.tell(new, over)
    for one in known:
        if one.key in told.keys and one.over_at:
            book.forget(one.key)
        elif one.key in told.keys:
            book.told(one.key, at)
    return ProblemReport(change.raised, change.over, told.reasons)


def _storable(problem: Problem) -> Problem:
    """With the key as the ledger will give it back, lest it is raised by every pass."""
    return replace(problem, key=words(problem.key))


def _stored(problem: Problem, at: datetime) -> StoredProblem:
    return StoredProblem(
        key=problem.key,
        account=problem.account,
        what=problem.what,
        subject=problem.subject,
        message=problem.message,
        fix=problem.fix,
        raised_at=at,
    )


class ProblemStore(Protocol):
    """Where troubles are kept: the ledger, or `ProblemsInMemory` while there is none to be had."""

    def problems(self) -> tuple[StoredProblem, ...]:
        """Return all that are open, and those that are over and were not told so."""
        ...

    def raise_problem(self, problem: StoredProblem) -> None:
        """Keep one as new, in place of one of the same key."""
        ...

    def told(self, key: str, at: datetime) -> None:
        """The operator was told of it."""
        ...

    def over(self, key: str, at: datetime) -> None:
        """It is gone."""
        ...

    def forget(self, key: str) -> None:
        """The operator was told that it is over; an open one stays."""
        ...


class ProblemsInMemory:
    """Keeps troubles for as long as the process lives: for that of a ledger that cannot be used."""

    def __init__(self) -> None:
        self._rows: dict[str, StoredProblem] = {}

    def problems(self) -> tuple[StoredProblem, ...]:
        """Return them, oldest first."""
        return tuple(sorted(self._rows.values(), key=lambda each: (each.raised_at, each.key)))

    def raise_problem(self, problem: StoredProblem) -> None:
        """Keep one as new, in place of one of the same key."""
        self._rows[problem.key] = replace(problem, told_at=None, over_at=None)

    def told(self, key: str, at: datetime) -> None:
        """The operator was told of it; the first time is kept."""
        if row := self._rows.get(key):
            self._rows[key] = replace(row, told_at=row.told_at or at)

    def over(self, key: str, at: datetime) -> None:
        """It is gone; the first time is kept."""
        if row := self._rows.get(key):
            self._rows[key] = replace(row, over_at=row.over_at or at)

    def forget(self, key: str) -> None:
        """Drop it, unless it is open."""
        row = self._rows.get(key)
        if row is not None and row.over_at is not None:
            del self._rows[key]
