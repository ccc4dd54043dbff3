"""One section of a digest to one Paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.digests import tweets
from bot.errors import Malformed
from bot.http.urls import page_address
from bot.model import COUNT_KINDS, Mention, Metrics, Paper

_RANKED = re.compile(r"([0-9]{1,6})\.(?:[ \t]+(.*))?$")
_COUNT = r"[A-Za-z]{1,20}:[ \t]*[0-9][0-9,]{0,14}"
_METRICS = re.compile(rf"-[ \t]+({_COUNT}(?:,[ \t]*{_COUNT}){{0,9}})(?:[ \t]*\(([^()]*)\))?$")
_BEGINS_METRICS = re.compile(rf"-[ \t]+(?:{'|'.join(COUNT_KINDS)}):")
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
_ABOUT = re.compile(
    r"https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf)/"
    r"([0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7})(?:v[0-9]+)?(?:\.pdf)?/?$"
)
# The characters that no network takes for the end of an address.
_DOI = re.compile(r"https?://(?:dx\.)?doi\.org/(10\.[0-9]{4,9}/[A-Za-z0-9._;/-]{1,200})$")
_MOMENT = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})[ \t]+([0-9]{1,2}):([0-9]{2}):([0-9]{2})$"
)
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)$")
MOST_AUTHORS = 200
LONGEST_AUTHORS = 20_000
"""How many authors of a paper are read, and how many characters of all their names."""
LONGEST_ADDRESS = 120
"""Characters of the address of a paper: it stands in a post, where nothing may cut it."""
_BULLET = re.compile(r"-[ \t]")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading's text, its line (from 1), and the lines below it up to the next heading."""

    line: int
    heading: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """What the lines of a section gave so far."""

    authors: list[str] = field(default_factory=list)
    authors_done: bool = False
    metrics: Metrics | None = None
    unread: int | None = None
    links: dict[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    abstract: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)


def read_paper(section: Section, where: str) -> tuple[Paper, tuple[str, ...]]:
    """Read one paper; returns it and warnings.

    Raises Malformed, with the line and what was expected there, without rank and title, without a
    link to the paper, or where its counts cannot be read. A paper without counts is one.
    """
    ranked = _RANKED.match(section.heading)
    if ranked is None or not ranked[2]:
        raise Malformed(where, section.line, "expected a heading like `# 1. Title`")
    found = _Found()
    warnings = tuple(_read_lines(section, found, where))
    if found.metrics is None and found.unread is not None:
        expected = "expected a line like `- retweets: 12, favorites: 34 (06/23/2021 10:32:04)`"
        raise Malformed(where, found.unread, expected)
    abs_url, pdf_url = found.links.get("abs", ""), found.links.get("pdf", "")
    about = _ABOUT.match(abs_url) or _ABOUT.match(pdf_url)
    arxiv_id = re.sub(r"\.[A-Z]{2}/", "/", about[1]) if about else ""
    doi = next((match[1] for url in found.links.values() if (match := _DOI.match(url))), "")
    pages = filter(None, map(_page, found.links.values()))
    if about:
        abs_url = abs_url if _ABOUT.match(abs_url) else f"https://arxiv.org/abs/{arxiv_id}"
        pdf_url = pdf_url if _ABOUT.match(pdf_url) else ""
    elif not (abs_url := _page(abs_url) or next(pages, "")):
        expected = "expected a line like `- links: [abs](https://arxiv.org/abs/2106.10934) | ...`"
        raise Malformed(where, section.line, expected)
    paper = Paper(
        rank=int(ranked[1]),
        title=ranked[2].strip(),
        authors=_authors(found.authors),
        metrics=found.metrics or Metrics(),
        arxiv_id=arxiv_id,
        abs_url=abs_url,
        pdf_url=pdf_url if about else _page(pdf_url),
        categories=found.categories,
        abstract="\n".join(found.abstract).strip(),
        mentions=tuple(found.mentions),
        doi=doi,
    )
    return paper, warnings


def _page(url: str) -> str:
    """Return a link as the address of a paper's page; empty where it is none, or too long."""
    address = page_address(url)
    return address if len(address) <= LONGEST_ADDRESS else ""


def _authors(lines: Sequence[str]) -> tuple[str, ...]:
    """The names in the lines of authors; `MOST_AUTHORS` at most, as no post has room for more."""
    joined = " ".join(lines)[:LONGEST_AUTHORS]
    names = filter(None, map(str.strip, joined.split(",", MOST_AUTHORS)[:MOST_AUTHORS]))
    return tuple(names)


def _read_lines(section: Section, found: _Found, where: str) -> Iterator[str]:
    """Sort each line into `found`; gives a warning for each that should say something and fails."""
    lines = enumerate(section.lines, section.line + 1)
    for number, raw in lines:
        line = raw.strip()
        if tweets.OPENING.match(line):
            markup, size = [line], len(line)
            while tweets.CLOSING not in markup[-1] and size <= tweets.LONGEST:
                following = next(lines, None)
                if following is None:
                    break
                markup.append(following[1].strip())
                size += len(markup[-1]) + 1
            mention = tweets.mention("\n".join(markup))
            if mention is None:
                yield f"{where}:{number}: a tweet that cannot be read is left out"
            else:
                found.mentions.append(mention)
        elif not (line.startswith("<script") or _IMAGE.match(line)):
            yield from _read_line(number, line, found, where)


def _read_line(number: int, line: str, found: _Found, where: str) -> Iterator[str]:
    counts = None if found.metrics or found.abstract else _METRICS.match(line)
    if counts:
        pairs = [pair.split(":") for pair in re.findall(_COUNT, counts[1])]
        known = {name.lower(): int(count.replace(",", "")) for name, count in pairs}
        for name in known.keys() - COUNT_KINDS.keys():
            del known[name]
            yield f"{where}:{number}: the count {name!r} is not known, and is left out"
        found.metrics = Metrics(tuple(known.items()), _as_of(counts[2] or ""))
    elif _BEGINS_METRICS.match(line) and not found.abstract:
        found.unread = number
    elif line.startswith("- links:"):
        found.links = dict(_LINK.findall(line))
    elif line.startswith("- [") and not found.abstract:
        found.categories = tuple(code for code, url in _LINK.findall(line) if "/list/" in url)
    elif found.metrics is None and not found.links:
        # the first paragraph is the authors', however many lines it has
        if not line:
            found.authors_done = bool(found.authors)
        elif not (found.authors_done or _BULLET.match(line)):
            found.authors.append(line)
    elif not found.mentions if found.abstract else line and not _BULLET.match(line):
        # the abstract ends at the first tweet, and bullets before it belong to nothing
        found.abstract.append(line)


def _as_of(text: str) -> datetime | None:
    """`06/23/2021 10:32:04`: month first, UTC as the publisher's clock is."""
    match = _MOMENT.match(text.strip())
    if match is None:
        return None
    month, day, year, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
