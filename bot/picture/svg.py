"""Write the picture as an SVG document for resvg: words, bars and signs.

Numbers have one decimal at most, so that the same picture always gives the same document.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import TypeAlias

from bot.picture.faces import REGULAR, runs, width

_SQUARE = 24


class Ink(StrEnum):
    """The colours. Each text colour has a contrast of 4.5 or more on `PAPER`.

    Colour-blind readers can tell blue from orange; their lightness differs too.
    """

    PAPER = "#f7f8fa"
    RULE = "#e6eaf0"
    TEXT = "#17202c"
    MUTED = "#566171"
    RETWEETS = "#123f7d"
    LIKES = "#b5500b"


class Sign(StrEnum):
    """Small drawings before a number, in a square of 24 by 24."""

    RETWEETS = (
        '<path d="M1.8 9.2 5.5 5.5l3.7 3.7M5.5 6v9.5a3 3 0 0 0 3 3H13M22.2 14.8l-3.7 3.7-3.7-3.7'
        'M18.5 18V8.5a3 3 0 0 0-3-3H11" fill="none" stroke-width="2.5" stroke-linecap="round" '
        'stroke-linejoin="round"/>'
    )
    LIKES = (
        '<path d="M12 20.5C5.5 15.8 2.5 12.4 2.5 8.6A5 5 0 0 1 12 6.6a5 5 0 0 1 9.5 2'
        'C21.5 12.4 18.5 15.8 12 20.5Z" stroke="none"/>'
    )


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text: its baseline begins at `x`, `y`, or ends there if `right` is true."""

    text: str
    x: float
    y: float
    size: float
    ink: Ink = Ink.TEXT
    weight: int = REGULAR
    right: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle whose corners have the radius `radius`."""

    x: float
    y: float
    width: float
    height: float
    ink: Ink
    radius: float = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign in a square of side `size` with its upper left corner at `x`, `y`."""

    sign: Sign
    x: float
    y: float
    size: float
    ink: Ink


Shape: TypeAlias = Words | Bar | Mark


def svg(shapes: Iterable[Shape], width: int, height: int) -> str:
    """Return the SVG document of shapes, drawn in their order."""
    size = f'width="{width}" height="{height}"'
    background = Bar(0, 0, width, height, Ink.PAPER)
    drawn = "".join(map(_shape, (background, *shapes)))
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{drawn}</svg>'


def _shape(shape: Shape) -> str:
    if isinstance(shape, Words):
        return _words(shape)
    if isinstance(shape, Bar):
        place = _attributes(x=shape.x, y=shape.y, width=shape.width, height=shape.height)
        return f'<rect {place} rx="{shape.radius:g}" fill="{shape.ink}"/>'
    move = f"translate({shape.x:.1f} {shape.y:.1f}) scale({shape.size / _SQUARE:.4f})"
    return f'<g transform="{move}" fill="{shape.ink}" stroke="{shape.ink}">{shape.sign}</g>'


def _words(words: Words) -> str:
    """Write a line, each run where the run before ends; without kerning, which would move them."""
    parts = runs(words.text, words.weight)
    rest = "" if len(parts) == 1 else ' xml:space="preserve" style="font-kerning:none"'
    if words.right:
        rest += ' text-anchor="end"'
        parts = parts[::-1]
    x, written = words.x, ""
    for run in parts:
        named = f'font-family="{run.font.family}" font-weight="{run.font.weight}"'
        place = _attributes(x=x, y=words.y, font_size=words.size)
        written += f'<text {named} {place} fill="{words.ink}"{rest}>{escape(run.text)}</text>'
        moved = width(run.text, words.size, words.weight)
        x += -moved if words.right else moved
    return written


def _attributes(**values: float) -> str:
    pairs = ((name.replace("_", "-"), round(value, 1)) for name, value in values.items())
    return " ".join(f'{name}="{value:g}"' for name, value in pairs)
