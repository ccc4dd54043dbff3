"""An answer over HTTP whose body is still on its way."""

from __future__ import annotations

import http.client
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from bot.errors import Malformed, Nowhere, Unreachable
from bot.http.dates import moment
from bot.http.deadline import translate_network_errors
from bot.http.page import SIZE_CAP, CacheValidators
from bot.http.urls import shown
from bot.redact import Redact

_PIECE = 65_536
_CHARSET = re.compile(r";\s*charset=\"?([\w.:-]{1,40})", re.ASCII | re.IGNORECASE)
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """What a server answered. `url` is where it came from in the end, after redirects.

    `cap` is the most bytes the body may have, decoded; `timeout` is what the messages name.
    `redact` takes the token that was sent out of all but `pieces`.
    """

    url: str
    timeout: float
    cap: int
    _response: requests.Response
    redact: Redact = field(default_factory=Redact)

    @property
    def where(self) -> str:
        """The URL as it may be shown."""
        return self.redact(shown(self.url))

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status_code

    @property
    def validators(self) -> CacheValidators:
        """What to ask with next time; nothing where the page is of the second it was sent in.

        It may change again within that second, and a Last-Modified could not tell (RFC 9110,
        8.8.2.2), nor could an ETag made of time and size, as common servers make theirs.
        """
        modified, sent = moment(self.header("last-modified")), moment(self.header("date"))
        if modified and sent and modified >= sent:
            return CacheValidators()
        return CacheValidators(self.header("etag"), self.header("last-modified"))

    def header(self, name: str) -> str:
        """One header; empty where it is not there."""
        return self.redact(self._response.headers.get(name, ""))

    @property
    def type(self) -> str:
        """The media type in lower case, without parameters; empty where none is said."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The encoding that the media type names; empty where none is said."""
        found = _CHARSET.search(self.header("content-type"))
        return found[1] if found else ""

    def raise_for_status(self) -> None:
        """Raise Nowhere for 404 and 410, Unreachable for all else but 200."""
        if self.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            fix = "Look whether the address is right, and open to everybody."
            raise Nowhere(f"{self.where}: there is nothing ({self.status})", fix)
        if self.status != HTTPStatus.OK:
            raise Unreachable(f"{self.where}: the server answers {self.status}{self.wait()}")

    def wait(self) -> str:
        """When the server will have us back, as the end of a sentence; empty if it does not say."""
        value = self.header("retry-after").strip()
        if re.fullmatch("[0-9]{1,9}", value):
            return f", and asks to wait {value} seconds"
        until = moment(value)
        return f", and asks to wait until {until:%Y-%m-%d %H:%M:%S} UTC" if until else ""

    def whole(self, pieces: Iterable[bytes] | None = None, most: int = SIZE_CAP) -> bytes:
        """Give the whole body, or what `pieces` of it hold: `most` bytes. Raises like `pieces`."""
        body = bytearray()
        for piece in self.pieces() if pieces is None else pieces:
            body += piece
            if len(body) > most:
                raise self._too_large(most)
        return self.redact.data(bytes(body))

    def pieces(self) -> Iterator[bytes]:
        """Give the body, decoded, as it comes.

        Raises Malformed where it is too large or cannot be decoded, Unreachable where it breaks
        off or does not end in time.
        """
        size = 0
        with translate_network_errors(self.where, self.timeout):
            for piece in self._decoded():
                size += len(piece)
                if size > self.cap:
                    raise self._too_large(self.cap)
                yield piece

    def _too_large(self, most: int) -> Malformed:
        return Malformed(self.where, 1, f"expected at most {most / 1e6:g} MB, and there is more")

    def _decoded(self) -> Iterator[bytes]:
        encoding = self.header("content-encoding").strip().lower()
        if encoding in ("", "identity"):
            yield from self._raw()
        elif encoding in ("gzip", "x-gzip"):
            try:
                yield from _gunzipped(self._raw())
            except zlib.error as error:
                raise Malformed(self.where, 1, "expected gzip, found something else") from error
        else:
            found = f"found the encoding {encoding[:20]!r}"
            raise Malformed(self.where, 1, f"expected plain text or gzip, {found}")

    def _raw(self) -> Iterator[bytes]:
        while piece := self._response.raw.read1(_PIECE, decode_content=False):
            yield piece


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Decode gzip, no more than a piece at a time: 1 MB of it can stand for 1 GB."""
    decoder = zlib.decompressobj(_GZIP)
    for piece in pieces:
        rest = piece
        while rest:
            if decoder.eof:
                decoder = zlib.decompressobj(_GZIP)
            yield decoder.decompress(rest, _PIECE)
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    yield decoder.flush()
    if not decoder.eof:
        raise http.client.IncompleteRead(b"")
