"""Digest to text: the Markdown that `parse` reads, so that a digest can be kept and published.

The same digest gives the same text. Reading the text gives the same digest, where its texts are
lines as `one_line` and `author_name` make them and as `parse` reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape

from bot.digests.tweets import MONTHS
from bot.model import Digest, Mention, Paper

_STRUCTURE = re.compile(r"\A(?:[#<\s-]|!\[)+")


def one_line(text: str) -> str:
    """Return a text as one line that no reader takes for a part of the format."""
    return _STRUCTURE.sub("", " ".join(text.split()))


def author_name(name: str) -> str:
    """Return a name as the list of authors can hold it: a comma would make two names of it."""
    return one_line(name.replace(",", " "))


def markdown(digest: Digest) -> str:
    """Return the Markdown of a digest, front matter included."""
    texts = {
        "slug": digest.slug,
        "category": digest.category,
        "description": digest.description,
        "url": digest.url,
        "ranked": digest.ranked_by,
        "source": digest.source,
    }
    lines = [
        "---",
        f"title: {_quoted(digest.title)}",
        f"date: {digest.published:%Y-%m-%dT%H:%M:%SZ}",
        f"draft: {str(digest.draft).lower()}",
        *(f"{key}: {_quoted(text)}" for key, text in texts.items() if text),
        *(["tags:"] if digest.tags else []),
        *(f"  - {_quoted(tag)}" for tag in digest.tags),
        "---",
        "",
    ]
    return "\n".join([*lines, *(line for paper in digest.papers for line in _section(paper))])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _section(paper: Paper) -> Iterator[str]:
    yield from (f"# {paper.rank}. {paper.title}", "")
    if paper.authors:
        yield from (", ".join(paper.authors), "")
    if paper.metrics.counts:
        counts = ", ".join(f"{kind}: {number}" for kind, number in paper.metrics.counts)
        as_of = paper.metrics.as_of
        yield from (f"- {counts}{f' ({as_of:%m/%d/%Y %H:%M:%S})' if as_of else ''}", "")
    doi = f"https://doi.org/{paper.doi}" if paper.doi else ""
    links = {"abs": paper.abs_url, "pdf": paper.pdf_url, "doi": doi}
    yield "- links: " + " | ".join(f"[{name}]({url})" for name, url in links.items() if url)
    if paper.categories:
        listed = (f"[{area}](https://arxiv.org/list/{area}/recent)" for area in paper.categories)
        yield "- " + " | ".join(listed)
    yield ""
    if paper.abstract:
        yield from (paper.abstract, "")
    for mention in paper.mentions:
        yield from (_tweet(mention), "")


def _tweet(mention: Mention) -> str:
    """Write a tweet in the markup of X's embed code."""
    text = escape(mention.text).replace("\n", "<br>")
    day = mention.date
    shown = f"{MONTHS.split()[day.month - 1]} {day.day}, {day.year}" if day else ""
    return (
        f'<blockquote class="twitter-tweet"><p lang="{mention.language}" dir="ltr">{text}</p>'
        f"&mdash; {escape(mention.author)} (@{mention.handle}) "
        f'<a href="{escape(mention.url)}">{shown}</a></blockquote>'
    )
