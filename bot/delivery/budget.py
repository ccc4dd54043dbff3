"""Compares the cost of a thread with what the account may still spend this month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.formatter.x.prices import PRICES
from bot.ledger.rows import Spending, StoredPost
from bot.model import Account, Post
from bot.posters.poster import Poster, RemotePost

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_COUNTED = "month counted"


@dataclass(frozen=True, slots=True)
class BudgetRefusal:
    """Why a thread is not begun, and when it may be begun."""

    reason: str
    until: datetime


def over_budget(
    ledger: Ledger,
    poster: Poster,
    account: Account,
    posts: Sequence[Post] | Sequence[StoredPost],
    now: datetime,
) -> BudgetRefusal | None:
    """Return why a thread of these posts could exceed the account's budget; None if it cannot.

    The cost includes the posts, their pictures, and one read of each post. The month's spending is
    what the ledger knows: see `count_month`.
    """
    if account.monthly_budget is None:
        return None
    cost = sum((poster.cost(post.text) for post in posts), Decimal(0))
    cost += PRICES.own_post * len(posts)
    cost += PRICES.media_metadata * sum(len(post.media) for post in posts)
    spent = ledger.spent(account.name, month_of(now))
    if spent + cost <= account.monthly_budget:
        return None
    return BudgetRefusal(
        f"the thread costs ${cost:.2f}, and ${spent:.2f} of this month's "
        f"${account.monthly_budget:.2f} is spent, so it is not begun. Raise "
        "TWITTER_MONTHLY_BUDGET, or set TWITTER_LINKS=closing to make threads cheaper",
        next_month(now),
    )


def count_month(
    ledger: Ledger, poster: Poster, account: Account, now: datetime
) -> tuple[RemotePost, ...]:
    """Add the cost of this month's posts that the ledger does not know, once for each month.

    Returns the posts that were read: none if the month is counted already, or the account has no
    budget. Raises CannotRead.
    """
    start = month_of(now)
    counted_to = ledger.get_fact(account.name, _COUNTED) or ""
    if account.monthly_budget is None or counted_to >= start.isoformat():
        return ()
    look = poster.look(start)
    known = ledger.spent(account.name, start)
    counted = sum((poster.cost(post.text) for post in look.posts), Decimal(0))
    if counted > known:
        ledger.spend(Spending(account.name, now, "counted", counted - known))
    if look.cost:
        ledger.spend(Spending(account.name, now, "read", look.cost))
    ledger.set_fact(account.name, _COUNTED, start.isoformat())
    return look.posts


def month_of(now: datetime) -> datetime:
    """Return the beginning of the month, UTC."""
    return datetime(now.year, now.month, 1, tzinfo=UTC)


def next_month(now: datetime) -> datetime:
    """Return the beginning of the next month, UTC."""
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
