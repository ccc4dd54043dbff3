"""Write posts so that a server which reads them as Markdown does not change their words.

CommonMark (Hollo) and snac2's own markup read signs as styles, "2. " as a list that begins at 1,
and text after `<` as a tag; CommonMark joins lines. Escapes do not help, since snac2 shows them.
The replacement of a sign can be seen, read aloud and copied; addresses do not change.
"""

from __future__ import annotations

import re

_URL = re.compile(r"(https?://\S+)")
_INLINE = (
    (re.compile(r"<([^<>\n]*)>"), "\u2039\\1\u203a"),
    (re.compile(r"<"), "\u2039"),
    (re.compile(r"\*"), "\u22c6"),  # the sign of `A^\star`
    (re.compile(r"`+"), "'"),
    (re.compile(r"__+|(?<!\w)_|_(?!\w)"), ""),  # inside a word `_` has no meaning in Markdown
    (re.compile(r"\\(?=[!-/:-@\[-`{-~])"), ""),
    (re.compile(r"\](?=[(\[])"), "] "),
    (re.compile(r"&(?=#?\w+;)"), "& "),
    (re.compile(r"~~+"), "~"),  # last, since the replacements before can bring two together
)
_LEADING = (
    (re.compile(r"^[ \t]+|(?<![ \t])[ \t]+$", re.MULTILINE), ""),
    (re.compile(r"^(?:#+ +)+", re.MULTILINE), ""),
    (re.compile(r"^(?:-+|=+)$", re.MULTILINE), "\u2014"),
    (re.compile(r"^[-+\u22c6] +", re.MULTILINE), "\u2022 "),
    (re.compile(r"^>", re.MULTILINE), "\u203a"),
    (re.compile(r"^([0-9]{1,9})[.)] +", re.MULTILINE), "\\1 \u00b7 "),
    (re.compile(r"(?<!\n)\n(?!\n)"), "\n\n"),
)


def surviving(text: str) -> str:
    """Return the text in signs that Markdown does not change, a blank line for each line break."""
    pieces = _URL.split(text)
    for pattern, instead in _INLINE:
        pieces[::2] = [pattern.sub(instead, piece) for piece in pieces[::2]]
    text = "".join(pieces)
    for pattern, instead in _LEADING:
        text = pattern.sub(instead, text)
    return text
