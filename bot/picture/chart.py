"""Lay out the picture: a heading, a row for each paper, a line below.

A row has the paper's rank, its title, its authors where there is room, and its counts in words.

The picture is as wide as timelines show pictures, and as tall as its rows need: from 16:9, which
every app shows completely, to 3:4, beyond which X crops. The titles take the largest type that
fits, since a phone shows the picture at a third of its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile

from bot.formatter.views import counts_in_words, in_words
from bot.model import Digest, Paper
from bot.picture.faces import BOLD, width
from bot.picture.lines import fitted
from bot.picture.svg import Bar, Ink, Shape, Words
from bot.picture.words import counted, heading, subject

WIDTH = 1200
LEAST_HEIGHT, MOST_HEIGHT = 675, 1600
SMALLEST = 28

_LEFT, _RIGHT = 56, WIDTH - 56
_TEXT = 124  # where titles begin, to the right of the ranks
_TOP, _BOTTOM = 200, 88  # the heights of the heading and the last line
_GAP = 36
_HEADINGS = (60, 52, 44)
_LEADING = 1.35
_RULE = 2
_READABLE = 32  # below this type size a cut title is better than a complete one


@dataclass(frozen=True, slots=True)
class Type:
    """The size of titles, the most lines they may take, and whether authors are shown."""

    size: int
    lines: int
    authors: bool = False

    @property
    def step(self) -> float:
        """Return the distance between the lines of a title."""
        return self.size * 1.26

    @property
    def small(self) -> float:
        """Return the type size of authors and counts."""
        return max(SMALLEST, self.size * 0.8)


TYPES = (
    Type(46, 4, authors=True),
    Type(42, 3, authors=True),
    Type(38, 3, authors=True),
    *(Type(size, 2) for size in (36, 34, 32, 30, 28)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A paper's row: its title in lines, the small lines below, and its height."""

    rank: int
    title: Sequence[str]
    below: Sequence[str]
    height: float


def chart(digest: Digest, papers: Sequence[Paper]) -> tuple[Sequence[Shape], int]:
    """Return the shapes of the picture of `papers` of a digest, and its height."""
    kind, rows = typeset(papers)
    tall = _height(rows)
    height = max(LEAST_HEIGHT, round(tall))
    spare = (height - tall) / (len(rows) + 1)
    time = Words(counted(papers), _RIGHT, height - 48, SMALLEST, Ink.MUTED, right=True)
    shapes: list[Shape] = [*_head(digest, len(papers)), time]
    top = _TOP + spare
    for row in rows:
        y = top + kind.size * 0.9
        shapes.append(Words(f"{row.rank}", _LEFT, y, kind.size, Ink.MUTED, BOLD))
        for line in row.title:
            shapes.append(Words(line, _TEXT, y, kind.size))
            y += kind.step
        y += kind.small - kind.size * 0.9
        for line in row.below:
            shapes.append(Words(line, _TEXT, y, kind.small, Ink.MUTED))
            y += kind.small * _LEADING
        top += row.height + spare
        shapes.append(
            Bar(_TEXT, top - spare / 2 - 0.15 * kind.size, _RIGHT - _TEXT, _RULE, Ink.RULE)
        )
    return shapes[:-1], height


def typeset(papers: Sequence[Paper]) -> tuple[Type, Sequence[Row]]:
    """Set the papers in the largest type that fits the height; the smallest type always fits.

    A smaller type is used where it keeps every title from being cut and is still readable.
    """
    layouts = ((kind, [_set(paper, kind) for paper in papers]) for kind in TYPES)
    fitting = (layout for layout in layouts if _height(layout[1]) <= MOST_HEIGHT)
    largest = next(fitting)
    readable = takewhile(lambda layout: layout[0].size >= _READABLE, chain([largest], fitting))
    return next((layout for layout in readable if not _is_cut(layout[1])), largest)


def _height(rows: Sequence[Row]) -> float:
    return _TOP + sum(row.height for row in rows) + _BOTTOM


def _is_cut(rows: Sequence[Row]) -> bool:
    return any(row.title[-1].endswith("…") for row in rows)


def _set(paper: Paper, kind: Type) -> Row:
    room = _RIGHT - _TEXT
    title = fitted(paper.title, room, kind.lines, partial(width, size=kind.size))
    authors = _authors(paper, kind, room) if kind.authors else ""
    below = [*filter(None, (authors, counts_in_words(paper.metrics)))]
    height = len(title) * kind.step + len(below) * _LEADING * kind.small + 0.5 * kind.size
    return Row(paper.rank, title, below, height)


def _authors(paper: Paper, kind: Type, room: float) -> str:
    """Return the authors in one line: all of them where there is room, else the first."""
    measure = partial(width, size=kind.small)
    names = ", ".join(paper.authors)
    if len(paper.authors) > 1 and measure(names) > room:
        names = f"{paper.authors[0]} et al."
    return fitted(names, room, 1, measure)[0]


def _head(digest: Digest, shown: int) -> Iterator[Shape]:
    day = in_words(digest.day, digest.last_day)
    room = _RIGHT - _LEFT - width(day, 40) - _GAP
    title = heading(digest)
    size = next((each for each in _HEADINGS if width(title, each, BOLD) <= room), _HEADINGS[-1])
    title = fitted(title, room, 1, partial(width, size=size, weight=BOLD))[0]
    yield Words(title, _LEFT, 106, size, weight=BOLD)
    yield Words(day, _RIGHT, 106, 40, right=True)
    yield Words(subject(digest, shown), _LEFT, 158, 32, Ink.MUTED)
