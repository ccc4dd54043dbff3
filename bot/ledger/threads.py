"""Stores complete threads before their first post is sent, and reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bot.ledger.base import Base
from bot.ledger.columns import read_attempt, read_thread, stamp, words, write_media, write_rich
from bot.ledger.errors import LedgerError
from bot.ledger.reader import Value
from bot.ledger.rows import Attempt, PlannedPost, PlannedThread, StoredThread
from bot.model import Network, State

if TYPE_CHECKING:
    from sqlite_utils import Database

# CROSS JOIN makes SQLite begin with the few open threads, whatever the other conditions are
_OPEN = (
    "(SELECT DISTINCT thread FROM posts WHERE state NOT IN ('sent', 'retracted'))"
    " CROSS JOIN threads ON number = thread"
)


class Threads(Base):
    """The part of the ledger about threads, and the log of the requests for each thread."""

    def plan(self, thread: PlannedThread, at: datetime) -> StoredThread:
        """Store a thread; if the ledger has it already, change nothing and return it.

        Raises LedgerError where the account was on another network before: its threads would be
        continued with texts and ids of the wrong network.
        """
        with self._writing() as db:
            stored = self.thread(thread.account, thread.digest, thread.generation)
            if stored is None:
                self._register(db, thread.account, thread.network)
                number = _insert_thread(db, thread, at)
                _insert_posts(db, number, thread.account, thread.posts, at)
                _insert_pictures(db, number, thread.posts)
                stored = self.refresh(number)
            return stored

    def replan(self, number: int, posts: Sequence[PlannedPost], at: datetime) -> StoredThread:
        """Replace the posts of a thread that was never tried, to match a chain that was found.

        Raises LedgerError where a post of the thread was tried or is published.
        """
        with self._writing() as db:
            old = self.refresh(number)
            if any(post.state is not State.PLANNED or post.tries for post in old.posts):
                raise LedgerError(
                    f"the thread of {old.digest} on {old.account} was begun, so its posts cannot "
                    "change"
                )
            for table in ("pictures", "posts"):
                self._change(f"DELETE FROM {table} WHERE thread = :number", number=number)  # noqa: S608 - names of ours
            _insert_posts(db, number, old.account, posts, at)
            _insert_pictures(db, number, posts)
            return self.refresh(number)

    def neighbours(self, account: str, day: date) -> tuple[StoredThread, ...]:
        """Return the account's threads of digests of that day, the day before and the day after.

        Each digest has its latest generation only. The thread that was planned last comes first.
        """
        rows = self._fetch(
            "SELECT * FROM threads WHERE account = :account AND day BETWEEN :first AND :last"
            " AND generation = (SELECT max(generation) FROM threads AS other"
            " WHERE other.account = threads.account AND other.digest = threads.digest)"
            " ORDER BY number DESC",
            account=account,
            first=_near(day, -1),
            last=_near(day, 1),
        )
        return tuple(map(self._read, rows))

    def thread(
        self, account: str, digest: str, generation: int | None = None
    ) -> StoredThread | None:
        """Return a thread, by default of the latest generation; None if there is none."""
        rows = self._fetch(
            "SELECT * FROM threads WHERE account = :account AND digest = :digest"
            " AND generation = coalesce(:generation, generation)"
            " ORDER BY generation DESC LIMIT 1",
            account=account,
            digest=digest,
            generation=generation,
        )
        return self._read(rows[0]) if rows else None

    def threads(
        self,
        account: str | None = None,
        digest: str | None = None,
        *,
        unfinished: bool = False,
        most: int | None = None,
    ) -> tuple[StoredThread, ...]:
        """Return at most `most` threads; the thread that was planned last comes first.

        `unfinished` are those with a post that is neither sent nor retracted.
        """
        filters: dict[str, Value] = {"account": account, "digest": digest}
        used = {name: value for name, value in filters.items() if value is not None}
        conditions = " AND ".join(["1", *(f"{name} = :{name}" for name in used)])
        rows = self._fetch(
            f"SELECT threads.* FROM {_OPEN if unfinished else 'threads'} WHERE {conditions}"  # noqa: S608 - names of our own columns
            " ORDER BY number DESC LIMIT :most",
            most=-1 if most is None else most,
            **used,
        )
        return tuple(map(self._read, rows))

    def refresh(self, number: int) -> StoredThread:
        """Return a thread in its present state. Raises LedgerError for an unknown number."""
        rows = self._fetch("SELECT * FROM threads WHERE number = :number", number=number)
        if not rows:
            raise LedgerError(f"the ledger {self._path} has no thread number {number}")
        return self._read(rows[0])

    def looked(self, number: int, at: datetime) -> StoredThread:
        """Record when the account was read for this thread; the first time is kept."""
        sql = "UPDATE threads SET looked_at = coalesce(looked_at, :at) WHERE number = :number"
        self._change(sql, number=number, at=stamp(at))
        return self.refresh(number)

    def checked(self, number: int, at: datetime) -> StoredThread:
        """Record when the finished thread was read completely."""
        sql = "UPDATE threads SET checked_at = :at WHERE number = :number"
        self._change(sql, number=number, at=stamp(at))
        return self.refresh(number)

    def attempt(self, number: int, attempt: Attempt) -> None:
        """Add a request to the log of a thread; entries of the log never change."""
        self._change(
            "INSERT INTO attempts (thread, at, kind, position, outcome, detail)"
            " VALUES (:thread, :at, :kind, :position, :outcome, :detail)",
            thread=number,
            at=stamp(attempt.at),
            kind=attempt.kind,
            position=attempt.position,
            outcome=attempt.outcome,
            detail=words(attempt.detail),
        )

    def attempts(self, number: int) -> tuple[Attempt, ...]:
        """Return the log of a thread, oldest entry first."""
        sql = "SELECT * FROM attempts WHERE thread = :number ORDER BY number"
        return tuple(map(read_attempt, self._fetch(sql, number=number)))

    def _read(self, row: sqlite3.Row) -> StoredThread:
        sql = "SELECT * FROM posts WHERE thread = :number ORDER BY position"
        number: int = row["number"]
        posts = self._fetch(sql, number=number)
        try:
            return read_thread(row, posts)
        except (ValueError, TypeError, KeyError) as error:
            raise LedgerError(
                f"thread {number} in the ledger {self._path} cannot be read: {error}",
                "Restore a backup of the ledger.",
            ) from error

    def _register(self, db: Database, account: str, network: Network) -> None:
        db.execute(
            "INSERT INTO accounts VALUES (:name, :network) ON CONFLICT DO NOTHING",
            {"name": account, "network": network.value},
        )
        known = self._fetch("SELECT network FROM accounts WHERE name = :name", name=account)[0][0]
        if known != network:
            raise LedgerError(
                f"the account {account} is on {known} in the ledger {self._path}, and on {network} "
                "in the settings",
                f"Give the account on {network} another name.",
            )


def _near(day: date, days: int) -> str:
    """Return the day that is `days` away, or `day` where the calendar has no such day."""
    try:
        return (day + timedelta(days=days)).isoformat()
    except OverflowError:
        return day.isoformat()


def _insert_thread(db: Database, thread: PlannedThread, at: datetime) -> int:
    row = {
        "account": thread.account,
        "network": thread.network.value,
        "digest": thread.digest,
        "day": thread.day.isoformat(),
        "generation": thread.generation,
        "title": thread.title,
        "published": stamp(thread.published),
        "fingerprint": thread.fingerprint,
        "language": thread.language,
        "visibility": thread.visibility,
        "planned_at": stamp(at),
        "papers": " ".join(thread.papers),
        "owner": thread.owner,
    }
    return int(db.table("threads").insert(row).last_rowid or 0)


def _insert_posts(
    db: Database, number: int, account: str, posts: Sequence[PlannedPost], at: datetime
) -> None:
    db.table("posts").insert_all(
        {
            "thread": number,
            "position": post.position,
            "account": account,
            "part": post.part,
            "key": post.key,
            "text": post.text,
            "token": post.token,
            "media": write_media(post.media),
            "rich": write_rich(post.spans, post.card),
            "state": State.PLANNED.value,
            "id": "",
            "url": "",
            "tries": 0,
            "misses": 0,
            "missed_after": 0.0,
            "reason": "",
            "changed_at": stamp(at),
            "refusals": 0,
        }
        for post in posts
    )


def _insert_pictures(db: Database, number: int, posts: Sequence[PlannedPost]) -> None:
    db.table("pictures").insert_all(
        {"thread": number, "position": post.position, "data": media.data}
        for post in posts
        for media in post.media[:1]
        if media.data
    )
