"""The files of an account. They are uploaded first, and records refer to them later.

A file is deleted with the last record that refers to it. A file without a record cannot be read,
and is deleted after some time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.sandbox.bluesky import answers
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
    """One file. `kept` tells that a record referred to it."""

    cid: Cid
    mime: str
    data: bytes
    uploaded: datetime
    kept: bool = False

    def reference(self) -> Mapping[str, Data]:
        """Return the value that refers to the file in a record."""
        size = len(self.data)
        return {"$type": "blob", "ref": self.cid, "mimeType": self.mime, "size": size}


def mime_of(data: bytes, declared: str) -> str:
    """Return a file's type by its first bytes, or the `declared` type."""
    for magic, mime in _MAGIC.items():
        if data.startswith(magic):
            return mime
    return "image/webp" if (data[:4], data[8:12]) == _WEBP else declared


class Blobs:
    """The files of one account."""

    def __init__(self) -> None:
        self._blobs: dict[Cid, Blob] = {}

    def every(self) -> tuple[Blob, ...]:
        """Return the files, in the order of their uploads."""
        return tuple(self._blobs.values())

    def get(self, cid: Cid) -> Blob | None:
        """Return a file, or None if it does not exist."""
        return self._blobs.get(cid)

    def upload(self, data: bytes, declared: str, now: datetime) -> Blob:
        """Store a file. If it exists already, only its upload time changes."""
        new = Blob(Cid.of(data, Codec.RAW), mime_of(data, declared), data, now)
        known = self._blobs.get(new.cid, new)
        self._blobs[new.cid] = replace(known, uploaded=now)
        return new

    def drop(self, now: datetime, after: timedelta | None) -> None:
        """Delete the files that have no record after the time `after`."""
        if after is not None:
            old = (each for each in self.every() if not each.kept and now - each.uploaded >= after)
            for each in list(old):
                del self._blobs[each.cid]

    def check(self, value: Data) -> None:
        """Raise RefusedRequest for a record whose files are missing or not as it says."""
        for cid, mime, size in references(value):
            blob = self._blobs.get(cid)
            if blob is None:
                raise RefusedRequest(answers.no_blob(cid))
            if not blob.kept:
                _compare("Mimetype", "InvalidMimeType", blob.mime, mime)
                _compare("Size", "InvalidSize", len(blob.data), size)

    def settle(self, new: Iterable[Data], left: Iterable[Data], live: Iterable[Data]) -> None:
        """Keep the files of `new` records, and delete the files that only `left` records had.

        `left` are the deleted or replaced records, `live` the records that exist now. `live` is
        read only if a file may have to be deleted.
        """
        for cid in _cids(new) & self._blobs.keys():
            self._blobs[cid] = replace(self._blobs[cid], kept=True)
        if lost := _cids(left):
            for cid in lost - _cids(live):
                self._blobs.pop(cid, None)


def references(value: Data) -> list[tuple[Cid, str, int]]:
    """Return all references to files in a record."""
    return [found for each in inside(value) if (found := blob_of(each))]


def _cids(values: Iterable[Data]) -> set[Cid]:
    return {cid for value in values for cid, _, _ in references(value)}


def _compare(what: str, error: str, stored: str | int, referenced: str | int) -> None:
    if stored != referenced:
        message = (
            f"Referenced {what} does not match stored blob. Expected: {stored}, Got: {referenced}"
        )
        raise RefusedRequest(answers.error(400, error, message))
