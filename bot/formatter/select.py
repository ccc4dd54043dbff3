"""Select the papers of a digest that an account publishes, and tidy the digest's texts."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.formatter.summary import telling
from bot.formatter.tidy import tidy, tidy_prose
from bot.formatter.views import cut_at_word
from bot.model import Account, Digest, Paper

# Text is untrusted: a text longer than any real title, name or abstract is cut before it is
# processed.
_LONGEST_LINE = 1_000
_LONGEST_ABSTRACT = 20_000


def tidied(digest: Digest) -> Digest:
    """Return the digest with its texts tidied and its papers sorted by rank.

    One call serves any number of accounts.
    """
    papers = sorted(digest.papers, key=lambda paper: paper.rank)
    return replace(
        digest,
        title=_line(digest.title),
        tags=tuple(map(_line, digest.tags)),
        papers=tuple(map(_tidied, papers)),
    )


def selected(digest: Digest, account: Account) -> Digest:
    """Return the digest with only the account's papers, ranked again where any is left out.

    An entry of `exclude` leaves out a paper whose key or author it is, or whose title has it
    as complete words; upper and lower case do not matter.
    """
    kept = [paper for paper in digest.papers if _wanted(paper, account)]
    if len(kept) < len(digest.papers):
        kept = [replace(paper, rank=rank) for rank, paper in enumerate(kept, 1)]
    return replace(digest, papers=tuple(kept))


def _tidied(paper: Paper) -> Paper:
    title, abstract = _line(paper.title), tidy_prose(paper.abstract[:_LONGEST_ABSTRACT])
    return replace(
        paper,
        title=title,
        authors=tuple(filter(None, map(_line, paper.authors))),
        abstract=abstract,
        says=telling(title, abstract),
    )


def _line(text: str) -> str:
    return cut_at_word(tidy(text[: 2 * _LONGEST_LINE]), _LONGEST_LINE)


def _wanted(paper: Paper, account: Account) -> bool:
    if account.categories and not set(account.categories) & set(paper.categories):
        return False
    return not any(_excluded(paper, entry.casefold()) for entry in account.exclude)


def _excluded(paper: Paper, entry: str) -> bool:
    if entry in (paper.key.casefold(), *(name.casefold() for name in paper.authors)):
        return True
    return bool(re.search(rf"(?<!\w){re.escape(entry)}(?!\w)", paper.title.casefold()))
