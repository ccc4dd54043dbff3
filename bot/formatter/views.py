"""What a template sees: a digest and its papers, tidied, defused, in an account's own terms.

The names here are the variables of the templates, a contract with everybody who wrote
one; docs/templates.md lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from bot.formatter.areas import areas
from bot.formatter.defuse import defuse
from bot.model import Account, Digest, Links, Network, Paper

_NETWORK_NAMES = frozenset(("twitter", "x", "mastodon", "bluesky"))
_MOST_HASHTAGS = 3
_MOST_AREAS = 2
_MOST_NAMES = 8
_LONGEST_TITLE = 60


class View:
    """What is made to be seen by templates: plain values, all of them safe to be read."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PaperView(View):
    """A paper as `{{ paper }}`.

    `reference` is what leads to it: its link where this account links papers, else `arXiv:` and its
    id. `authors` and `title` may have been shortened, `summary` is as many whole sentences of the
    abstract as there is room for. Counts are numbers, for the `number` filter.
    """

    rank: int
    title: str
    authors: str
    retweets: int
    favorites: int
    areas: tuple[str, ...]
    id: str
    reference: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class DigestView(View):
    """A digest as `{{ digest }}`.

    `title` always names the day; `days` says it in words. `total` papers are in it, `shown` of them
    in this thread, `more` not. `counted` says when retweets and favorites were counted last, empty
    where the digest does not. `url` is its page, empty where none is known or no links are wanted.
    """

    title: str
    slug: str
    day: date
    last_day: date
    days: str
    published: datetime
    total: int
    shown: int
    more: int
    counted: str
    url: str


def digest_view(digest: Digest, account: Account, shown: int) -> DigestView:
    """The view of a tidied digest of whose papers the first `shown` are published."""
    moments = [paper.metrics.as_of for paper in digest.papers if paper.metrics.as_of]
    return DigestView(
        title=defuse(titled(digest), account.network),
        slug=digest.slug,
        day=digest.day,
        last_day=digest.last_day,
        days=in_words(digest.day, digest.last_day),
        published=digest.published,
        total=len(digest.papers),
        shown=shown,
        more=len(digest.papers) - shown,
        counted=_moment(max(moments)) if moments else "",
        url="" if account.links is Links.NONE else digest.url,
    )


def paper_view(paper: Paper, account: Account) -> PaperView:
    """The view of a tidied paper with its full title and all authors, and no summary yet."""
    return PaperView(
        rank=paper.rank,
        title=defuse(paper.title, account.network),
        authors=defuse(", ".join(paper.authors), account.network),
        retweets=paper.metrics.retweets,
        favorites=paper.metrics.favorites,
        areas=areas(paper.categories)[:_MOST_AREAS],
        id=paper.arxiv_id,
        reference=_reference(paper, account),
    )


def author_forms(paper: Paper, network: Network) -> tuple[str, ...]:
    """How the authors may be written, longest first: all eight, the first "et al.", cut."""
    names = paper.authors
    if not names:
        return ("",)
    rest = " et al." if len(names) > 1 else ""
    every = [", ".join(names)] if len(names) <= _MOST_NAMES else []
    forms = (*every, names[0] + rest, cut_at_word(names[0], 40) + rest)
    return tuple(dict.fromkeys(defuse(form, network) for form in forms))


def hashtags(digest: Digest, account: Account) -> tuple[str, ...]:
    """The account's own, else up to three of the digest's tags, in CamelCase, with their `#`.

    X, where a tag is no way to be found, gets none unless the account asks.
    """
    if account.hashtags is not None:
        return tuple(f"#{tag}" for tag in account.hashtags)
    if account.network is Network.TWITTER:
        return ()
    tags = (_camel(tag) for tag in digest.tags if tag.casefold() not in _NETWORK_NAMES)
    return tuple(f"#{tag}" for tag in dict.fromkeys(tags) if tag)[:_MOST_HASHTAGS]


def titled(digest: Digest) -> str:
    """The digest's title, with its days where it does not name them: no two digests share it.

    A long title is cut, so that it leaves room for the rest of a post.
    """
    title = cut_at_word(digest.title, _LONGEST_TITLE)
    days = sorted({digest.day.isoformat(), digest.last_day.isoformat()})
    return title if all(day in title for day in days) else f"{title} {' - '.join(days)}"


def in_words(first: date, last: date) -> str:
    """`22 June 2021`, or `30 October to 1 November 2020`."""
    if first == last:
        return f"{first.day} {first:%B} {first.year}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%B}{year} to {in_words(last, last)}"


def _moment(moment: datetime) -> str:
    """`23 June 2021, 10:32 UTC`."""
    return f"{in_words(moment.date(), moment.date())}, {moment:%H:%M} UTC"


def cut_at_word(text: str, longest: int) -> str:
    """At most `longest` characters of `text`, the last of them an ellipsis where it was cut.

    Cut between words where one ends in the second half, else between grapheme clusters.
    """
    if len(text) <= longest:
        return text
    import regex

    kept = ""
    for cluster in regex.findall(r"\X", text):
        if len(kept) + len(cluster) >= longest:
            break
        kept += cluster
    space = kept.rfind(" ")
    if not text[len(kept)].isspace() and space > longest // 2:
        kept = kept[:space]
    return kept.rstrip(" ,;:.-\u2013\u2014") + "…"


def _reference(paper: Paper, account: Account) -> str:
    if account.links is not Links.EVERY:
        return f"arXiv:{paper.arxiv_id}"
    return f"https://arxiv.org/abs/{paper.arxiv_id}"


def _camel(tag: str) -> str:
    words: Iterable[str] = re.findall(r"\w+", tag)
    joined = "".join(word if not word.islower() else word.capitalize() for word in words)
    return joined if re.search(r"[^\W\d_]", joined) else ""
