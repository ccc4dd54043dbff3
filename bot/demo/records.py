"""Read what a Bluesky record holds beside its text: links, tags, a card, alt texts. Pure.

A record may contain nonsense. What makes no sense is left out, as Bluesky's apps do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bot.output.page.pieces import Stretch, safe
from bot.output.page.views import CardView
from bot.sandbox.bluesky.lexicons import blob_of
from bot.sandbox.wire import Json

_FACET = "app.bsky.richtext.facet"
_EXTERNAL = "app.bsky.embed.external"
_IMAGES = "app.bsky.embed.images"


@dataclass(frozen=True, slots=True)
class RecordDetails:
    """What a post holds beside its text: its links and tags, a card, and alt texts by file id."""

    stretches: Sequence[Stretch] = ()
    card: CardView | None = None
    alts: Mapping[str, str] = field(default_factory=dict)


def details_of(value: Mapping[str, Json]) -> RecordDetails:
    """Read a post's record (lexicon app.bsky.feed.post)."""
    embed = _map(value.get("embed"))
    return RecordDetails(
        tuple(_stretches(_text(value.get("text")), value.get("facets"))),
        _card(_map(embed.get("external"))) if embed.get("$type") == _EXTERNAL else None,
        dict(_alts(embed.get("images"))) if embed.get("$type") == _IMAGES else {},
    )


def _stretches(text: str, facets: Json) -> Iterator[Stretch]:
    """Yield the stretches in order, without overlaps. Facets count bytes, stretches code points."""
    found = sorted(filter(None, (_stretch(text, each) for each in _list(facets))))
    at = 0
    for start, end, address in found:
        if start >= at:
            yield start, end, address
            at = end


def _stretch(text: str, facet: Json) -> Stretch | None:
    index = _map(_map(facet).get("index"))
    start, end = (_place(text, index.get(name)) for name in ("byteStart", "byteEnd"))
    if start is None or end is None or start >= end:
        return None
    for feature in map(_map, _list(_map(facet).get("features"))):
        if feature.get("$type") == f"{_FACET}#link":
            return start, end, _text(feature.get("uri"))
        if feature.get("$type") == f"{_FACET}#tag":
            return start, end, ""
    return None


def _place(text: str, at: Json) -> int | None:
    """Return the index of the code point that begins at a byte, or None if none begins there."""
    encoded = text.encode("utf-8", "surrogatepass")
    if not isinstance(at, int) or not 0 <= at <= len(encoded):
        return None
    try:
        return len(encoded[:at].decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return None


def _card(card: Mapping[str, Json]) -> CardView:
    href = safe(_text(card.get("uri")))
    host = urlsplit(href).hostname or ""
    return CardView(_text(card.get("title")), _text(card.get("description")), host, href)


def _alts(images: Json) -> Iterator[tuple[str, str]]:
    for image in map(_map, _list(images)):
        if found := blob_of(image.get("image")):
            yield found[0], _text(image.get("alt"))


def _map(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
