"""Find what X links in a text: links, mentions, hashtags, cashtags.

Follows twitter-text 3.1 (config v3), https://github.com/twitter/twitter-text, and is tested against
its conformance suite. All functions accept any string, with lone surrogates and control characters
too. Positions are code points. Normalise the text to NFC first, as X does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.formatter.x.patterns import (
    CYRILLIC,
    DIRECTIONS,
    LATIN,
    PUNCTUATION,
    SPACES,
    dialect,
    links,
)

_QUERY = r"A-Za-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|"
_QUERY_END = r"A-Za-z0-9\-_&=#/"
_RULES = dialect(
    schemes="https?",
    path=rf"A-Za-z0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&{LATIN}{CYRILLIC}",
    path_end=rf"A-Za-z0-9=_#/+\-{LATIN}{CYRILLIC}",
    query=_QUERY,
    query_end=_QUERY_END,
)
_TCO = re.compile(rf"(?i:https?://t\.co)/([A-Za-z0-9]+)(?:\?[{_QUERY}]*[{_QUERY_END}])?")
_MAX_TCO_SLUG = 40

_MENTION = re.compile(
    r"(?:^|[^A-Za-z0-9_!#$%&*@\uff20]|(?:^|[^A-Za-z0-9_+~.-])[Rr][Tt]:?)"
    r"([@\uff20][A-Za-z0-9_]{1,20}(?:/[A-Za-z][A-Za-z0-9_-]{0,24})?)"
)
_NO_MENTION_BEFORE = re.compile(rf"[@\uff20{LATIN}]|://")

_HASH = re.compile("[#\uff03](?![\ufe0f\u20e3])")
_NO_HASHTAG_BEFORE = ("#", "\uff03", "://")
_HASHTAG_MARKS = frozenset(
    "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
_VARIATIONS = ("\ufe0e", "\ufe0f")

_CASHTAG = re.compile(
    rf"(?:^|[{SPACES}{DIRECTIONS}])"
    rf"(\$[A-Za-z]{{1,6}}(?:[._][A-Za-z]{{1,2}})?)(?=\Z|[\s{PUNCTUATION}])"
)


class EntityKind(StrEnum):
    """What an entity is."""

    URL = "url"
    MENTION = "mention"
    HASHTAG = "hashtag"
    CASHTAG = "cashtag"


@dataclass(frozen=True, slots=True)
class Entity:
    """A part of a text that X links: `text` is the part from `start` to `end`, with its sign.

    A mention may name a list (`@user/list`).
    """

    kind: EntityKind
    start: int
    end: int
    text: str


def entities(text: str) -> tuple[Entity, ...]:
    """Return all that X would link in `text`, in order; of two that overlap, the earlier one."""
    candidates = [*urls(text), *mentions(text), *hashtags(text), *cashtags(text)]
    kept: list[Entity] = []
    for entity in sorted(candidates, key=lambda entity: entity.start):
        if not kept or kept[-1].end <= entity.start:
            kept.append(entity)
    return tuple(kept)


def urls(text: str) -> tuple[Entity, ...]:
    """Return the links, with a scheme or without: `https://arxiv.org`, `cs.AI`."""
    if "." not in text:
        return ()
    found = ((link.start, _url_end(text, link.start, link.end)) for link in links(text, _RULES))
    return tuple(_entity(EntityKind.URL, text, start, end) for start, end in found if end)


def mentions(text: str) -> tuple[Entity, ...]:
    """Return the mentions of users and lists (`@user/list`)."""
    return tuple(
        _entity(EntityKind.MENTION, text, *match.span(1))
        for match in _MENTION.finditer(text)
        if not _NO_MENTION_BEFORE.match(text, match.end())
    )


def hashtags(text: str) -> tuple[Entity, ...]:
    """Return the hashtags, with those inside links (`entities` leaves these out)."""
    return tuple(_entity(EntityKind.HASHTAG, text, start, end) for start, end in _hashtags(text))


def cashtags(text: str) -> tuple[Entity, ...]:
    """Return the cashtags: a dollar sign, one to six letters and perhaps a suffix (`$BRK.A`)."""
    return tuple(
        _entity(EntityKind.CASHTAG, text, *match.span(1)) for match in _CASHTAG.finditer(text)
    )


def _entity(kind: EntityKind, text: str, start: int, end: int) -> Entity:
    return Entity(kind, start, end, text[start:end])


def _url_end(text: str, start: int, end: int) -> int:
    """Return where the link ends: a t.co link after its code, or 0 if the code is too long."""
    short = _TCO.match(text, start, end)
    if not short:
        return end
    return short.end() if len(short[1]) <= _MAX_TCO_SLUG else 0


def _hashtags(text: str) -> Iterator[tuple[int, int]]:
    done = -1  # the character before a tag must not belong to the tag before it
    for sign in _HASH.finditer(text):
        start, end = sign.start(), sign.end()
        while end < len(text) and _in_hashtag(text[end]):
            end += 1
        if _may_begin(text, start, done) and any(map(_is_letter, text[start + 1 : end])):
            done = end
            if not text.startswith(_NO_HASHTAG_BEFORE, end):
                yield start, end


def _may_begin(text: str, start: int, done: int) -> bool:
    if not start:
        return True
    before = text[start - 1]
    return start > done and before != "&" and (before in _VARIATIONS or not _in_hashtag(before))


def _in_hashtag(char: str) -> bool:
    return char in _HASHTAG_MARKS or _is_letter(char) or unicodedata.category(char) == "Nd"


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM"
