"""The files of an account: uploaded first, referred to by a record later, gone with the last one.

A file that no record refers to yet cannot be read, and is not kept for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.sandbox.bluesky import answers as says
from bot.sandbox.bluesky.cbor import Data
from bot.sandbox.bluesky.cids import Cid, Codec
from bot.sandbox.bluesky.data import blob_of, inside
from bot.sandbox.wire import RefusedRequest

_MAGIC: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
_WEBP = (b"RIFF", b"WEBP")


@dataclass(frozen=True, slots=True)
class Blob:
    """One file. `kept`: a record has referred to it."""

    cid: Cid
    mime: str
    data: bytes
    uploaded: datetime
    kept: bool = False

    def reference(self) -> Mapping[str, Data]:
        """Return what a record says to refer to the file."""
        size = len(self.data)
        return {"$type": "blob", "ref": self.cid, "mimeType": self.mime, "size": size}


def mime_of(data: bytes, said: str) -> str:
    """Return a file's type by its first bytes, or what was `said` of it."""
    for magic, mime in _MAGIC.items():
        if data.startswith(magic):
            return mime
    return "image/webp" if (data[:4], data[8:12]) == _WEBP else said


class Blobs:
    """The files of one account."""

    def __init__(self) -> None:
        self._blobs: dict[Cid, Blob] = {}

    def every(self) -> tuple[Blob, ...]:
        """Return the files there are, in the order they came."""
        return tuple(self._blobs.values())

    def get(self, cid: Cid) -> Blob | None:
        """Return a file, None where it never came or is gone."""
        return self._blobs.get(cid)

    def upload(self, data: bytes, said: str, now: datetime) -> Blob:
        """Take a file in. One that is there already stays as it is, but for its age."""
        new = Blob(Cid.of(data, Codec.RAW), mime_of(data, said), data, now)
        known = self._blobs.get(new.cid, new)
        self._blobs[new.cid] = replace(known, uploaded=now)
        return new

    def drop(self, now: datetime, after: timedelta | None) -> None:
        """Forget the files that have waited too long for a record."""
        if after is not None:
            old = (each for each in self.every() if not each.kept and now - each.uploaded >= after)
            for each in list(old):
                del self._blobs[each.cid]

    def check(self, value: Data) -> None:
        """Let a record through whose files are all here, and are what it says they are."""
        for cid, mime, size in references(value):
            blob = self._blobs.get(cid)
            if blob is None:
                raise RefusedRequest(says.no_blob(cid))
            if not blob.kept:
                _compare("Mimetype", "InvalidMimeType", blob.mime, mime)
                _compare("Size", "InvalidSize", len(blob.data), size)

    def settle(self, new: Iterable[Data], left: Iterable[Data], live: Iterable[Data]) -> None:
        """Keep the files of `new` records, forget those that only records which `left` had.

        `live` are the records that are there now; they are only looked at where a file was left.
        """
        for cid in _cids(new) & self._blobs.keys():
            self._blobs[cid] = replace(self._blobs[cid], kept=True)
        if lost := _cids(left):
            for cid in lost - _cids(live):
                self._blobs.pop(cid, None)


def references(value: Data) -> list[tuple[Cid, str, int]]:
    """Return what a record says of the files it refers to, wherever in it."""
    return [found for each in inside(value) if (found := blob_of(each))]


def _cids(values: Iterable[Data]) -> set[Cid]:
    return {cid for value in values for cid, _, _ in references(value)}


def _compare(what: str, error: str, ours: str | int, theirs: str | int) -> None:
    if ours != theirs:
        message = f"Referenced {what} does not match stored blob. Expected: {ours}, Got: {theirs}"
        raise RefusedRequest(says.error(400, error, message))
