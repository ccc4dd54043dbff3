"""X's prices in US dollars, with their date.

These are the pay-per-use prices of X's documentation (docs.x.com, X API, Pricing). The functions
count only the creation of posts and their pictures: not reading posts, not deleting, not tax. X
does not document whether it bills a refused request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.formatter.x.entities import urls


@dataclass(frozen=True, slots=True)
class XPrices:
    """US dollars for each call; valid since `since`, last looked up on `read`.

    `post` and `post_with_url` are for creating a post; `own_post` is for each post that a read of
    the account's own timeline returns, where the account owns the app; `delete` is for deleting a
    post; `media_metadata` is for the alternative text of an upload. The upload has no price.
    """

    post: Decimal
    post_with_url: Decimal
    own_post: Decimal
    delete: Decimal
    media_metadata: Decimal
    since: date
    read: date


PRICES = XPrices(
    post=Decimal("0.015"),
    post_with_url=Decimal("0.200"),
    own_post=Decimal("0.001"),
    delete=Decimal("0.010"),
    media_metadata=Decimal("0.005"),
    since=date(2026, 4, 20),
    read=date(2026, 8, 22),
)


def post_price(text: str) -> Decimal:
    """Return the US dollars that X bills for creating a post of `text`.

    One link is enough for the higher price, and everything that X links counts, such as `cs.AI`.
    """
    return PRICES.post_with_url if urls(text) else PRICES.post


def thread_price(posts: Iterable[str], pictures: int = 0) -> Decimal:
    """Return the US dollars for creating posts with the texts `posts` once; retries cost extra.

    `pictures` is the number of pictures in them.
    """
    return sum(map(post_price, posts), PRICES.media_metadata * pictures + Decimal("0.000"))


def month_price(thread: Decimal, threads_a_month: int = 30) -> Decimal:
    """Return the US dollars for a month in which every thread costs `thread`."""
    return thread * threads_a_month
