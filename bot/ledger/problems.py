"""Troubles that are known, so that a restart or a deploy tells nobody again."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from bot.ledger.base import Base
from bot.ledger.columns import moment, stamp, time_of, words
from bot.ledger.rows import StoredProblem


class Problems(Base):
    """The part of the ledger about troubles. What is told and over is forgotten."""

    def problems(self) -> tuple[StoredProblem, ...]:
        """Return all that are open, and those that are over and were not told so; oldest first."""
        return tuple(map(_read, self._fetch("SELECT * FROM troubles ORDER BY raised_at, key")))

    def raise_problem(self, problem: StoredProblem) -> None:
        """Keep a trouble as a new one, of which nobody was told, in place of one of the same key.

        One that comes back before its end was surely told is new, too: whoever heard of the end
        must hear that it is not so.
        """
        self._change(
            "INSERT OR REPLACE INTO troubles"
            " (key, account, what, subject, message, mend, raised_at)"
            " VALUES (:key, :account, :what, :subject, :message, :mend, :raised_at)",
            key=words(problem.key),
            account=words(problem.account),
            what=words(problem.what),
            subject=words(problem.subject),
            message=words(problem.message),
            mend=words(problem.fix),
            raised_at=stamp(problem.raised_at),
        )

    def told(self, key: str, at: datetime) -> None:
        """The operator was told of the trouble; the first time is kept."""
        sql = "UPDATE troubles SET told_at = coalesce(told_at, :at) WHERE key = :key"
        self._change(sql, key=words(key), at=stamp(at))

    def over(self, key: str, at: datetime) -> None:
        """The trouble is gone; the first time is kept."""
        sql = "UPDATE troubles SET over_at = coalesce(over_at, :at) WHERE key = :key"
        self._change(sql, key=words(key), at=stamp(at))

    def forget(self, key: str) -> None:
        """The operator was told that it is over, or there is nobody to tell; an open one stays."""
        sql = "DELETE FROM troubles WHERE key = :key AND over_at IS NOT NULL"
        self._change(sql, key=words(key))


def _read(row: sqlite3.Row) -> StoredProblem:
    return StoredProblem(
        key=row["key"],
        account=row["account"],
        what=row["what"],
        subject=row["subject"],
        message=row["message"],
        fix=row["mend"],
        raised_at=time_of(row["raised_at"]),
        told_at=moment(row["told_at"]),
        over_at=moment(row["over_at"]),
    )
