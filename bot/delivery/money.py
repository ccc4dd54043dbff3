"""What a thread would cost, against what may be spent in a month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.ledger.rows import Spending
from bot.model import Account, Thread
from bot.posters.poster import Poster

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_COUNTED = "month counted"
_ONE_READ = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a thread is not begun, and when it may be."""

    reason: str
    until: datetime


def over_budget(
    ledger: Ledger, poster: Poster, account: Account, thread: Thread, now: datetime
) -> Refusal | None:
    """Whether beginning `thread` could pass the account's monthly budget; None where it cannot.

    Counted are its posts, and one reading of each. A ledger that does not know the whole month
    counts it anew from the account's own posts. Raises CannotRead.
    """
    if account.monthly_budget is None:
        return None
    start = month_of(now)
    _count_month(ledger, poster, account, start, now)
    cost = sum((poster.cost(post.text) for post in thread.posts), Decimal(0))
    cost += _ONE_READ * len(thread.posts)
    spent = ledger.spent(account.name, start)
    if spent + cost <= account.monthly_budget:
        return None
    return Refusal(
        f"the thread costs ${cost:.2f}, ${spent:.2f} of this month's ${account.monthly_budget:.2f} "
        "is spent: it is not begun (TWITTER_MONTHLY_BUDGET, or TWITTER_LINKS=closing to make it "
        "cheaper)",
        next_month(now),
    )


def _count_month(
    ledger: Ledger, poster: Poster, account: Account, start: datetime, now: datetime
) -> None:
    """Once a month and ledger: add what was posted since `start` that the ledger does not know."""
    if (ledger.fact(account.name, _COUNTED) or "") >= start.isoformat():
        return
    look = poster.look(start)
    known = ledger.spent(account.name, start)
    counted = sum((poster.cost(post.text) for post in look.posts), Decimal(0))
    if counted > known:
        ledger.spend(Spending(account.name, now, "counted", counted - known))
    if look.cost:
        ledger.spend(Spending(account.name, now, "read", look.cost))
    ledger.remember(account.name, _COUNTED, start.isoformat())


def month_of(now: datetime) -> datetime:
    """The beginning of the month, UTC."""
    return datetime(now.year, now.month, 1, tzinfo=UTC)


def next_month(now: datetime) -> datetime:
    """The beginning of the next month, UTC."""
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
