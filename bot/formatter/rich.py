"""Links and hashtags of a network that finds none in a text by itself: Bluesky's rich text.

A link is shown short and leads to the whole address. Every address with a scheme is ours, or the
operator's: what a digest says has lost its schemes before (`defuse`). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bot.model import Span

_ADDRESS = re.compile(r"https?://(?:[^\s<>\"]*[^\s<>\"'.,;:!?\u2026)\]])", re.IGNORECASE)
_LONGEST = 60
_TAG = re.compile(r"(?<![\w#/])#(\w+)")


@dataclass(frozen=True, slots=True)
class Rich:
    """A text as readers see it, and where it leads; the spans do not overlap and are in order."""

    text: str
    spans: tuple[Span, ...]


def shorten(text: str) -> str:
    """The text with every address as readers see it: without its scheme, and not too long."""
    return _ADDRESS.sub(lambda found: _shown(found[0]), text)


def enrich(text: str, hashtags: Collection[str]) -> Rich:
    """The text with its addresses shortened, and spans for these and for the `hashtags` in it.

    `hashtags` are written with their `#`.
    """
    made, spans, at = "", list[Span](), 0
    for found in _ADDRESS.finditer(text):
        shown = _shown(found[0])
        made += text[at : found.start()]
        spans.append(Span(len(made), len(made) + len(shown), uri=found[0]))
        made, at = made + shown, found.end()
    made += text[at:]
    tags = (span for span in _tags(made, hashtags) if not _within(span, spans))
    return Rich(made, tuple(sorted((*spans, *tags), key=lambda span: span.start)))


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
