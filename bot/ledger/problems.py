"""Stores the problems that were reported, so that a restart or a deploy reports none twice."""

from __future__ import annotations

from datetime import datetime

from bot.ledger.file import LedgerFile
from bot.ledger.rows import StoredProblem, columns, read_row


class Problems(LedgerFile):
    """The part of the ledger about problems. A problem whose end was reported is deleted."""

    def problems(self) -> tuple[StoredProblem, ...]:
        """Return the open problems and those whose end was not reported yet; oldest first."""
        rows = self._fetch("SELECT * FROM troubles ORDER BY raised_at, key")
        return tuple(read_row(StoredProblem, row, fix=row["mend"]) for row in rows)

    def raise_problem(self, problem: StoredProblem) -> None:
        """Store a problem as new and not reported, in place of one with the same key.

        A problem that returns before the report of its end was confirmed is new too: the operator
        may have received that report, and must learn that the problem exists again.
        """
        row = columns(problem, "fix", "told_at", "over_at")
        self._insert("troubles", replaces=True, mend=problem.fix, **row)

    def told(self, key: str, at: datetime) -> None:
        """Record when the problem was reported to the operator; the first time is kept."""
        sql = "UPDATE troubles SET told_at = coalesce(told_at, :at) WHERE key = :key"
        self._change(sql, key=key, at=at)

    def over(self, key: str, at: datetime) -> None:
        """Record when the problem ended; the first time is kept."""
        sql = "UPDATE troubles SET over_at = coalesce(over_at, :at) WHERE key = :key"
        self._change(sql, key=key, at=at)

    def forget(self, key: str) -> None:
        """Delete a problem that is over; an open problem is kept."""
        sql = "DELETE FROM troubles WHERE key = :key AND over_at IS NOT NULL"
        self._change(sql, key=key)
