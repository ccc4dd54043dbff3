"""Find links and hashtags in a text for Bluesky, which does not find them itself.

Readers see a shortened address that links to the full one. Every address with a scheme comes from
a template or from the settings, since `defuse` removes the schemes in a digest's text.
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
_AFTER = "'.,;:!?"  # allowed inside an address; at its end they belong to the sentence
_BRACKETS = {")": "(", "]": "["}
_LONGEST = 60
_TAG = re.compile(r"(?<![\w#/])#(\w+)")


@dataclass(frozen=True, slots=True)
class Rich:
    """A text as readers see it, with its links and tags as spans in order, without overlap."""

    text: str
    spans: tuple[Span, ...]


def shorten(text: str) -> str:
    """Return the text with every address as readers see it: without its scheme, and shortened."""
    return enrich(text, ()).text


def enrich(text: str, hashtags: Collection[str]) -> Rich:
    """Return the text with its addresses shortened, and spans for these and for its `hashtags`.

    `hashtags` are written with their `#`.
    """
    short, spans, at = "", list[Span](), 0
    for match in _ADDRESS.finditer(text):
        address = _without_tail(match[0])
        shown = _shown(address)
        short += text[at : match.start()]
        spans.append(Span(len(short), len(short) + len(shown), uri=address))
        short, at = short + shown, match.start() + len(address)
    short += text[at:]
    tags = (span for span in _tags(short, hashtags) if not _within(span, spans))
    return Rich(short, tuple(sorted((*spans, *tags), key=lambda span: span.start)))


def _without_tail(address: str) -> str:
    """Remove the end that belongs to the sentence: `https://a.org/b_(c)).` ends in `b_(c)`."""
    unclosed = {
        sign: address.count(opening) - address.count(sign) for sign, opening in _BRACKETS.items()
    }
    end = len(address)
    while address[end - 1] in _AFTER or unclosed.get(address[end - 1], 0) < 0:
        end -= 1
        if address[end] in unclosed:
            unclosed[address[end]] += 1
    return address[:end]


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
