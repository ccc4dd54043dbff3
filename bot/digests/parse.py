"""Text to Digest: reads the Markdown of a digest, line by line.

Lines are read, not rendered: a Markdown renderer would eat the `*`, `_` and backslashes of titles
and abstracts. What a line holds reaches the model as it stands; only white space at its ends goes.
One malformed paper is left out with a warning and costs the others nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice, pairwise

from bot.digests import frontmatter
from bot.digests.papers import Section, read_paper
from bot.errors import Malformed
from bot.http.dates import moment, plausible
from bot.http.page import SIZE_CAP
from bot.http.urls import page_address, slug_of
from bot.model import COUNT_KINDS, Digest, Paper

LONGEST_LINE = 65_536
"""Characters of a line that are read."""
MOST_PAPERS = 500
_MOST_TAGS = 100
_DAY = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_HEADING = re.compile(r"#[ \t]+(.*)$")


def parse(
    text: str | bytes, where: str, *, day: date | None = None, url: str = ""
) -> tuple[Digest, tuple[str, ...]]:
    """Read a whole digest.

    `where` names it in messages, `day` is what its file name says (used where slug and title name
    no day), `url` is its page for readers. Returns the digest and warnings, a sentence each. Raises
    Malformed where this is no digest, or none of its papers can be read.
    """
    lines = _lines(text, where)
    warnings = [
        f"{where}:{number}: is longer than {LONGEST_LINE:,} characters, and is cut there"
        for number, line in enumerate(lines, 1)
        if len(line) > LONGEST_LINE
    ]
    lines = [line[:LONGEST_LINE] for line in lines]
    fields, start = frontmatter.split(lines, where)
    sections = list(islice(_sections(lines, start, where), MOST_PAPERS + 1))
    if len(sections) > MOST_PAPERS:
        line = sections.pop().line
        warnings.append(f"{where}:{line}: papers after the first {MOST_PAPERS} are left out")
    papers = tuple(_papers(sections, where, warnings))
    title = _required(fields, "title", where)
    slug, first, last = _identity(fields, day)
    published = _published(fields, where)
    digest = Digest(
        slug=slug or (first or published.date()).isoformat(),
        title=title,
        day=first or published.date(),
        last_day=last or published.date(),
        published=published,
        papers=papers,
        draft=_text(fields, "draft").lower() in ("true", "yes", "on"),
        category=_text(fields, "category"),
        tags=fields["tags"].items[:_MOST_TAGS] if "tags" in fields else (),
        description=_text(fields, "description"),
        url=page_address(url) or page_address(_text(fields, "url")),
        ranked_by=_text(fields, "ranked") or ranking(papers),
        source=page_address(_text(fields, "source")),
    )
    return digest, tuple(warnings)


def ranking(papers: Sequence[Paper]) -> str:
    """Say in words by which counts papers are ranked, such as `retweets and likes on Twitter`.

    The first count decides, with those that are counted at the same place. The result is empty
    where no paper has a count.
    """
    kinds = [kind for paper in papers for kind, _ in paper.metrics.counts]
    if not kinds:
        return ""
    place = COUNT_KINDS[kinds[0]].place
    same = (kind for kind in dict.fromkeys(kinds) if COUNT_KINDS[kind].place == place)
    names = " and ".join(COUNT_KINDS[kind].many for kind in same)
    return f"{names} on {place}" if place else names


def head(text: str, where: str = "digest") -> tuple[str, date | None, datetime | None]:
    """Read slug, last day and time of publication from a digest's first lines.

    `text` may be cut anywhere after the front matter. Raises Malformed.
    """
    lines = [line[:LONGEST_LINE] for line in _lines(text, where)]
    fields, _ = frontmatter.split(lines, where)
    slug, _, last = _identity(fields, None)
    published = _published(fields, where) if "date" in fields else None
    return slug, last, published


def days_in(name: str) -> tuple[date, date] | None:
    """Give the first and last day that a file name, slug or title names; None if it names none."""
    days = sorted(filter(None, map(_iso_day, _DAY.findall(name))))
    return (days[0], days[-1]) if days else None


def _lines(text: str | bytes, where: str) -> list[str]:
    if len(text) > SIZE_CAP:
        raise Malformed(where, 1, f"expected a digest, found more than {SIZE_CAP / 1e6:g} MB")
    if isinstance(text, bytes):
        text = _decoded(text, where)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Malformed(where, line, "expected text, found a NUL: this is a binary file")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _decoded(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Malformed(
            where, line, f"expected UTF-8, found byte 0x{raw[error.start]:02x}", "Save it as UTF-8."
        ) from error


def _text(fields: Mapping[str, frontmatter.Field], key: str) -> str:
    return " ".join(fields[key].text.split("\n")).strip() if key in fields else ""


def _required(fields: Mapping[str, frontmatter.Field], key: str, where: str) -> str:
    text = _text(fields, key)
    if not text:
        line = fields[key].line if key in fields else 1
        raise Malformed(where, line, f"expected `{key}:` with a value in the front matter")
    return text


def _identity(
    fields: Mapping[str, frontmatter.Field], day: date | None
) -> tuple[str, date | None, date | None]:
    """Slug, first and last day: the slug's own, else the title's, else the file name's."""
    slug = slug_of(_text(fields, "slug"))
    days = days_in(slug) or days_in(_text(fields, "title")) or (day, day)
    return slug, *days


def _published(fields: Mapping[str, frontmatter.Field], where: str) -> datetime:
    text = _required(fields, "date", where)
    published = moment(text)
    if published is None:
        expected = f"expected a date like 2021-02-12T09:39:48.Z, found {text[:60]!r}"
        raise Malformed(where, fields["date"].line, expected)
    return published


def _iso_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if plausible(day) else None


def _sections(lines: Sequence[str], start: int, where: str) -> Iterator[Section]:
    """Cut the body at its headings. Raises Malformed for a body that has text and no heading."""
    starts = [n for n in range(start, len(lines)) if _HEADING.match(lines[n])]
    if not starts:
        stray = next((n for n in range(start, len(lines)) if lines[n].strip()), None)
        if stray is not None:
            raise Malformed(where, stray + 1, "expected `# 1. Title`, the heading of a paper")
    for n, end in pairwise([*starts, len(lines)]):
        yield Section(n + 1, lines[n][1:].strip(), tuple(lines[n + 1 : end]))


def _papers(sections: Sequence[Section], where: str, warnings: list[str]) -> Iterator[Paper]:
    """Every paper that can be read; raises Malformed where there are sections and no paper."""
    ids: set[str] = set()
    ranks: set[int] = set()
    for section in sections:
        try:
            paper, notes = read_paper(section, where)
        except Malformed as error:
            warnings.append(f"{error.message} (left out: {section.heading[:60]!r})")
            continue
        warnings += notes
        if paper.key in ids:
            warnings.append(f"{where}:{section.line}: {paper.key} stands twice, once left out")
            continue
        if paper.rank in ranks:
            warnings.append(f"{where}:{section.line}: rank {paper.rank} stands twice, both kept")
        ids.add(paper.key)
        ranks.add(paper.rank)
        yield paper
    if sections and not ids:
        raise Malformed(where, sections[0].line, f"no paper can be read here: {warnings[0]}")
