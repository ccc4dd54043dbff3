"""Write the picture as an SVG document for resvg: words and bars.

Numbers have one decimal at most, so that the same picture always gives the same document.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import TypeAlias

from bot.picture.faces import REGULAR, runs, width


class Ink(StrEnum):
    """The colours. Each text colour has a contrast of 4.5 or more on `PAPER`."""

    PAPER = "#f7f8fa"
    RULE = "#e6eaf0"
    TEXT = "#17202c"
    MUTED = "#566171"


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
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    ink: Ink


Shape: TypeAlias = Words | Bar


def svg(shapes: Iterable[Shape], width: int, height: int) -> str:
    """Return the SVG document of shapes, drawn in their order."""
    size = f'width="{width}" height="{height}"'
    background = Bar(0, 0, width, height, Ink.PAPER)
    drawn = "".join(map(_shape, (background, *shapes)))
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{drawn}</svg>'


def _shape(shape: Shape) -> str:
    if isinstance(shape, Words):
        return _words(shape)
    place = _attributes(x=shape.x, y=shape.y, width=shape.width, height=shape.height)
    return f'<rect {place} fill="{shape.ink}"/>'


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
