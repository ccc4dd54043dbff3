"""Links and hashtags of a network that finds none in a text by itself: Bluesky's rich text.

A link is shown short and leads to the whole address. Every address with a scheme is ours, or the
operator's: what a digest says has lost its schemes before (`defuse`). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bot.model import Span

_ADDRESS = re.compile(
    r"https?://[\w\[][^\s<>\"\u201c-\u201f\u2026\u00ab\u00bb\u3001\u3002\u3008-\u3011\uff01"
    r"\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f]*",
    re.IGNORECASE,
)
_AFTER = "'.,;:!?"  # what may stand in an address, and at its end belongs to the sentence
_BRACKETS = {")": "(", "]": "["}
_LONGEST = 60
_TAG = re.compile(r"(?<![\w#/])#(\w+)")


@dataclass(frozen=True, slots=True)
class Rich:
    """A text as readers see it, and where it leads; the spans do not overlap and are in order."""

    text: str
    spans: tuple[Span, ...]


def shorten(text: str) -> str:
    """The text with every address as readers see it: without its scheme, and not too long."""
    return enrich(text, ()).text


def enrich(text: str, hashtags: Collection[str]) -> Rich:
    """The text with its addresses shortened, and spans for these and for the `hashtags` in it.

    `hashtags` are written with their `#`.
    """
    made, spans, at = "", list[Span](), 0
    for found in _ADDRESS.finditer(text):
        address = _whole(found[0])
        shown = _shown(address)
        made += text[at : found.start()]
        spans.append(Span(len(made), len(made) + len(shown), uri=address))
        made, at = made + shown, found.start() + len(address)
    made += text[at:]
    tags = (span for span in _tags(made, hashtags) if not _within(span, spans))
    return Rich(made, tuple(sorted((*spans, *tags), key=lambda span: span.start)))


def _whole(found: str) -> str:
    """The address without what follows it: `(see https://a.org/b_(c)).` leads to `b_(c)`."""
    open_ones = {
        sign: found.count(opening) - found.count(sign) for sign, opening in _BRACKETS.items()
    }
    end = len(found)
    while found[end - 1] in _AFTER or open_ones.get(found[end - 1], 0) < 0:
        end -= 1
        if found[end] in open_ones:
            open_ones[found[end]] += 1
    return found[:end]


def _shown(address: str) -> str:
    short = re.sub(r"^https?://(?:www\.)?", "", address, flags=re.IGNORECASE).rstrip("/")
    return short if len(short) <= _LONGEST else short[: _LONGEST - 1] + "…"


def _tags(text: str, hashtags: Collection[str]) -> Iterator[Span]:
    wanted = {tag.removeprefix("#") for tag in hashtags}
    for found in _TAG.finditer(text):
        if found[1] in wanted:
            yield Span(found.start(), found.end(), tag=found[1])


def _within(span: Span, others: Collection[Span]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in others)
