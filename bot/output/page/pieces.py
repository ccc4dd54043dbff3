"""Split a text into the pieces that each network shows: plain text, links and hashtags. Pure.

X links what `bot/formatter/x/entities.py` finds, and shows links cut and without their scheme.
Mastodon links addresses with a scheme, and hashtags. Bluesky links nothing by itself, only the
stretches that are sent with a post.
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
"""Where a link or a hashtag begins and ends, and the link's address, empty for a hashtag."""

# How many characters of a link X and Mastodon show, without its scheme.
_SHOWN = {Network.TWITTER: 26, Network.MASTODON: 30}
_SCHEME = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 24
# HTML forbids these characters, and UTF-8 the lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def linked(network: Network, text: str, given: Sequence[Stretch] = ()) -> tuple[Piece, ...]:
    """Return the text in pieces, with the links and hashtags that `network` shows.

    `given` are the stretches that were sent with the post, in order. Only Bluesky uses them.
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
    """Return the address if a page may link to it (https, a host, no user name), or ''."""
    if _UNPRINTABLE.search(address) or any(char.isspace() for char in address):
        return ""
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return address if parts.scheme == "https" and named else ""


def size_of(png: bytes) -> tuple[int, int] | None:
    """Return the width and height of a PNG in pixels, or None for anything else."""
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
        if _is_linked(network, entity):
            yield entity.start, entity.end, _piece(network, entity)


def _is_linked(network: Network, entity: Entity) -> bool:
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
