"""What X bills, in US dollars: one table, dated.

Pay-per-use prices of X's own documentation (docs.x.com, X API, Pricing). The functions count the
creation of posts and their pictures and nothing else: not reading posts back, not deleting, not
tax; and nobody outside X can say whether a refused request is billed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bot.formatter.x.entities import urls


@dataclass(frozen=True, slots=True)
class XPrices:
    """US dollars a call; valid `since`, last looked up `read`.

    `post` and `post_with_url` are for creating one; `own_post` for each post returned of the
    account's own timeline, where the account owns the app; `delete` for deleting one;
    `media_metadata` for the alternative text of an upload, which itself is in no price list.
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
    """Return the US dollars X bills for creating a post of `text`.

    A link is what X takes for one, however many there are: `cs.AI` makes the dear kind of post.
    """
    return PRICES.post_with_url if urls(text) else PRICES.post


def thread_price(posts: Iterable[str], pictures: int = 0) -> Decimal:
    """Return the US dollars for creating each of `posts` once (their texts); retries cost extra.

    `pictures` is how many travel with them.
    """
    return sum(map(post_price, posts), PRICES.media_metadata * pictures + Decimal("0.000"))


def month_price(thread: Decimal, threads_a_month: int = 30) -> Decimal:
    """Return the US dollars a month, where every thread costs `thread`."""
    return thread * threads_a_month
