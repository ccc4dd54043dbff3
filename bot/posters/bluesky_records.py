"""A post as the record that Bluesky keeps, and back (lexicon app.bsky.feed.post). Pure.

The same post makes the same record, to the byte: a repeat is then no change at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.model import Card, Span
from bot.posters.poster import Outgoing, Seen
from bot.posters.tids import is_tid
from bot.posters.values import at, created_at, items_at, text_at

POST = "app.bsky.feed.post"
_IMAGES = "app.bsky.embed.images"
_URI = re.compile(rf"at://(did:[a-z]+:[A-Za-z0-9._:%-]{{1,200}})/{re.escape(POST)}/([a-z2-7]+)")


@dataclass(frozen=True, slots=True)
class Ref:
    """A strong reference: a record's address, and the hash of what stood there."""

    uri: str
    cid: str

    def value(self) -> dict[str, str]:
        """As it stands in a record (lexicon com.atproto.repo.strongRef)."""
        return {"uri": self.uri, "cid": self.cid}


def uri_of(did: str, key: str) -> str:
    """The address of a post."""
    return f"at://{did}/{POST}/{key}"


def key_of(uri: str, did: str) -> str:
    """The key of a post of this account; empty for any other address."""
    found = _URI.fullmatch(uri)
    return found[2] if found and found[1] == did and is_tid(found[2]) else ""


def page_of(uri: str, handle: str) -> str:
    """Where readers see it."""
    return f"https://bsky.app/profile/{handle}/post/{uri.rpartition('/')[2]}"


def record(post: Outgoing, root: Ref | None, parent: Ref | None) -> dict[str, object]:
    """The record of a post; `root` and `parent` are None for the first of a thread."""
    made: dict[str, object] = {
        "$type": POST,
        "text": post.text,
        "createdAt": _time(post.created),
        "langs": [post.language],
    }
    if root and parent:
        made["reply"] = {"root": root.value(), "parent": parent.value()}
    facets = [_facet(post.text, span) for span in post.spans]
    if facets:
        made["facets"] = facets
    if post.card:
        made["embed"] = _external(post.card)
    return made


def _time(moment: datetime | None) -> str:
    """To the millisecond, as the network's own programs write it."""
    written = (moment or datetime.fromtimestamp(0, UTC)).astimezone(UTC)
    return written.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facet(text: str, span: Span) -> dict[str, object]:
    """A link or a tag (lexicon app.bsky.richtext.facet), counted in bytes of UTF-8."""
    kind = "tag" if span.tag else "link"
    name, value = ("tag", span.tag) if span.tag else ("uri", span.uri)
    start = len(text[: span.start].encode())
    return {
        "index": {"byteStart": start, "byteEnd": start + len(text[span.start : span.end].encode())},
        "features": [{"$type": f"app.bsky.richtext.facet#{kind}", name: value}],
    }


def _external(card: Card) -> dict[str, object]:
    shown = {"uri": card.uri, "title": card.title, "description": card.description}
    return {"$type": "app.bsky.embed.external", "external": shown}


def seen(found: object, handle: str) -> Seen | None:
    """A record of the answer to getRecord or listRecords; None where it is none of a post."""
    uri, value = text_at(found, "uri"), at(found, "value")
    created = created_at(value, "createdAt")
    if not uri or created is None:
        return None
    return Seen(
        id=uri,
        url=page_of(uri, handle),
        text=text_at(value, "text"),
        parent=text_at(value, "reply", "parent", "uri"),
        created=created,
        media=len(_images(value)),
        key=uri.rpartition("/")[2],
    )


def _images(value: object) -> Sequence[object]:
    return items_at(value, "embed", "images") if text_at(value, "embed", "$type") == _IMAGES else ()
