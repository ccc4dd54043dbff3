"""Prepare a digest and its papers for templates: tidied, defused, and fitted to an account.

The field names are the variables of templates, and must not change: operators write templates with
them. docs/templates.md lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bot.formatter.areas import areas
from bot.formatter.defuse import defuse
from bot.formatter.x.entities import EntityKind, entities
from bot.model import COUNT_KINDS, Account, Digest, Links, Metrics, Network, Paper

_NETWORK_NAMES = frozenset(("twitter", "x", "mastodon", "bluesky"))
_MOST_HASHTAGS = 3
_MOST_AREAS = 1
_FEW_NAMES = 3
_MOST_NAMES = 30
_LONGEST_NAME = 40
_LONGEST_TITLE = 60
_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class View:
    """A class whose fields templates may read: they hold plain values."""


@dataclass(frozen=True, slots=True)
class PaperView(View):
    """A paper as `{{ paper }}`.

    `id` is the arXiv id, else the DOI, else the address of the paper's page. `label` is `arXiv:`
    and the id, `doi:` and the DOI, or the address as plain text. `reference` is the paper's link
    where this account links papers, else its label. `authors` and `title` may be shortened;
    `summary` holds as many complete sentences of the abstract as there is room for. `counts` are
    the counts in words, such as `67 upvotes, 3 comments`, without those that are 0; it may be
    empty. `retweets` and `favorites` are numbers, for the `number` filter.
    """

    rank: int
    title: str
    authors: str
    counts: str
    retweets: int
    favorites: int
    areas: tuple[str, ...]
    id: str
    label: str
    reference: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class DigestView(View):
    """A digest as `{{ digest }}`.

    `title` always names the day; `days` has the day in words. The digest has `total` papers: this
    thread has `shown` of them, and `more` are left out. `ranked_by` says by what they are ranked,
    such as `upvotes on Hugging Face`, empty where the digest claims no ranking. `counted` says when
    the counts were made last, empty where the digest does not say. `url` is the digest's page,
    empty where no page is known or the account has no links.
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
    ranked_by: str
    counted: str
    url: str


def digest_view(digest: Digest, account: Account, shown: int) -> DigestView:
    """Return the view of a tidied digest whose first `shown` papers the account publishes."""
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
        ranked_by=defuse(digest.ranked_by, account.network),
        counted=_moment(max(moments)) if moments else "",
        url=digest.url if account.links is not Links.NONE and _is_link(digest.url, account) else "",
    )


def paper_view(paper: Paper, account: Account) -> PaperView:
    """Return the view of a tidied paper with its full title, all authors and no summary."""
    label = defuse(paper.label, account.network)
    return PaperView(
        rank=paper.rank,
        title=defuse(paper.title, account.network),
        authors=defuse(_joined(paper.authors), account.network),
        counts=counts_in_words(paper.metrics),
        retweets=paper.metrics.number("retweets"),
        favorites=paper.metrics.number("favorites"),
        areas=areas(paper.categories)[:_MOST_AREAS],
        id=paper.key,
        label=label,
        reference=(
            paper.link
            if account.links is Links.EVERY and (paper.arxiv_id or _is_link(paper.link, account))
            else label
        ),
    )


def _is_link(url: str, account: Account) -> bool:
    """Tell whether the account's network makes one link of the whole address.

    X takes a part of an address for a link where it does not know the host's top-level domain.
    """
    if account.network is not Network.TWITTER:
        return True
    return [(each.kind, each.text) for each in entities(url)] == [(EntityKind.URL, url)]


def counts_in_words(metrics: Metrics) -> str:
    """Return counts such as `1,234 upvotes, 1 comment`, without those that are 0."""
    named = ((COUNT_KINDS[kind], min(number, _BILLION)) for kind, number in metrics.counts)
    return ", ".join(f"{n:,} {kind.one if n == 1 else kind.many}" for kind, n in named if n)


def author_forms(paper: Paper, network: Network) -> tuple[str, ...]:
    """Return the ways to write the authors, longest first.

    They are all names; fewer names with the last and the number of the others, such as `Ada, Bo, …
    Zoë (+7)`; and the shortest: the first name, cut, or two or three family names.
    """
    names = paper.authors
    if len(names) <= 1:
        every = [*names, *(cut_at_word(name, _LONGEST_NAME) for name in names)] or [""]
    elif len(names) <= _FEW_NAMES:
        short = [cut_at_word(name.split()[-1], _LONGEST_NAME) for name in names]
        every = [_joined(names), _joined(short)]
    else:
        every = [_joined(names)]
        every += (
            f"{', '.join(names[:shown])}, … {names[-1]} (+{len(names) - shown - 1})"
            for shown in range(min(len(names) - 2, _MOST_NAMES), 0, -1)
        )
        every.append(f"{cut_at_word(names[0], _LONGEST_NAME)} (+{len(names) - 1})")
    return tuple(dict.fromkeys(defuse(form, network) for form in every))


def _joined(names: Sequence[str]) -> str:
    return " & ".join(names) if len(names) == 2 else ", ".join(names)  # noqa: PLR2004 - a pair


def hashtags(digest: Digest, account: Account) -> tuple[str, ...]:
    """Return the account's hashtags, else up to three of the digest's tags, in CamelCase with `#`.

    On X, where readers hardly search by tags, only an account's own hashtags are used.
    """
    if account.hashtags is not None:
        return tuple(f"#{tag}" for tag in account.hashtags)
    if account.network is Network.TWITTER:
        return ()
    tags = (_camel(tag) for tag in digest.tags if tag.casefold() not in _NETWORK_NAMES)
    return tuple(f"#{tag}" for tag in dict.fromkeys(tags) if tag)[:_MOST_HASHTAGS]


def titled(digest: Digest) -> str:
    """Return the digest's title, with its days added where it lacks them.

    So no two digests have the same title. A long title is cut, to leave room for the rest of a
    post.
    """
    title = cut_at_word(digest.title, _LONGEST_TITLE)
    days = sorted({digest.day.isoformat(), digest.last_day.isoformat()})
    return title if all(day in title for day in days) else f"{title} {' - '.join(days)}"


def in_words(first: date, last: date) -> str:
    """Return days in words: `22 June 2021`, or `30 October to 1 November 2020`."""
    if first == last:
        return f"{first.day} {first:%B} {first.year}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%B}{year} to {in_words(last, last)}"


def _moment(moment: datetime) -> str:
    return f"{in_words(moment.date(), moment.date())}, {moment:%H:%M} UTC"


def cut_at_word(text: str, longest: int) -> str:
    """Return at most `longest` characters of `text`; a cut text ends in an ellipsis.

    The cut is between words where a word ends in the second half, else between grapheme clusters.
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


def _camel(tag: str) -> str:
    words: Iterable[str] = re.findall(r"\w+", tag)
    joined = "".join(word if not word.islower() else word.capitalize() for word in words)
    return joined if re.search(r"[^\W\d_]", joined) else ""
