"""Writes a digest as Markdown in its publisher's format, and hypothesis strategies for digests."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from html import escape

from hypothesis import strategies as st

from bot.digests.parse import ranking
from bot.http.urls import slug_of
from bot.model import COUNT_KINDS, Digest, Mention, Metrics, Paper

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def tweeted(retweets: int, favorites: int, as_of: datetime | None = None) -> Metrics:
    """The counts of a paper that was shared on Twitter."""
    return Metrics((("retweets", retweets), ("favorites", favorites)), as_of)


def write(digest: Digest) -> str:
    """The Markdown of a digest, in the real format."""
    quoted = "\n".join(f"  - {json.dumps(tag)}" for tag in digest.tags)
    lines = [
        "---",
        f"title: {json.dumps(digest.title)}",
        f"date: {digest.published:%Y-%m-%dT%H:%M:%S}.Z",
        f"draft: {str(digest.draft).lower()}",
        f"slug: {json.dumps(digest.slug)}",
        f"category: {json.dumps(digest.category)}",
        *(["tags:", quoted] if digest.tags else []),
        f"description: {json.dumps(digest.description)}",
        *([f"url: {json.dumps(digest.url)}"] if digest.url else []),
        *([f"ranked: {json.dumps(digest.ranked_by)}"] if digest.ranked_by else []),
        *([f"source: {json.dumps(digest.source)}"] if digest.source else []),
        "",
        "---",
        "",
    ]
    return "\n".join([*lines, *map(section, digest.papers), ""])


def section(paper: Paper) -> str:
    """One paper's part of the Markdown."""
    metrics = paper.metrics
    counted = f" ({metrics.as_of:%m/%d/%Y %H:%M:%S})" if metrics.as_of else ""
    counts = ", ".join(f"{kind}: {number}" for kind, number in metrics.counts)
    pdf = f" | [pdf]({paper.pdf_url})" if paper.pdf_url else ""
    categories = " | ".join(f"[{c}](https://arxiv.org/list/{c}/recent)" for c in paper.categories)
    return "\n".join(
        [
            f"# {paper.rank}. {paper.title}",
            "",
            ", ".join(paper.authors),
            "",
            *([f"- {counts}{counted}", ""] if counts else []),
            f"- links: [abs]({paper.abs_url}){pdf}",
            *([f"- {categories}"] if categories else []),
            "",
            paper.abstract,
            "",
            *map(tweet, paper.mentions),
            "",
            "",
            "",
        ]
    )


def tweet(mention: Mention) -> str:
    """One embedded tweet, in the markup of X's embed code."""
    text = escape(mention.text).replace("\n", "<br>")
    day = mention.date
    shown = f"{MONTHS[day.month - 1]} {day.day}, {day.year}" if day else ""
    return (
        f'<blockquote class="twitter-tweet"><p lang="{mention.language}" dir="ltr">{text}</p>'
        f"&mdash; {escape(mention.author)} (@{mention.handle}) "
        f'<a href="{escape(mention.url)}">{shown}</a></blockquote>\n'
        '<script async src="https://platform.twitter.com/widgets.js" charset="utf-8"></script>\n'
    )


# What the format can hold: a line has no line break and no white space at its ends.
letters = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
line = st.text(letters, min_size=1, max_size=60).map(str.strip).filter(bool)
STRUCTURE = ("#", "-", "<", "![", "---")
prose_line = line.filter(lambda text: not text.startswith(STRUCTURE))
abstracts = st.lists(prose_line, max_size=3).map("\n\n".join)
names = line.map(lambda text: text.replace(",", "").strip()).filter(
    lambda text: bool(text) and not text.startswith("-")
)
words = st.text("abcdefghij-", min_size=1, max_size=12)
moments = st.datetimes(datetime(2007, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001 - aware below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
arxiv_ids = st.one_of(
    st.from_regex(r"[0-9]{4}\.[0-9]{4,5}", fullmatch=True),
    st.from_regex(r"(math|hep-th|cond-mat)/[0-9]{7}", fullmatch=True),
)
categories = st.lists(
    st.sampled_from(["cs.LG", "cs.AI", "stat.ML", "quant-ph", "math.AG", "eess.IV"]),
    max_size=4,
    unique=True,
).map(tuple)
counted = st.tuples(st.sampled_from(sorted(COUNT_KINDS)), st.integers(0, 10**9))
metrics = st.one_of(
    st.just(Metrics()),
    st.builds(
        Metrics,
        st.lists(counted, min_size=1, max_size=4, unique_by=lambda pair: pair[0]).map(tuple),
        st.one_of(st.none(), moments),
    ),
)
tweet_lines = st.text(letters, max_size=40)
mentions = st.builds(
    Mention,
    author=line,
    handle=st.from_regex(r"[A-Za-z0-9_]{1,15}", fullmatch=True),
    text=st.lists(tweet_lines, min_size=1, max_size=3).map("\n".join),
    language=st.sampled_from(["en", "ja", "und"]),
    url=words.map("https://twitter.com/x/status/{}?a=1&b=2".format),
    date=st.one_of(st.none(), st.dates(date(2007, 1, 1), date(2030, 1, 1))),
)


@st.composite
def papers(draw: st.DrawFn, rank: int, arxiv_id: str) -> Paper:
    return Paper(
        rank=rank,
        title=draw(line),
        authors=tuple(draw(st.lists(names, min_size=1, max_size=12))),
        metrics=draw(metrics),
        arxiv_id=arxiv_id,
        abs_url=f"https://arxiv.org/abs/{arxiv_id}",
        pdf_url=draw(st.sampled_from(["", f"https://arxiv.org/pdf/{arxiv_id}"])),
        categories=draw(categories),
        abstract=draw(abstracts),
        mentions=tuple(draw(st.lists(mentions, max_size=2))),
    )


@st.composite
def digests(draw: st.DrawFn, max_papers: int = 5) -> Digest:
    ids = draw(st.lists(arxiv_ids, max_size=max_papers, unique=True))
    day = draw(st.dates(date(2007, 1, 1), date(2030, 1, 1)))
    last = draw(st.one_of(st.just(day), st.dates(day, date(2030, 1, 2))))
    named = day.isoformat() if day == last else f"{day} - {last}"
    ranked = tuple(draw(papers(rank, arxiv_id)) for rank, arxiv_id in enumerate(ids, 1))
    return Digest(
        slug=slug_of(f"{draw(words)}-{named}"),
        title=f"{draw(line)} {named}",
        day=day,
        last_day=last,
        published=draw(moments),
        papers=ranked,
        draft=draw(st.booleans()),
        category=draw(st.one_of(st.just(""), line)),
        tags=tuple(draw(st.lists(line, max_size=3))),
        description=draw(st.one_of(st.just(""), line)),
        url=draw(st.sampled_from(["", "https://example.org/a-page"])),
        ranked_by=ranking(ranked),
        source=draw(st.sampled_from(["", "https://example.org/list"])),
    )
