"""Read what a Bluesky post holds beside its text: links, tags, a card, alt texts. Pure.

The stand-in checked the record when it was written (`bot/sandbox/bluesky/lexicons.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bot.output.page.pieces import Stretch, safe
from bot.output.page.views import CardView
from bot.sandbox.wire import Json

_FACET = "app.bsky.richtext.facet#"
_EMBED = "app.bsky.embed."


@dataclass(frozen=True, slots=True)
class RecordDetails:
    """What a post holds beside its text: its links and tags, a card, and alt texts by file id."""

    stretches: Sequence[Stretch] = ()
    card: CardView | None = None
    alts: Mapping[str, str] = field(default_factory=dict)


def details_of(value: Mapping[str, Json]) -> RecordDetails:
    """Read a post's record (lexicon app.bsky.feed.post)."""
    post: Any = value
    embed = post.get("embed", {})
    card = embed["external"] if embed.get("$type") == f"{_EMBED}external" else None
    images = embed["images"] if embed.get("$type") == f"{_EMBED}images" else ()
    shown = None
    if card:
        href = safe(card["uri"])
        shown = CardView(card["title"], card["description"], urlsplit(href).hostname or "", href)
    return RecordDetails(
        _stretches(post["text"], post.get("facets", ())),
        shown,
        {each["image"]["ref"]["$link"]: each["alt"] for each in images},
    )


def _stretches(text: str, facets: Sequence[Any]) -> Sequence[Stretch]:
    """Return the stretches in order, without overlaps. Facets count bytes, stretches code points.

    A facet that begins or ends outside the text or within a character is left out, as by Bluesky's
    apps.
    """
    found: list[Stretch] = []
    at, encoded = 0, text.encode("utf-8", "surrogatepass")
    for facet in sorted(facets, key=lambda each: each["index"]["byteStart"]):
        first, last = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        kinds = {each["$type"].removeprefix(_FACET): each for each in facet["features"]}
        if last > len(encoded) or not kinds.keys() & {"link", "tag"}:
            continue
        try:
            start, end = (len(encoded[:each].decode()) for each in (first, last))
        except UnicodeDecodeError:
            continue
        if at <= start < end:
            found.append((start, end, kinds["link"]["uri"] if "link" in kinds else ""))
            at = end
    return tuple(found)
