"""Which papers of a digest an account publishes, and the digest's texts made fit to be shown."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.formatter.tidy import tidy, tidy_prose
from bot.formatter.views import cut_at_word
from bot.model import Account, Digest, Paper

# Text is untrusted: what is longer than any real title, name or abstract is cut before it is
# worked through.
_LONGEST_LINE = 1_000
_LONGEST_ABSTRACT = 20_000


def tidied(digest: Digest) -> Digest:
    """The digest with its texts tidied and its papers by rank: once, for any number of accounts."""
    papers = sorted(digest.papers, key=lambda paper: paper.rank)
    return replace(
        digest,
        title=_line(digest.title),
        tags=tuple(map(_line, digest.tags)),
        papers=tuple(map(_tidied, papers)),
    )


def selected(digest: Digest, account: Account) -> Digest:
    """The digest with only the papers this account publishes, ranked anew where any is left out.

    An entry of `exclude` keeps out the paper that has it for its arXiv id or for an author, or has
    it in its title as whole words; upper and lower case are the same.
    """
    kept = [paper for paper in digest.papers if _wanted(paper, account)]
    if len(kept) < len(digest.papers):
        kept = [replace(paper, rank=rank) for rank, paper in enumerate(kept, 1)]
    return replace(digest, papers=tuple(kept))


def _tidied(paper: Paper) -> Paper:
    return replace(
        paper,
        title=_line(paper.title),
        authors=tuple(filter(None, map(_line, paper.authors))),
        abstract=tidy_prose(paper.abstract[:_LONGEST_ABSTRACT]),
    )


def _line(text: str) -> str:
    return cut_at_word(tidy(text[: 2 * _LONGEST_LINE]), _LONGEST_LINE)


def _wanted(paper: Paper, account: Account) -> bool:
    if account.categories and not set(account.categories) & set(paper.categories):
        return False
    return not any(_excluded(paper, entry.casefold()) for entry in account.exclude)


def _excluded(paper: Paper, entry: str) -> bool:
    if entry in (paper.arxiv_id.casefold(), *(name.casefold() for name in paper.authors)):
        return True
    return bool(re.search(rf"(?<!\w){re.escape(entry)}(?!\w)", paper.title.casefold()))
