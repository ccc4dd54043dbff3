"""What each network makes of a text: which stretches are links, and how these are shown.

X: what `bot/formatter/entities` finds, links without scheme and cut. Mastodon: links with a scheme,
hashtags. Bluesky finds nothing by itself: the stretches a post brings along. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from bot.formatter.x.entities import Entity, EntityKind, entities
from bot.model import Network
from bot.output.page.views import Piece

Stretch: TypeAlias = tuple[int, int, str]
"""Where a link or a hashtag begins and ends, and the address of a link; empty for a hashtag."""

# How many characters of a link are shown, without its scheme: X's and Mastodon's own habit.
_SHOWN = {Network.TWITTER: 26, Network.MASTODON: 30}
_SCHEME = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 24
# Not text at all: HTML forbids these, UTF-8 the lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def linked(network: Network, text: str, given: Sequence[Stretch] = ()) -> tuple[Piece, ...]:
    """Return the text in pieces, links and hashtags told apart as `network` shows them.

    `given` are the stretches of a network that finds none by itself, in order.
    """
    pieces: list[Piece] = []
    at = 0
    for start, end, piece in _found(network, text, given):
        if at < start:
            pieces.append(Piece(text[at:start]))
        pieces.append(piece)
        at = end
    if at < len(text):
        pieces.append(Piece(text[at:]))
    return tuple(pieces)


def safe(address: str) -> str:
    """Return the address where a page may lead to it: https, a host, no sign of a trick; or ''."""
    if _UNPRINTABLE.search(address) or any(char.isspace() for char in address):
        return ""
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return address if parts.scheme == "https" and named else ""


def size_of(png: bytes) -> tuple[int, int] | None:
    """Return the width and height of a PNG in pixels, None for anything else."""
    if not png.startswith(_PNG) or len(png) < _PNG_HEADER:
        return None
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    return (width, height) if width and height else None


def _found(
    network: Network, text: str, given: Sequence[Stretch]
) -> Iterator[tuple[int, int, Piece]]:
    if network is Network.BLUESKY:
        for start, end, address in given:
            kind = "link" if address else "tag"
            yield start, end, Piece(text[start:end], kind, safe(address))
        return
    for entity in entities(text):
        if _comes_alive(network, entity):
            yield entity.start, entity.end, _piece(network, entity)


def _comes_alive(network: Network, entity: Entity) -> bool:
    if network is Network.TWITTER:
        return True
    with_scheme = entity.kind is EntityKind.URL and _SCHEME.match(entity.text) is not None
    return with_scheme or entity.kind is EntityKind.HASHTAG


def _piece(network: Network, entity: Entity) -> Piece:
    if entity.kind is not EntityKind.URL:
        return Piece(entity.text, "tag")
    bare = _SCHEME.sub("", entity.text, count=1)
    most = _SHOWN[network]
    shown = bare if len(bare) <= most else f"{bare[:most]}…"
    return Piece(shown, "link", safe(entity.text))
