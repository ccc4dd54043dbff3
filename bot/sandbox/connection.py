"""One accepted connection: HTTP/1.1 requests in, bytes out, and every way to break it off."""

from __future__ import annotations

import selectors
import socket
import struct
from contextlib import suppress
from http import HTTPStatus

from bot.sandbox.wire import Request, Response

_LONGEST_LINE = 65_536
_LARGEST_BODY = 64 * 1024 * 1024
_MORE = getattr(socket, "MSG_MORE", 0)  # Linux only
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST, not FIN


class Connection:
    """A client's socket, in one thread; only `hang_up` may be called from another."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = sock.makefile("rb")
        self.keep = True

    def receive(self) -> Request | None:
        """Return the next request, None where the client has left or does not speak HTTP.

        A body needs a Content-Length; `keep` tells afterwards whether another request may follow.
        """
        try:
            return self._read()
        except (OSError, ValueError):
            return None

    def send(self, data: bytes, *, last: bool) -> None:
        """Send as much as the client still takes.

        The `last` bytes wait for the close, so that their reader sees both or neither: else it is a
        matter of luck whether a client that goes on at once finds the connection gone.
        """
        with suppress(OSError):
            self._socket.sendall(data, _MORE if last else 0)

    def left(self, release: socket.socket) -> bool:
        """Wait until something can be read from `release` (False), or the client leaves (True)."""
        with selectors.DefaultSelector() as selector:
            selector.register(release, selectors.EVENT_READ)
            selector.register(self._socket, selectors.EVENT_READ)
            ready = {key.fileobj for key, _ in selector.select()}
        return release not in ready

    def close(self, *, reset: bool = False) -> None:
        """Close, with FIN or with RST."""
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

    def _read(self) -> Request | None:
        first = self._reader.readline(_LONGEST_LINE)
        if not first:
            return None
        method, target, version = first.decode("latin-1").split()
        headers = self._headers()
        close = headers.get("connection", "").lower() == "close"
        self.keep = version == "HTTP/1.1" and not close
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, self._body(headers))

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _line(self) -> str:
        line = self._reader.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ValueError(line)
        return line.decode("latin-1").strip("\r\n")

    def _body(self, headers: dict[str, str]) -> bytes:
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _LARGEST_BODY or "transfer-encoding" in headers:
            raise ValueError(length)
        body = self._reader.read(length)
        if len(body) < length:
            raise ValueError(length)
        return body


def head_of(response: Response, *, keep: bool = True) -> bytes:
    """Return an answer's first line and headers as they are sent, with its length.

    Where the connection is not kept, it says so.
    """
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    named = [*response.headers, ("content-length", str(len(response.body)))]
    named += [] if keep else [("connection", "close")]
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {text}" for name, text in named)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
