"""Change texts and times as servers do when a post is read back. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

_URL = re.compile(r"https?://\S+")


class Rewrites(StrEnum):
    """How the text of every post is changed when it is read.

    CUT: the end becomes an ellipsis. SHORTENED: the middle does, and the last line stays. TRACKED:
    links get a parameter. JOINED: line breaks are lost. ESCAPED: the text is escaped twice.
    PREFIXED: a word is added before the text. LOOK_ALIKE: one letter is replaced by another that
    looks the same.
    """

    NONE = "none"
    CUT = "cut"
    SHORTENED = "shortened"
    TRACKED = "tracked"
    JOINED = "joined"
    ESCAPED = "escaped"
    PREFIXED = "prefixed"
    LOOK_ALIKE = "look-alike"


class Stamps(StrEnum):
    """How the time of a post is written: as documented, null, without its T, or always as 1970."""

    WRITTEN = "written"
    NULL = "null"
    SPACED = "spaced"
    EPOCH = "epoch"


def rewritten(text: str, how: Rewrites) -> str:
    """Return the text as a reader gets it."""
    return _REWRITTEN[how](text)


def stamped(written: str, how: Stamps) -> str | None:
    """Return a time as a reader gets it. `written` is the documented form."""
    if how is Stamps.NULL:
        return None
    if how is Stamps.EPOCH:
        return "1970-01-01T00:00:00.000Z"
    return written.replace("T", " ") if how is Stamps.SPACED else written


def _shortened(text: str) -> str:
    first, _, last = text.rpartition("\n")
    return f"{first[: len(first) // 2].rstrip()}…\n{last}"


_REWRITTEN: Mapping[Rewrites, Callable[[str], str]] = {
    Rewrites.NONE: str,
    Rewrites.CUT: lambda text: f"{text[: len(text) * 2 // 3].rstrip()}…",
    Rewrites.SHORTENED: _shortened,
    Rewrites.TRACKED: lambda text: _URL.sub(lambda url: f"{url[0]}?utm_source=share", text),
    Rewrites.JOINED: lambda text: text.replace("\n", ""),
    Rewrites.ESCAPED: lambda text: (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    ),
    Rewrites.PREFIXED: lambda text: f"[bot] {text}",
    Rewrites.LOOK_ALIKE: lambda text: text.replace("a", "\u0430", 1),
}
