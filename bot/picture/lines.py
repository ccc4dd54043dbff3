"""Break a title into lines, and shorten it to a number of lines.

Lines break at spaces and between East Asian characters; a word that is wider than a line breaks
between grapheme clusters.
"""

# The fullwidth punctuation marks are meant.
# ruff: noqa: RUF001
from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from bot.formatter.views import cut_at_word

Measure: TypeAlias = Callable[[str], float]
"""Returns how wide a text is, in pixels."""

_EAST = r"\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003ffff"
_OPENING = "（「『【〔〈《［｛"
# Never at the beginning of a line: closing marks, small kana, marks that repeat or lengthen.
_CLOSING = "、。，．・：；？！）」』】〕〉》］｝ー々…ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ゛゜"
_LONGEST = 300  # more than the lines of any title hold: untrusted text must not take long
_PIECE = rf"[{_OPENING}]*(?:[{_EAST}]|[^ {_EAST}]+)?[{_CLOSING}]*\p{{M}}* *"


def fitted(text: str, room: float, most: int, measure: Measure) -> Sequence[str]:
    """Return a text as `most` lines or fewer, none wider than `room` pixels.

    A text that does not fit is cut at a word, with an ellipsis.
    """
    text = cut_at_word(" ".join(text.split()), _LONGEST)
    lines = broken(text, room, measure)
    if len(lines) <= most:
        return lines

    def is_over(length: int) -> bool:
        return len(broken(cut_at_word(text, length), room, measure)) > most

    kept = bisect(range(1, len(text)), 0, key=is_over)
    return broken(cut_at_word(text, kept), room, measure)


def broken(text: str, room: float, measure: Measure) -> Sequence[str]:
    """Return all lines of a text; an empty text has one empty line."""
    lines = [""]
    for piece in _pieces(text, room, measure):
        if lines[-1] and measure((lines[-1] + piece).rstrip()) > room:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece
    return [*lines[:-1], lines[-1].rstrip()]


def _pieces(text: str, room: float, measure: Measure) -> Iterator[str]:
    """Yield the unbreakable pieces of a text, each with the space after it."""
    import regex

    for piece in filter(None, regex.findall(_PIECE, text)):
        if measure(piece.rstrip()) <= room:
            yield piece
        else:
            yield from regex.findall(r"\X", piece)
