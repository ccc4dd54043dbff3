"""Tell the dollars that open mathematics from those that mean money."""

from __future__ import annotations

import re

from bot.formatter.latex.tables import FUNCTIONS, SET_WORDS, SPANS, names, pattern

# `It$x$TTS` may be mathematics inside a word, `A$AP Rocky, Ke$ha` is not.
_LONGEST_INFIX = 3


def delimiters(text: str) -> dict[int, str]:
    """Return the positions where mathematics opens and closes.

    Every other dollar sign is plain text.
    """
    found: dict[int, str] = {}
    at = 0
    while span := pattern(SPANS).search(text, at):
        at = span.end()
        kind = span.lastgroup
        if kind == "inline" and not _is_mathematics(text, span):
            at -= 1  # the second dollar may open mathematics itself
        elif kind != "escape":
            width = 1 if kind == "inline" else 2
            found |= {span.start(): "open", span.end() - width: "close"}
            found |= {span.start() + 1: "", span.end() - 1: ""} if kind == "display" else {}
    return found


def _is_mathematics(text: str, span: re.Match[str]) -> bool:
    """Tell mathematics from money, cash tags and shell variables between two dollars."""
    inner = span["inline"]
    if _is_prose(inner):
        return False
    if pattern(r"[\\^{]|^_|^\s?[^\W\d_]\s?$|^[-+=<>*/|~]+$").search(inner):
        return True
    before = text[max(0, span.start() - 1) : span.start()]
    after = text[span.end() : span.end() + 1]
    infix = len(inner) <= _LONGEST_INFIX and not pattern(r"\d").search(inner)
    return (
        inner == inner.strip()
        and not after.isdigit()
        and (" " not in inner or bool(pattern(r"[-=<>+*/|,(]").search(inner)))
        and (not before.isalnum() or infix)
        and (not after.isalnum() or bool(pattern(r"[\w)\]|'!*]$").search(inner)))
    )


def _is_prose(inner: str) -> bool:
    plain = pattern(SET_WORDS).sub("", inner)
    words = set(pattern(r"(?<![^\s(])[A-Za-z][a-z]{2,}(?![^\s,.;:)])").findall(plain))
    count = len(words - names(FUNCTIONS))
    return count > 1 or (inner[0].isdigit() and (count == 1 or inner[-1].isspace()))
