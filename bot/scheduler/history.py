"""What the ledger knows of an account that decides what the worker does for it now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from bot.digests.result import SourceResult
from bot.ledger.rows import time_of
from bot.model import Digest, State
from bot.scheduler.decide import DAY, AccountHistory

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_RECENT = 50  # threads; a worker begins three a day at most
_NOTHING_IN = "nothing in"


def account_history(
    ledger: Ledger, account: str, now: datetime, waits: Mapping[str, datetime]
) -> AccountHistory:
    """Look up what the account had last, and which of its threads are open."""
    recent = ledger.threads(account, most=_RECENT)
    unchecked = [
        thread
        for thread in recent
        if thread.checked_at is None and all(post.state in _OVER for post in thread.posts)
    ]
    every = [*((t.day, t.published) for t in recent), *_nothing_in(ledger, account)]
    # a day that is yet to come is a slip of the publisher's pen: nothing waits for it to pass
    past = [each for each in every if each[0] <= (now + 2 * DAY).date()]
    return AccountHistory(
        threads=(*ledger.threads(account, unfinished=True), *unchecked),
        last=max(past, default=None),
        begun=tuple(t.planned_at for t in recent if now - t.planned_at < DAY),
        waits=waits,
    )


def record_nothing_for(ledger: Ledger, account: str, digest: Digest) -> None:
    """Keep that a digest has nothing for the account, which is past it as if it had gone out."""
    ledger.set_fact(account, _NOTHING_IN, f"{digest.day} {digest.published.isoformat()}")


def _nothing_in(ledger: Ledger, account: str) -> Iterator[tuple[date, datetime]]:
    """The newest digest that had nothing for the account, if any."""
    day, _, published = (ledger.get_fact(account, _NOTHING_IN) or "").partition(" ")
    if published:
        yield date.fromisoformat(day), time_of(published)


def with_known_slugs(
    known: AccountHistory, ledger: Ledger, account: str, candidates: Iterable[SourceResult]
) -> AccountHistory:
    """The same, with those of the digests on `candidates` that the account had."""
    slugs = {reading.digest.slug for reading in candidates if reading.digest}
    return replace(known, known=frozenset(s for s in slugs if ledger.thread(account, s)))


_OVER = (State.SENT, State.RETRACTED)
