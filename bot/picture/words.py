"""Write the texts of the picture, and the alternative text for readers who do not see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.formatter.defuse import defuse
from bot.formatter.limits import twitter_length
from bot.formatter.views import counts_in_words, cut_at_word, in_words, titled
from bot.model import Digest, Network, Paper

ALT_LIMIT = 1_000
"""X's limit, the smallest; Mastodon's is 1,500 and Bluesky's 2,000."""

_TITLE_LENGTHS = range(200, 20, -5)
_LONGEST_NAME = 120


def alt(digest: Digest, papers: Sequence[Paper]) -> str:
    """Return the alternative text of the picture of `papers`: titles by rank, with their counts.

    The text is within every network's limit, and no network finds a mention, tag or link in it.
    Where it is too long, titles are shortened, the longest first; then the last papers are left
    out.
    """
    drafts = (
        _alt(digest, papers, shown, longest)
        for shown in range(len(papers), -1, -1)
        for longest in _TITLE_LENGTHS
    )
    return next(text for text in map(_harmless, drafts) if _size(text) <= ALT_LIMIT)


def heading(digest: Digest) -> str:
    """Return the digest's title without its days, which the picture shows in words."""
    title = digest.title
    for day in (digest.day, digest.last_day):
        title = title.replace(day.isoformat(), " ")
    return " ".join(title.split()).strip(" -\u2013\u2014:,.()[]|·") or "Papers"


def subject(digest: Digest, shown: int) -> str:
    """Return a line such as `The first 10 of 22 papers, ranked by upvotes on Hugging Face`."""
    total = len(digest.papers)
    papers = "One paper" if total == 1 else f"{total} papers"
    if shown < total:
        papers = f"The first {shown} of {total} papers" if shown > 1 else f"The first of {papers}"
    return f"{papers}, ranked by {digest.ranked_by}" if digest.ranked_by and total > 1 else papers


def counted(papers: Sequence[Paper]) -> str:
    """Return a line such as `counted 23 June 2021, 10:32 UTC`; empty if the time is not known."""
    moments = [paper.metrics.as_of for paper in papers if paper.metrics.as_of]
    return f"counted {_moment(max(moments))}" if moments else ""


def _alt(digest: Digest, papers: Sequence[Paper], shown: int, longest: int) -> str:
    name = cut_at_word(titled(digest), _LONGEST_NAME)
    listed = [_line(paper, longest) for paper in papers[:shown]]
    rest = [f"And {len(papers) - shown} more."] if shown < len(papers) else []
    return " ".join([f"{name}. {subject(digest, len(papers))}:", *listed, *rest])


def _line(paper: Paper, longest: int) -> str:
    title = cut_at_word(paper.title, longest).rstrip(".")
    counts = counts_in_words(paper.metrics)
    return f"{paper.rank}. {title}: {counts}." if counts else f"{paper.rank}. {title}."


def _harmless(text: str) -> str:
    """Defuse a text for every network, until no network changes it any more."""
    before = ""
    while text != before:
        before = text
        for network in Network:
            text = defuse(text, network)
    return text


def _size(text: str) -> int:
    """Return the highest length that any network counts for a text."""
    return max(len(text.encode("utf-16-le", "surrogatepass")) // 2, twitter_length(text))


def _moment(moment: datetime) -> str:
    return f"{in_words(moment.date(), moment.date())}, {moment:%H:%M} UTC"
