"""Convert between a network's `Stored` posts and Bluesky's records. Pure."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from bot.sandbox.bluesky.blobs import references
from bot.sandbox.bluesky.cbor import Data, cid_of
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.records import StoredRecord
from bot.sandbox.service import Stored

_DID = "did:plc:"
_LENGTH = 24


def stored(record: StoredRecord) -> Stored:
    """Return a record as a post. Its id is the record's address, its key the record's key."""
    langs = record.value.get("langs")
    return Stored(
        id=record.uri,
        text=_text(record.value.get("text")),
        author=record.repo,
        created=record.made,
        reply_to=_parent(record.value),
        key=record.rkey,
        language=_text(langs[0]) if isinstance(langs, list) and langs else None,
        media=tuple(str(cid) for cid, _, _ in references(record.value)),
        deleted=record.gone,
    )


def value_of(post: Stored, parent: StoredRecord | None) -> Mapping[str, Data]:
    """Return the record of a person's post. `parent` is the record it replies to, if it exists."""
    value: dict[str, Data] = {"$type": POST, "text": post.text, "createdAt": stamp(post.created)}
    if post.reply_to is None:
        return value
    # a reply to a record that does not exist here needs any identifier of the right form
    cid = parent.cid if parent else cid_of(post.reply_to)
    ref: Data = {"uri": post.reply_to, "cid": str(cid)}
    above = parent.value.get("reply") if parent else None
    root = above["root"] if isinstance(above, Mapping) else ref
    return {**value, "reply": {"root": root, "parent": ref}}


def did_of(name: str) -> str:
    """Return the DID of another account: the name itself, or a DID computed from the name."""
    if name.startswith("did:"):
        return name
    digest = b32encode(sha256(name.encode()).digest()).decode().lower()
    return f"{_DID}{digest[:_LENGTH]}"


def stamp(when: datetime) -> str:
    """Return a time in the form of records, to the millisecond."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z"


def _parent(value: Mapping[str, Data]) -> str | None:
    reply = value.get("reply")
    parent = reply.get("parent") if isinstance(reply, Mapping) else None
    uri = parent.get("uri") if isinstance(parent, Mapping) else None
    return uri if isinstance(uri, str) else None


def _text(value: Data) -> str:
    return value if isinstance(value, str) else ""
