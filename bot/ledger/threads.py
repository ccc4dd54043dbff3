"""Stores complete threads before their first post is sent, and reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from bot.ledger.errors import LedgerError
from bot.ledger.file import LedgerFile, Value
from bot.ledger.rows import (
    PlannedPost,
    PlannedThread,
    StoredThread,
    columns,
    read_post,
    read_row,
    write_media,
    write_rich,
)
from bot.model import State

# CROSS JOIN makes SQLite begin with the few open threads, whatever the other conditions are
_OPEN = (
    "(SELECT DISTINCT thread FROM posts WHERE state NOT IN ('sent', 'retracted'))"
    " CROSS JOIN threads ON number = thread"
)


class Threads(LedgerFile):
    """The part of the ledger about threads, and the log of the requests for each thread."""

    def plan(self, thread: PlannedThread, at: datetime) -> StoredThread:
        """Store a thread; if the ledger has it already, change nothing and return it.

        Raises LedgerError where the account was on another network before: its threads would be
        continued with texts and ids of the wrong network.
        """
        account, network = thread.account, thread.network
        with self.together():
            if stored := self.thread(account, thread.digest, thread.generation):
                return stored
            self._fetch(
                "INSERT INTO accounts VALUES (:name, :network) ON CONFLICT DO NOTHING",
                name=account,
                network=network.value,
            )
            (row,) = self._fetch("SELECT network FROM accounts WHERE name = :name", name=account)
            if row["network"] != network:
                raise LedgerError(
                    f"the account {account} is on {row['network']} in the ledger {self._path}, and "
                    f"on {network} in the settings",
                    f"Give the account on {network} another name.",
                )
            number = self._insert(
                "threads",
                **columns(thread, "posts", "papers"),
                papers=" ".join(thread.papers),
                planned_at=at,
            )
            self._insert_posts(number, account, thread.posts, at)
            return self.refresh(number)

    def replan(self, number: int, posts: Sequence[PlannedPost], at: datetime) -> StoredThread:
        """Replace the posts of a thread that was never tried, to match a chain that was found.

        Raises LedgerError where a post of the thread was tried or is published.
        """
        with self.together():
            old = self.refresh(number)
            if any(post.state is not State.PLANNED or post.tries for post in old.posts):
                raise LedgerError(
                    f"the thread of {old.digest} on {old.account} was begun, so its posts cannot "
                    "change"
                )
            self._fetch("DELETE FROM pictures WHERE thread = :number", number=number)
            self._fetch("DELETE FROM posts WHERE thread = :number", number=number)
            self._insert_posts(number, old.account, posts, at)
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
            f"SELECT threads.* FROM {_OPEN if unfinished else 'threads'} WHERE {conditions}"  # noqa: S608 - names that this package defines
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
        self._change(sql, number=number, at=at)
        return self.refresh(number)

    def checked(self, number: int, at: datetime) -> StoredThread:
        """Record when the finished thread was read completely."""
        sql = "UPDATE threads SET checked_at = :at WHERE number = :number"
        self._change(sql, number=number, at=at)
        return self.refresh(number)

    def picture(self, number: int, position: int) -> bytes:
        """Return the bytes of a post's picture; empty where it has none, or they are deleted."""
        sql = "SELECT data FROM pictures WHERE thread = :number AND position = :position"
        rows = self._fetch(sql, number=number, position=position)
        return bytes(rows[0][0]) if rows else b""

    def _read(self, row: sqlite3.Row) -> StoredThread:
        sql = "SELECT * FROM posts WHERE thread = :number ORDER BY position"
        number: int = row["number"]
        posts = self._fetch(sql, number=number)
        try:
            return read_row(StoredThread, row, posts=tuple(map(read_post, posts)))
        except (ValueError, TypeError, KeyError) as error:
            raise LedgerError(
                f"thread {number} in the ledger {self._path} cannot be read: {error}",
                "Restore a backup of the ledger.",
            ) from error

    def _insert_posts(
        self, number: int, account: str, posts: Sequence[PlannedPost], at: datetime
    ) -> None:
        """Insert the posts of a thread, and the bytes of their pictures."""
        for post in posts:
            self._insert(
                "posts",
                **columns(post, "media", "spans", "card"),
                thread=number,
                account=account,
                media=write_media(post.media),
                rich=write_rich(post.spans, post.card),
                state=State.PLANNED.value,
                id="",
                url="",
                tries=0,
                misses=0,
                missed_after=0.0,
                reason="",
                changed_at=at,
                refusals=0,
            )
            for media in post.media[:1]:
                if media.data:
                    self._insert("pictures", thread=number, position=post.position, data=media.data)


def _near(day: date, days: int) -> str:
    """Return the day that is `days` away, or `day` where the calendar has no such day."""
    try:
        return (day + timedelta(days=days)).isoformat()
    except OverflowError:
        return day.isoformat()
