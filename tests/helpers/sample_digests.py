"""Makes digests of a given day, and their Markdown, for the tests of sources."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from bot.model import Digest, Mention, Paper
from tests.helpers.digest_writer import tweeted, write

PAPER = Paper(
    rank=1,
    title="On  Weighing *Clouds* with a_b & $x^2$",
    authors=("Ada Sample", "Zoë Beispiel"),
    metrics=tweeted(12, 34, datetime(2021, 6, 23, 10, 32, 4, tzinfo=UTC)),
    arxiv_id="2106.00001",
    abs_url="https://arxiv.org/abs/2106.00001",
    pdf_url="https://arxiv.org/pdf/2106.00001",
    categories=("cs.LG", "stat.ML"),
    abstract="We weigh clouds, see https://example.org/clouds, for 5 < 6.",
    mentions=(
        Mention(
            "Ada (x)",
            "ada_sample",
            "New & hot\n#clouds",
            "en",
            "https://twitter.com/ada_sample/status/1?a=1&b=2",
            date(2021, 6, 22),
        ),
    ),
)


def digest(
    day: str, *, slug: str | None = None, last_day: str = "", papers: tuple[Paper, ...] = (PAPER,)
) -> Digest:
    """The digest of an ISO day, published at noon of the next."""
    first, last = date.fromisoformat(day), date.fromisoformat(last_day or day)
    named = day if first == last else f"{first} - {last}"
    return Digest(
        slug=f"hot-papers-{day}" if slug is None else slug,
        title=f"Hot Papers {named}",
        day=first,
        last_day=last,
        published=datetime.combine(last + timedelta(days=1), time(12), UTC),
        papers=papers,
        tags=("arXiv",),
        ranked_by="retweets and likes on Twitter" if papers else "",
    )


def markdown(day: str, *, slug: str | None = None, papers: tuple[Paper, ...] = (PAPER,)) -> bytes:
    """The Markdown of the digest of an ISO day."""
    return write(digest(day, slug=slug, papers=papers)).encode()
