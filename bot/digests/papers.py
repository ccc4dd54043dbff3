"""One section of a digest to one Paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.digests import tweets
from bot.errors import Malformed
from bot.model import Mention, Metrics, Paper

_RANKED = re.compile(r"([0-9]{1,6})\.(?:[ \t]+(.*))?$")
_METRICS = re.compile(
    r"-[ \t]+retweets:[ \t]*([0-9,]{1,15}),[ \t]*favorites:[ \t]*([0-9,]{1,15})"
    r"[ \t]*(?:\(([^()]*)\)[ \t]*)?$"
)
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
_ABOUT = re.compile(
    r"https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf)/"
    r"([0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7})(?:v[0-9]+)?(?:\.pdf)?/?$"
)
_MOMENT = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})[ \t]+([0-9]{1,2}):([0-9]{2}):([0-9]{2})$"
)
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)$")
MOST_AUTHORS = 200
LONGEST_AUTHORS = 20_000
"""How many authors of a paper are read, and how many characters of all their names."""
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
    links: dict[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    abstract: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)


def read_paper(section: Section, where: str) -> tuple[Paper, tuple[str, ...]]:
    """Read one paper; returns it and warnings.

    Raises Malformed, with the line and what was expected there, without rank and title, metrics, or
    a link to arXiv that gives its id.
    """
    ranked = _RANKED.match(section.heading)
    if ranked is None or not ranked[2]:
        raise Malformed(where, section.line, "expected a heading like `# 1. Title`")
    found = _Found()
    warnings = tuple(_read_lines(section, found, where))
    if found.metrics is None:
        expected = "expected a line like `- retweets: 12, favorites: 34 (06/23/2021 10:32:04)`"
        raise Malformed(where, section.line, expected)
    links = {name: url for name, url in found.links.items() if _ABOUT.match(url)}
    abs_url, pdf_url = links.get("abs", ""), links.get("pdf", "")
    about = _ABOUT.match(abs_url) or _ABOUT.match(pdf_url)
    if about is None:
        expected = "expected a line like `- links: [abs](https://arxiv.org/abs/2106.10934) | ...`"
        raise Malformed(where, section.line, expected)
    arxiv_id = re.sub(r"\.[A-Z]{2}/", "/", about[1])
    paper = Paper(
        rank=int(ranked[1]),
        title=ranked[2].strip(),
        authors=_authors(found.authors),
        metrics=found.metrics,
        arxiv_id=arxiv_id,
        abs_url=abs_url or f"https://arxiv.org/abs/{arxiv_id}",
        pdf_url=pdf_url,
        categories=found.categories,
        abstract="\n".join(found.abstract).strip(),
        mentions=tuple(found.mentions),
    )
    return paper, warnings


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
            _read_line(line, found)


def _read_line(line: str, found: _Found) -> None:
    metrics = _METRICS.match(line)
    if metrics and found.metrics is None:
        found.metrics = _metrics(metrics)
    elif line.startswith("- links:"):
        found.links = dict(_LINK.findall(line))
    elif line.startswith("- [") and not found.abstract:
        found.categories = tuple(code for code, url in _LINK.findall(line) if "/list/" in url)
    elif found.metrics is None:
        _read_authors(line, found)
    elif _belongs_to_abstract(line, found):
        found.abstract.append(line)


def _read_authors(line: str, found: _Found) -> None:
    """The first paragraph is the authors', however many lines it has; what follows is not ours."""
    if not line:
        found.authors_done = bool(found.authors)
    elif not (found.authors_done or _BULLET.match(line)):
        found.authors.append(line)


def _belongs_to_abstract(line: str, found: _Found) -> bool:
    """Once begun, the abstract goes on to the first tweet; bullets before it are not ours."""
    if found.abstract:
        return not found.mentions
    return bool(line) and not _BULLET.match(line)


def _metrics(match: re.Match[str]) -> Metrics:
    retweets, favorites, moment = match.groups()
    return Metrics(_count(retweets), _count(favorites), _as_of(moment or ""))


def _count(text: str) -> int:
    return int(text.replace(",", "") or "0")


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
