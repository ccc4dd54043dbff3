"""Bluesky's data: records with keys and hashes, files, and posts as records. Pure.

A hash (CID) has the right form, and equal records have equal hashes. A file's hash is the real one.
A record's hash is not: real servers compute it of DAG-CBOR, and here it is computed of JSON.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.lexicons import POST, blob_of
from bot.sandbox.ids import Ids
from bot.sandbox.service import Stored
from bot.sandbox.uploads import type_of
from bot.sandbox.wire import Json, RefusedRequest

_RAW, _DAG_CBOR = 0x55, 0x71
_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cid_of_file(data: bytes, codec: int = _RAW) -> str:
    """Return the hash of a file: `bafkrei...`."""
    whole = bytes((1, codec, 0x12, 32)) + sha256(data).digest()
    return f"b{b32encode(whole).decode().lower().rstrip('=')}"


def cid_of(value: Json) -> str:
    """Return the hash of a record: `bafyrei...`."""
    return cid_of_file(json.dumps(value, sort_keys=True).encode(), _DAG_CBOR)


def tids(clock: int = 0) -> Ids:
    """Return keys of records (https://atproto.com/specs/tid) that grow, for a clock's number."""
    last = -1

    def make(now: datetime) -> str:
        nonlocal last
        last = max(last + 1, (now - _EPOCH) // timedelta(microseconds=1))
        number = last << 10 | clock
        return "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(13)))

    return make


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One version of a record, and when it was written and deleted or overwritten."""

    uri: str
    cid: str
    value: Mapping[str, Json]
    made: datetime
    gone: datetime | None = None

    @property
    def repo(self) -> str:
        """The DID of the record's account."""
        return self.uri.split("/")[2]

    @property
    def collection(self) -> str:
        """The lexicon of the record."""
        return self.uri.split("/")[3]

    @property
    def rkey(self) -> str:
        """The record's key."""
        return self.uri.split("/")[4]


def stored(record: StoredRecord) -> Stored:
    """Return a record as a post. Its id is the record's address, its key the record's key."""
    text, langs, reply = (record.value.get(name) for name in ("text", "langs", "reply"))
    parent = reply.get("parent") if isinstance(reply, Mapping) else None
    above = parent.get("uri") if isinstance(parent, Mapping) else None
    return Stored(
        id=record.uri,
        text=text if isinstance(text, str) else "",
        author=record.repo,
        created=record.made,
        reply_to=above if isinstance(above, str) else None,
        key=record.rkey,
        language=str(langs[0]) if isinstance(langs, list) and langs else None,
        media=tuple(cid for cid, _, _ in references(record.value)),
        deleted=record.gone,
    )


def value_of(post: Stored, parent: StoredRecord | None) -> Mapping[str, Json]:
    """Return the record of a person's post. `parent` is the record it replies to, if it exists."""
    created = f"{post.created:%Y-%m-%dT%H:%M:%S}.{post.created.microsecond // 1000:03}Z"
    value: dict[str, Json] = {"$type": POST, "text": post.text, "createdAt": created}
    if post.reply_to is None:
        return value
    ref: Json = {"uri": post.reply_to, "cid": parent.cid if parent else cid_of(post.reply_to)}
    above = parent.value.get("reply") if parent else None
    root = above["root"] if isinstance(above, Mapping) else ref
    return {**value, "reply": {"root": root, "parent": ref}}


def references(value: Json) -> list[tuple[str, str, int]]:
    """Return all references to files in a record: their hashes, types and sizes."""
    return [found for each in _inside(value) if (found := blob_of(each))]


def _inside(value: Json) -> Iterator[Json]:
    yield value
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _inside(each)


@dataclass(frozen=True, slots=True)
class Blob:
    """One file. `kept` tells that a record referred to it."""

    cid: str
    mime: str
    data: bytes = field(repr=False)
    uploaded: datetime
    kept: bool = False

    def reference(self) -> Mapping[str, Json]:
        """Return the value that refers to the file in a record."""
        ref = {"$link": self.cid}
        return {"$type": "blob", "ref": ref, "mimeType": self.mime, "size": len(self.data)}


class Blobs:
    """The files of one account. A file is deleted with the last record that refers to it."""

    def __init__(self) -> None:
        self._blobs: dict[str, Blob] = {}

    def every(self) -> tuple[Blob, ...]:
        """Return the files, in the order of their uploads."""
        return tuple(self._blobs.values())

    def get(self, cid: str) -> Blob | None:
        """Return a file, or None if it does not exist."""
        return self._blobs.get(cid)

    def upload(self, data: bytes, declared: str, now: datetime) -> Blob:
        """Store a file, with the type of its first bytes or the type `declared`."""
        new = Blob(cid_of_file(data), type_of(data) or declared, data, now)
        known = self._blobs.get(new.cid, new)
        self._blobs[new.cid] = replace(known, uploaded=now)
        return new

    def drop(self, now: datetime, after: timedelta | None) -> None:
        """Delete the files that have no record after the time `after`."""
        if after is not None:
            kept = (each for each in self.every() if each.kept or now - each.uploaded < after)
            self._blobs = {each.cid: each for each in kept}

    def check(self, value: Json) -> None:
        """Raise RefusedRequest for a record whose files are missing or not as it says."""
        for cid, mime, size in references(value):
            blob = self._blobs.get(cid)
            if blob is None:
                raise RefusedRequest(answers.no_blob(cid))
            for name, there, said in (
                ("Mimetype", blob.mime, mime),
                ("Size", str(len(blob.data)), str(size)),
            ):
                if there != said and not blob.kept:
                    raise RefusedRequest(answers.other_blob(name, there, said))

    def settle(self, new: Json, old: Json, live: Iterable[Json]) -> None:
        """Keep the files of a `new` record, and delete those that only the `old` one had.

        `live` are the records that exist now.
        """
        for cid, _, _ in references(new):
            if cid in self._blobs:
                self._blobs[cid] = replace(self._blobs[cid], kept=True)
        if lost := {cid for cid, _, _ in references(old)}:
            for cid in lost - {cid for value in live for cid, _, _ in references(value)}:
                self._blobs.pop(cid, None)
