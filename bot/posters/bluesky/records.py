"""A post as the record that Bluesky keeps, and back (lexicon app.bsky.feed.post). Pure.

The same post makes the same record, to the byte: a repeat is then no change at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.model import Card, Span
from bot.posters.bluesky.tids import is_tid, time_of
from bot.posters.json_values import at, created_at, items_at, text_at
from bot.posters.poster import PostRequest, RemotePost

POST = "app.bsky.feed.post"
DID = r"did:[a-z]{1,32}:[A-Za-z0-9._:%-]{0,200}[A-Za-z0-9._-]"
"""The pattern of an account's own name."""

_PNG_BEGINS = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_HEADER = 24
_MOST_OF_PNG = 2**31 - 1
_IMAGES = "app.bsky.embed.images"
_ADDRESS = re.compile(rf"at://({DID})/{re.escape(POST)}/([A-Za-z0-9._:~-]{{1,512}})")
_CID = re.compile(r"[A-Za-z0-9+=]{8,256}")
_URI = re.compile(r"\w+:(?://)?[^\s/]\S*", re.ASCII)
_MOST_OF_URI = 8192
_MOST_OF_TAG = 64
_MOST_BYTES_OF_TAG = 640
_LANGUAGE = re.compile(
    r"([A-Za-z]{2,3})((?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?)(?:-.*)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Ref:
    """A strong reference: a record's address, and the hash of what stood there."""

    uri: str
    cid: str

    def value(self) -> dict[str, str]:
        """As it stands in a record (lexicon com.atproto.repo.strongRef)."""
        return {"uri": self.uri, "cid": self.cid}


def is_cid(text: str) -> bool:
    """Tell whether this may be the hash of a record, as a strong reference needs it."""
    return bool(_CID.fullmatch(text))


def uri_of(did: str, key: str) -> str:
    """The address of a post."""
    return f"at://{did}/{POST}/{key}"


def filed_under(uri: str, did: str) -> str:
    """What a post of this account is filed under, of whatever form; empty for other addresses."""
    found = _ADDRESS.fullmatch(uri)
    return found[2] if found and found[1] == did else ""


def key_of(uri: str, did: str) -> str:
    """The key of a post of this account, a TID; empty for any other address."""
    key = filed_under(uri, did)
    return key if is_tid(key) else ""


def page_of(uri: str, handle: str) -> str:
    """Where readers see it."""
    return f"https://bsky.app/profile/{handle}/post/{uri.rpartition('/')[2]}"


@dataclass(frozen=True, slots=True)
class Image:
    """An upload as a record names it: the blob of the answer, its words, its size in pixels."""

    blob: object
    alt: str
    size: tuple[int, int] | None

    def value(self) -> dict[str, object]:
        """As it stands in a record (lexicon app.bsky.embed.images#image)."""
        made = {"alt": self.alt, "image": self.blob}
        if self.size is None:
            return made
        return made | {"aspectRatio": {"width": self.size[0], "height": self.size[1]}}


def size_of(png: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, from its header; None for anything else."""
    if png[:16] != _PNG_BEGINS or len(png) < _PNG_HEADER:
        return None
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    fits = 0 < width <= _MOST_OF_PNG and 0 < height <= _MOST_OF_PNG
    return (width, height) if fits else None


def record(
    post: PostRequest, root: Ref | None, parent: Ref | None, images: Sequence[Image] = ()
) -> dict[str, object]:
    """The record of a post; `root` and `parent` are None for the first of a thread.

    A post shows its images, or else its card. What the lexicon would refuse of its trimmings is
    left out: the words alone are worth a post.
    """
    made: dict[str, object] = {"$type": POST, "text": post.text, "createdAt": _time(post.created)}
    if language := _language(post.language):
        made["langs"] = [language]
    if root and parent:
        made["reply"] = {"root": root.value(), "parent": parent.value()}
    facets = [_facet(post.text, span) for span in post.spans if _may_lead(span)]
    if facets:
        made["facets"] = facets
    if images:
        made["embed"] = {"$type": _IMAGES, "images": [image.value() for image in images]}
    elif post.card and _is_uri(post.card.uri):
        made["embed"] = _external(post.card)
    return made


def _time(moment: datetime | None) -> str:
    """To the millisecond, as the network's own programs write it."""
    written = (moment or datetime.fromtimestamp(0, UTC)).astimezone(UTC)
    return written.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _language(tag: str) -> str:
    """The language, its script and its region; the rest of a tag may not be well-formed."""
    found = _LANGUAGE.fullmatch(tag)
    return found[1].lower() + found[2] if found else ""


def _is_uri(text: str) -> bool:
    return bool(_URI.fullmatch(text)) and len(text.encode("utf-8", "replace")) <= _MOST_OF_URI


def _may_lead(span: Span) -> bool:
    if not span.tag:
        return _is_uri(span.uri)
    # code points, not the lexicon's graphemes: there are never more of these
    size = len(span.tag.encode("utf-8", "replace"))
    return len(span.tag) <= _MOST_OF_TAG and size <= _MOST_BYTES_OF_TAG


def _facet(text: str, span: Span) -> dict[str, object]:
    """A link or a tag (lexicon app.bsky.richtext.facet), counted in bytes of UTF-8."""
    kind = "tag" if span.tag else "link"
    name, value = ("tag", span.tag) if span.tag else ("uri", span.uri)
    start, end = (_bytes_before(text, place) for place in (span.start, span.end))
    return {
        "index": {"byteStart": start, "byteEnd": end},
        "features": [{"$type": f"app.bsky.richtext.facet#{kind}", name: value}],
    }


def _bytes_before(text: str, place: int) -> int:
    # a text that cannot be encoded is refused when it is sent, and not here
    return len(text[:place].encode("utf-8", "surrogatepass"))


def _external(card: Card) -> dict[str, object]:
    shown = {"uri": card.uri, "title": card.title, "description": card.description}
    return {"$type": "app.bsky.embed.external", "external": shown}


def seen(found: object, did: str, handle: str) -> RemotePost | None:
    """A post of this account in the answer to getRecord or listRecords; None for anything else.

    Whoever wrote a record may have written nonsense for its time; then its key tells one.
    """
    uri, value = text_at(found, "uri"), at(found, "value")
    key = key_of(uri, did)
    if not key:
        return None
    return RemotePost(
        id=uri,
        url=page_of(uri, handle),
        text=text_at(value, "text"),
        parent=text_at(value, "reply", "parent", "uri"),
        created=created_at(value, "createdAt") or time_of(key),
        media=len(_images(value)),
        key=key,
    )


def _images(value: object) -> Sequence[object]:
    return items_at(value, "embed", "images") if text_at(value, "embed", "$type") == _IMAGES else ()
