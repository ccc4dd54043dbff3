"""Send an alert once for each problem, and once more when the problem is over.

The ledger records which problems were reported. So a restart reports nothing twice, and the next
pass reports what could not be reported. An alert may arrive twice, if the service took it and its
answer was lost, or if the program was killed in between. No alert is lost. For the same reason a
problem that comes back before its end was surely reported is reported again.
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
    """The keys of the problems that were reported, and why an address took no alert."""

    keys: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProblemReport:
    """The problems that are new or over, and why an address took no alert."""

    raised: tuple[Problem, ...]
    over: tuple[StoredProblem, ...]
    reasons: tuple[str, ...]


class AlertSender(Protocol):
    """Sends alerts to the operator: `Alerts`."""

    def tell(self, raised: Sequence[StoredProblem], over: Sequence[StoredProblem]) -> AlertResult:
        """Send one alert with all of these problems; never raises."""
        ...


def report(
    book: ProblemStore,
    alerts: AlertSender | None,
    now: Collection[Problem],
    judges: Callable[[str], bool],
    at: datetime,
) -> ProblemReport:
    """Record the problems that a pass found and those that are over, and report what is new.

    `judges` tells of a key whether this pass could see that its problem is over. Without `alerts`
    open problems stay unreported. Raises LedgerError, as `book` does.
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
    """Return the problem with its key as the ledger returns it, so that both compare equal."""
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
    """Where problems are recorded: the ledger, or `ProblemsInMemory` while it cannot be used."""

    def problems(self) -> tuple[StoredProblem, ...]:
        """Return the open problems, and those that are over without a report of it."""
        ...

    def raise_problem(self, problem: StoredProblem) -> None:
        """Record a new problem, in place of one with the same key."""
        ...

    def told(self, key: str, at: datetime) -> None:
        """Record that the problem was reported."""
        ...

    def over(self, key: str, at: datetime) -> None:
        """Record that the problem is over."""
        ...

    def forget(self, key: str) -> None:
        """Delete a problem whose end was reported; an open one stays."""
        ...


class ProblemsInMemory:
    """Records problems as long as the process lives, while the ledger cannot be used."""

    def __init__(self) -> None:
        self._rows: dict[str, StoredProblem] = {}

    def problems(self) -> tuple[StoredProblem, ...]:
        """Return the problems, the oldest first."""
        return tuple(sorted(self._rows.values(), key=lambda each: (each.raised_at, each.key)))

    def raise_problem(self, problem: StoredProblem) -> None:
        """Record a new problem, in place of one with the same key."""
        self._rows[problem.key] = replace(problem, told_at=None, over_at=None)

    def told(self, key: str, at: datetime) -> None:
        """Record that the problem was reported; the first time counts."""
        if row := self._rows.get(key):
            self._rows[key] = replace(row, told_at=row.told_at or at)

    def over(self, key: str, at: datetime) -> None:
        """Record that the problem is over; the first time counts."""
        if row := self._rows.get(key):
            self._rows[key] = replace(row, over_at=row.over_at or at)

    def forget(self, key: str) -> None:
        """Delete the problem, unless it is open."""
        row = self._rows.get(key)
        if row is not None and row.over_at is not None:
            del self._rows[key]
