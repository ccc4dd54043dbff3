"""Lay out the picture: a heading, a row for each paper, a line below.

The picture is as wide as timelines show pictures, and as tall as its rows need: from 16:9, which
every app shows completely, to 3:4, beyond which X crops. The titles take the largest type that
fits, since a phone shows the picture at a third of its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile

from bot.formatter.views import in_words
from bot.model import Digest, Paper
from bot.picture.faces import BOLD, width
from bot.picture.lines import fitted
from bot.picture.svg import Bar, Ink, Mark, Shape, Sign, Words
from bot.picture.words import counted, counts, heading, number, subject

WIDTH = 1200
LEAST_HEIGHT, MOST_HEIGHT = 675, 1600
SMALLEST = 28

_LEFT, _RIGHT = 56, WIDTH - 56
_TEXT = 124  # where titles and bars begin, to the right of the ranks
_TOP, _BOTTOM = 200, 88  # the heights of the heading and the last line
_GAP = 36
_ROUND, _SEAM, _LEAST_BAR = 3, 3, 3
_HEADINGS = (60, 52, 44)
_READABLE = 32  # below this type size a cut title is better than a complete one
_RETWEETS = (Sign.RETWEETS, Ink.RETWEETS)
_LIKES = (Sign.LIKES, Ink.LIKES)


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
        """Return the type size of authors and numbers."""
        return max(SMALLEST, self.size * 0.8)


TYPES = (
    Type(46, 4, authors=True),
    Type(42, 3, authors=True),
    Type(38, 3, authors=True),
    *(Type(size, 2) for size in (36, 34, 32, 30, 28)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A paper's row: its title in lines, its authors, and its height with the bar."""

    paper: Paper
    title: Sequence[str]
    authors: str
    height: float


@dataclass(frozen=True, slots=True)
class Columns:
    """What all rows share: where numbers begin, where bars end, and the pixels for each count."""

    retweets: float
    likes: float
    bars: float
    pixels: float


def chart(digest: Digest, papers: Sequence[Paper]) -> tuple[Sequence[Shape], int]:
    """Return the shapes of the picture of `papers` of a digest, and its height."""
    kind, rows = typeset(papers)
    tall = _height(rows)
    height = max(LEAST_HEIGHT, round(tall))
    spare = (height - tall) / (len(rows) + 1)
    shapes = [*_head(digest, len(papers)), *_foot(papers, height)]
    columns = _columns(papers, kind)
    y = _TOP + spare
    for row in rows:
        shapes += _row(row, kind, columns, y)
        y += row.height + spare
    return shapes, height


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
    height = len(title) * kind.step + 1.4 * kind.small + 0.72 * kind.size
    return Row(paper, title, authors, height + (1.35 * kind.small if authors else 0))


def _authors(paper: Paper, kind: Type, room: float) -> str:
    """Return the authors in one line: all of them where there is room, else the first."""
    measure = partial(width, size=kind.small)
    names = ", ".join(paper.authors)
    if len(paper.authors) > 1 and measure(names) > room:
        names = f"{paper.authors[0]} et al."
    return fitted(names, room, 1, measure)[0]


def _columns(papers: Sequence[Paper], kind: Type) -> Columns:
    def begin(end: float, numbers: Iterable[int]) -> float:
        return end - 1.4 * kind.small - max(width(number(each), kind.small) for each in numbers)

    retweets, likes = zip(*map(counts, papers), strict=True)
    second = begin(_RIGHT, likes)
    first = begin(second - _GAP, retweets)
    room = first - _GAP - _TEXT - _SEAM - _LEAST_BAR
    most = max(map(sum, map(counts, papers)))
    return Columns(first, second, first - _GAP, room / max(1, most))


def _row(row: Row, kind: Type, columns: Columns, y: float) -> Iterator[Shape]:
    retweets, likes = counts(row.paper)
    y += kind.size * 0.9
    yield Words(f"{row.paper.rank}", _LEFT, y, kind.size, Ink.MUTED, BOLD)
    for line in row.title:
        yield Words(line, _TEXT, y, kind.size)
        y += kind.step
    y += kind.small - kind.size * 0.9
    if row.authors:
        yield Words(row.authors, _TEXT, y, kind.small, Ink.MUTED)
        y += 1.35 * kind.small
    yield from _bars(retweets, likes, columns, y, kind.small)
    yield from _number(_RETWEETS, retweets, columns.retweets, y, kind.small)
    yield from _number(_LIKES, likes, columns.likes, y, kind.small)


def _bars(retweets: int, likes: int, columns: Columns, y: float, size: float) -> Iterator[Shape]:
    """Yield the bars of retweets and likes, side by side; a count above 0 is always visible."""
    top, height = y - 0.66 * size, 0.6 * size
    yield Bar(_TEXT, top, columns.bars - _TEXT, height, Ink.RULE, _ROUND)
    x: float = _TEXT
    for count, ink in ((retweets, Ink.RETWEETS), (likes, Ink.LIKES)):
        if count:
            long = max(_LEAST_BAR, count * columns.pixels)
            yield Bar(x, top, long, height, ink, _ROUND)
            x += long + _SEAM


def _number(sign: tuple[Sign, Ink], count: int, x: float, y: float, size: float) -> Iterator[Shape]:
    yield Mark(sign[0], x, y - 0.84 * size, size, sign[1])
    yield Words(number(count), x + 1.4 * size, y, size)


def _head(digest: Digest, shown: int) -> Iterator[Shape]:
    day = in_words(digest.day, digest.last_day)
    room = _RIGHT - _LEFT - width(day, 40) - _GAP
    title = heading(digest)
    size = next((each for each in _HEADINGS if width(title, each, BOLD) <= room), _HEADINGS[-1])
    title = fitted(title, room, 1, partial(width, size=size, weight=BOLD))[0]
    yield Words(title, _LEFT, 106, size, weight=BOLD)
    yield Words(day, _RIGHT, 106, 40, right=True)
    yield Words(subject(digest, shown), _LEFT, 158, 32, Ink.MUTED)


def _foot(papers: Sequence[Paper], height: float) -> Iterator[Shape]:
    x: float = _LEFT
    y = height - 48
    for (sign, ink), word in ((_RETWEETS, "retweets"), (_LIKES, "likes")):
        yield Mark(sign, x, y - 0.84 * SMALLEST, SMALLEST, ink)
        yield Words(word, x + 40, y, SMALLEST, Ink.MUTED)
        x += 40 + width(word, SMALLEST) + _GAP
    yield Words(counted(papers), _RIGHT, y, SMALLEST, Ink.MUTED, right=True)
