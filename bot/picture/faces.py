"""Choose the font for each character of the picture, and measure how wide a text is.

The font files are in `fonts/`, as part of the package, so that a digest is drawn the same on every
machine. This module chooses the fonts and not resvg, whose own search for a glyph fails for some
mixtures of scripts. It reads two tables of a file, the glyph of each character (cmap, format 12)
and the advance width of each glyph (hmtx): https://learn.microsoft.com/typography/opentype/spec.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

from bot.errors import BotError

FONTS = Path(__file__).resolve().parent / "fonts"
REGULAR, BOLD = 500, 700
_FIX = "Install the package again."
_GROUPED = 12  # the cmap format that can hold any character
_JOINERS = "\u200c\u200d"
_FROM_RIGHT = ("R", "AL", "AN")
_BEGIN, _END = "\u202b", "\u202c"  # around a text that runs from right to left


class CannotDraw(BotError):
    """A picture cannot be drawn: its library or a font is missing, or a character has no glyph."""


@dataclass(frozen=True, slots=True)
class Font:
    """A file of `fonts/`, and its name in an SVG document."""

    file: str
    family: str
    weight: int = 400


_MEDIUM = Font("NotoSans-Medium.ttf", "Noto Sans", REGULAR)
_BOLD = Font("NotoSans-Bold.ttf", "Noto Sans", BOLD)
_SIGNS = Font("DejaVuSans.ttf", "DejaVu Sans")
_EAST = Font("NotoSansCJKjp-Regular.otf", "Noto Sans CJK JP")
_ALL = (_MEDIUM, _BOLD, _SIGNS, _EAST)
FAMILY = _MEDIUM.family


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line in one font."""

    text: str
    font: Font


def files(folder: Path = FONTS) -> tuple[str, ...]:
    """Return the paths of the fonts. Raises CannotDraw where one is missing."""
    paths = [folder / font.file for font in _ALL]
    for path in paths:
        if not path.is_file():
            raise CannotDraw(f"{path}: this font is missing", _FIX)
    return tuple(map(str, paths))


def width(text: str, size: float, weight: int = REGULAR) -> float:
    """Return how wide a text is at a size, in pixels; a character that no font holds counts 0.

    Where letters are kerned or joined, the drawn text is a little narrower.
    """
    fonts = _order(text, weight)
    return size * sum(_advance(char, fonts) for char in text)


def split(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text that can be drawn, on one line, and the other characters, each once.

    A character is a grapheme cluster: a letter and its accents are kept or lost together, since one
    font must hold them all. Invisible characters that only set a direction are removed.
    """
    fonts = _order(text, REGULAR)
    kept: list[str] = []
    lost: list[str] = []
    for cluster in _clusters("".join(filter(_is_seen, " ".join(text.split())))):
        (kept if _font_of(cluster, fonts) else lost).append(cluster)
    return " ".join("".join(kept).split()), tuple(dict.fromkeys(lost))


def runs(line: str, weight: int = REGULAR) -> Sequence[Run]:
    """Return a line that `split` returned as runs, each in one font, in order.

    A line with letters that run from right to left is one run.
    """
    fonts = _order(line, weight)
    by_font = groupby(_clusters(line), lambda cluster: _font_of(cluster, fonts) or fonts[0])
    found = [Run("".join(clusters), font) for font, clusters in by_font]
    if _begins_right(line):
        found = [Run(f"{_BEGIN}{run.text}{_END}", run.font) for run in found]
    return found


def _order(text: str, weight: int) -> Sequence[Font]:
    """Return the fonts that may draw a text, the preferred one first."""
    if any(unicodedata.bidirectional(char) in _FROM_RIGHT for char in text):
        return (_SIGNS,)
    return (_BOLD, *_ALL) if weight == BOLD else _ALL


def _font_of(cluster: str, fonts: Sequence[Font]) -> Font | None:
    for font in fonts:
        if all(ord(char) in advances(FONTS / font.file) for char in cluster):
            return font
    return None


def _clusters(text: str) -> Sequence[str]:
    import regex

    return regex.findall(r"\X", text)


def _is_seen(char: str) -> bool:
    """Tell whether a character is visible, or joins its neighbours."""
    directs = unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
    return char in _JOINERS or not directs


def _begins_right(line: str) -> bool:
    strong = (unicodedata.bidirectional(char) for char in line)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"


@lru_cache(4096)
def _advance(char: str, fonts: Sequence[Font]) -> float:
    found = (advances(FONTS / font.file).get(ord(char)) for font in fonts)
    return next((advance for advance in found if advance is not None), 0.0)


@cache
def advances(path: Path) -> Mapping[int, float]:
    """Return the advance width of each character of a font, as a fraction of the type size.

    Raises CannotDraw for a file that is not a font like the package's.
    """
    try:
        return dict(_advances(path.read_bytes()))
    except (OSError, LookupError, ValueError, ArithmeticError, struct.error) as error:
        raise CannotDraw(f"{path}: this font cannot be read", _FIX) from error


def _advances(data: bytes) -> Iterator[tuple[int, float]]:
    (count,) = struct.unpack_from(">H", data, 4)
    tables = struct.iter_unpack(">4sLLL", data[12 : 12 + 16 * count])
    at = {tag.decode("latin-1"): start for tag, _, start, _ in tables}
    (units,) = struct.unpack_from(">H", data, at["head"] + 18)
    (metrics,) = struct.unpack_from(">H", data, at["hhea"] + 34)
    pairs = struct.unpack_from(f">{2 * metrics}H", data, at["hmtx"])
    for code, glyph in _glyphs(data, at["cmap"]):
        yield code, pairs[2 * min(glyph, metrics - 1)] / units


def _glyphs(data: bytes, table: int) -> Iterator[tuple[int, int]]:
    (offset,) = struct.unpack_from(">L", data, table + 8)  # the package's fonts have one map only
    start = table + offset
    form, _, _, _, groups = struct.unpack_from(">HHLLL", data, start)
    if form != _GROUPED:
        raise ValueError(form)
    for first, last, glyph in struct.iter_unpack(">LLL", data[start + 16 :][: 12 * groups]):
        yield from enumerate(range(glyph, glyph + last - first + 1), first)
