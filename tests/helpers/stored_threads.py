"""Threads as the ledger stores them, for tests of what is decided about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Network, State

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def post(state: State, **fields: object) -> StoredPost:
    made = StoredPost(
        position=0,
        part="opening",
        key="key",
        text="words",
        token="words",
        media=(),
        state=state,
        id="",
        url="",
        tries=0,
        tried_at=None,
        doubted_at=None,
        misses=0,
        missed_after=0.0,
        reason="so it was",
    )
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


def thread(*posts: StoredPost, checked: bool = False) -> StoredThread:
    return StoredThread(
        number=1,
        account="twitter",
        network=Network.TWITTER,
        digest="hot-papers-2026-02-28",
        day=date(2026, 2, 28),
        generation=0,
        title="Hot Papers 2026-02-28",
        published=NOW - timedelta(hours=1),
        fingerprint="as it was",
        language="en",
        visibility="public",
        planned_at=NOW,
        looked_at=None,
        checked_at=NOW if checked else None,
        posts=tuple(replace(each, position=index) for index, each in enumerate(posts)),
    )
