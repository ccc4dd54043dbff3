"""Stores what belongs to an account: limits, spending, facts, its session, its newest post."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from bot.ledger.base import Base
from bot.ledger.columns import dollars, micros, stamp, time_of, words
from bot.ledger.rows import Spending, StoredLimit, StoredThread

LONGEST_LIMIT = timedelta(days=31)
"""How long a network's limit lasts at most. X's longest limit lasts a month."""


class Accounts(Base):
    """The part of the ledger about accounts and digests."""

    def limit(self, limit: StoredLimit) -> None:
        """Store a limit that a network named; it replaces the last one of its kind."""
        self._change(
            "INSERT INTO limits VALUES (:account, :kind, :until, :reason)"
            " ON CONFLICT (account, kind) DO UPDATE SET until = :until, reason = :reason",
            account=limit.account,
            kind=limit.kind,
            until=stamp(limit.until),
            reason=words(limit.reason),
        )

    def limits(self, account: str, at: datetime) -> tuple[StoredLimit, ...]:
        """Return the account's limits that are in force at `at`.

        A limit that ends more than `LONGEST_LIMIT` later is left out: it was stored while the clock
        was ahead.
        """
        rows = self._fetch(
            "SELECT * FROM limits WHERE account = :account AND until > :at AND until <= :latest"
            " ORDER BY kind",
            account=account,
            at=stamp(at),
            latest=stamp(at + LONGEST_LIMIT),
        )
        return tuple(
            StoredLimit(account, row["kind"], time_of(row["until"]), row["reason"]) for row in rows
        )

    def spend(self, spending: Spending) -> None:
        """Add to what the account spent, rounded up to a millionth of a dollar."""
        with self._writing() as db:
            row = {
                "account": spending.account,
                "at": stamp(spending.at),
                "kind": spending.kind,
                "micros": micros(spending.amount),
            }
            db.table("spending").insert(row)

    def spent(self, account: str, since: datetime) -> Decimal:
        """Return the US dollars that the account spent at `since` and later."""
        rows = self._fetch(
            "SELECT coalesce(sum(micros), 0) FROM spending WHERE account = :account AND at >= :at",
            account=account,
            at=stamp(since),
        )
        return dollars(rows[0][0])

    def get_fact(self, account: str, name: str) -> str | None:
        """Return the fact that is stored for the account under this name."""
        rows = self._fetch(
            "SELECT value FROM facts WHERE account = :account AND name = :name",
            account=account,
            name=name,
        )
        return str(rows[0][0]) if rows else None

    def set_fact(self, account: str, name: str, value: str) -> None:
        """Store a fact, such as the account's id on its network. Never a secret."""
        self._change(
            "INSERT INTO facts VALUES (:account, :name, :value)"
            " ON CONFLICT (account, name) DO UPDATE SET value = :value",
            account=account,
            name=name,
            value=words(value),
        )

    def introduce(self, account: str, facts: Mapping[str, str], others: Mapping[str, str]) -> str:
        """Store who an account is, or return which of `others` it is and store nothing.

        `facts` has "who" and "asked as". `others` are names of accounts, each with the "asked as"
        for which its stored facts are valid. Two calls at the same time see each other.
        """
        with self._writing():
            for name, asked_as in others.items():
                known = self.get_fact(name, "asked as") == asked_as
                if known and facts["who"] and self.get_fact(name, "who") == facts["who"]:
                    return name
            for name, value in facts.items():
                self.set_fact(account, name, value)
        return ""

    def session(self, account: str) -> str:
        """Return the session that `keep_session` stored; empty where there is none. A secret."""
        sql = "SELECT session FROM sessions WHERE account = :account"
        rows = self._fetch(sql, account=account)
        return str(rows[0][0]) if rows else ""

    def keep_session(self, account: str, session: str) -> None:
        """Store the account's login session; only the owner of the ledger's file may read it."""
        self._change(
            "INSERT INTO sessions VALUES (:account, :session)"
            " ON CONFLICT (account) DO UPDATE SET session = :session",
            account=account,
            session=words(session),
        )

    def last_known(self, account: str, before: int | None = None) -> tuple[str, datetime] | None:
        """Return id and time of the newest published post of the account, over all threads.

        With `before` the posts of the thread of this number are left out.
        """
        rows = self._fetch(
            "SELECT id, sent_at FROM posts WHERE account = :account AND state = 'sent'"
            " AND thread IS NOT :before"
            " ORDER BY sent_at DESC, thread DESC, position DESC LIMIT 1",
            account=account,
            before=before,
        )
        return (rows[0]["id"], time_of(rows[0]["sent_at"])) if rows else None

    def known_ids(self, account: str, number: int, among: Iterable[str]) -> frozenset[str]:
        """Return those of the ids in `among` that belong to other threads than `number`."""
        sql = (
            "SELECT 1 FROM posts WHERE account = :account AND id = :id AND id <> ''"
            " AND thread <> :number"
        )
        return frozenset(
            each for each in among if self._fetch(sql, account=account, id=each, number=number)
        )

    def published_papers(self, account: str, since: datetime) -> frozenset[str]:
        """Return the keys of the papers whose own post was published at `since` or later."""
        rows = self._fetch(
            "SELECT part FROM posts WHERE account = :account AND state = 'sent'"
            " AND sent_at >= :since AND part NOT IN ('opening', 'closing')",
            account=account,
            since=stamp(since),
        )
        return frozenset(row["part"] for row in rows)

    def digest_seen(self, slug: str, fingerprint: str, title: str, at: datetime) -> None:
        """Store a digest's fingerprint at the source; write nothing where it has not changed."""
        if self.fingerprint(slug) != fingerprint:
            self._change(
                "INSERT INTO digests VALUES (:slug, :fingerprint, :title, :at)"
                " ON CONFLICT (slug) DO UPDATE SET fingerprint = :fingerprint, title = :title,"
                " seen_at = :at",
                slug=slug,
                fingerprint=fingerprint,
                title=title,
                at=stamp(at),
            )

    def fingerprint(self, slug: str) -> str | None:
        """Return the fingerprint that a digest was last seen with."""
        rows = self._fetch("SELECT fingerprint FROM digests WHERE slug = :slug", slug=slug)
        return str(rows[0][0]) if rows else None

    def changed(self, thread: StoredThread) -> bool:
        """Tell whether the digest changed at the source since the thread was planned."""
        return self.fingerprint(thread.digest) not in (None, thread.fingerprint)
