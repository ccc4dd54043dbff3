"""Handle one accepted connection: read HTTP/1.1 requests, send bytes, close or reset.

Any program on this machine may connect, be slow, or send garbage. So a request must arrive
completely within a time and within size limits. A request that is too large or is no HTTP gets an
error answer, and the connection is closed.
"""

from __future__ import annotations

import re
import selectors
import socket
import struct
import time
from contextlib import suppress
from http import HTTPStatus
from io import BufferedReader, RawIOBase

from bot.sandbox.wire import FORM, RefusedRequest, Request, Response

REQUEST_SECONDS = 60.0
"""Seconds that a client has to send one request, and again to take the answer."""

_LONGEST_LINE = 8_192
_MOST_HEADERS = 100
_LARGEST_HEAD = 65_536  # all headers together
_LARGEST_BODY = 17 * 1024 * 1024  # a picture on Mastodon has at most 16 MiB, elsewhere less
_LARGEST_FORM = 1_000_000
_REST = 4 * 1024 * 1024  # bytes that are still read from a refused client
_PIECE = 65_536
_NUMBER = re.compile(r"[0-9]{1,12}")
_CHUNK = re.compile(r"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MORE = getattr(socket, "MSG_MORE", 0)  # Linux only
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST, not FIN


class _Timed(RawIOBase):
    """Reads a socket until `due`, a monotonic time. Raises TimeoutError afterwards."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.due = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        left = self.due - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


class Connection:
    """A client's socket, used by one thread. Only `hang_up` may be called from another.

    `waits` tells whether the thread waits for the client's next request.
    """

    def __init__(self, sock: socket.socket, seconds: float = REQUEST_SECONDS) -> None:
        self._socket = sock
        self._seconds = seconds
        self._timed = _Timed(sock)
        self._reader = BufferedReader(self._timed)
        self.keep = True
        self.waits = True

    def receive(self) -> Request | None:
        """Return the next request, or None if the client has left, was too slow or was refused.

        Afterwards `keep` tells whether another request may follow.
        """
        self.waits = True
        self._timed.due = time.monotonic() + self._seconds
        try:
            return self._read()
        except RefusedRequest as refused:
            self._refuse(refused.response)
        except (OSError, ValueError):
            pass
        finally:
            self.waits = False
        return None

    def send(self, data: bytes, *, last: bool) -> None:
        """Send bytes. If the client takes no more, `keep` becomes False.

        The `last` bytes wait for the close, so that the client sees both or neither. Otherwise it
        would depend on luck whether the client's next request finds the connection closed.
        """
        try:
            self._socket.settimeout(self._seconds)  # for all bytes together
            self._socket.sendall(data, _MORE if last else 0)
        except OSError:
            self.keep = False

    def left(self, release: socket.socket) -> bool:
        """Wait until something can be read from `release` (False), or the client leaves (True)."""
        with selectors.DefaultSelector() as selector:
            selector.register(release, selectors.EVENT_READ)
            selector.register(self._socket, selectors.EVENT_READ)
            ready = {key.fileobj for key, _ in selector.select()}
        return release not in ready

    def close(self, *, reset: bool = False) -> None:
        """Close the connection, with FIN or with RST."""
        with suppress(OSError):
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        with suppress(OSError):
            self._reader.close()
        self._socket.close()

    def hang_up(self) -> None:
        """Wake the thread that waits for this client, as if the client had left."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _refuse(self, response: Response) -> None:
        with suppress(OSError, ValueError):
            self.send(head_of(response, keep=False), last=False)
            self._socket.shutdown(socket.SHUT_WR)
            # closing with unread bytes would reset the connection, and lose the answer
            left, piece = _REST, bytearray(_PIECE)
            while left > 0 and (received := self._timed.readinto(piece)):
                left -= received

    def _read(self) -> Request | None:
        if not self._reader.peek(1):
            return None
        words = self._line(_LONGEST_LINE, HTTPStatus.REQUEST_URI_TOO_LONG).split(" ")
        if len(words) != 3 or not _TOKEN.fullmatch(words[0]):  # noqa: PLR2004 - RFC 9112
            raise _refused(HTTPStatus.BAD_REQUEST)
        method, target, version = words
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise _refused(HTTPStatus.BAD_REQUEST)
        headers = self._headers()
        close = headers.get("connection", "").lower() == "close"
        self.keep = version == "HTTP/1.1" and not close
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, self._body(headers))

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        left = _LARGEST_HEAD
        for _ in range(_MOST_HEADERS + 1):
            line = self._line(left, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            if not line:
                return headers
            left -= len(line)
            name, colon, value = line.partition(":")
            name = name.lower()
            # two lengths, or a name with white space, are used to smuggle requests
            twice = name in headers and name in ("content-length", "transfer-encoding")
            if not colon or not _TOKEN.fullmatch(name) or twice:
                raise _refused(HTTPStatus.BAD_REQUEST)
            headers[name] = value.strip()
        raise _refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _line(self, most: int, status: HTTPStatus) -> str:
        line = self._reader.readline(most + 1)
        if len(line) > most:
            raise _refused(status)
        if not line.endswith(b"\n"):
            raise ValueError(line)
        return line.decode("latin-1").strip("\r\n")

    def _body(self, headers: dict[str, str]) -> bytes:
        form = headers.get("content-type", "").startswith(FORM)
        most = _LARGEST_FORM if form else _LARGEST_BODY
        coding, length = headers.get("transfer-encoding"), headers.get("content-length", "0")
        if coding is not None:
            if coding.lower() != "chunked" or "content-length" in headers:
                raise _refused(HTTPStatus.BAD_REQUEST)
            return self._chunks(most)
        if not _NUMBER.fullmatch(length):
            raise _refused(HTTPStatus.BAD_REQUEST)
        if int(length) > most:
            raise _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self._exactly(int(length))

    def _chunks(self, most: int) -> bytes:
        """Read a chunked body. Trailers after the last chunk are dropped."""
        body = bytearray()
        while True:
            found = _CHUNK.fullmatch(self._line(_LONGEST_LINE, HTTPStatus.BAD_REQUEST))
            if not found:
                raise _refused(HTTPStatus.BAD_REQUEST)
            size = int(found[1], 16)
            if size > most - len(body):
                raise _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if not size:
                self._headers()
                return bytes(body)
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise _refused(HTTPStatus.BAD_REQUEST)

    def _exactly(self, length: int) -> bytes:
        data = self._reader.read(length)
        if len(data) < length:
            raise ValueError(length)
        return data


def _refused(status: HTTPStatus) -> RefusedRequest:
    return RefusedRequest(Response(status, f"{status.value} {status.phrase}\n".encode()))


def head_of(response: Response, *, keep: bool = True) -> bytes:
    """Return the first line and the headers of an answer, with its length.

    Without `keep` a header says that the connection is closed.
    """
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    named = [*response.headers, ("content-length", str(len(response.body)))]
    named += [] if keep else [("connection", "close")]
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {text}" for name, text in named)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
