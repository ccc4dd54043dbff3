"""Handle one accepted connection: read HTTP/1.1 requests, send bytes, close or reset.

Any program on this machine may connect, be slow, or send garbage. So a request must arrive
completely within a time and within size limits. A request that is too large or is no HTTP gets an
error answer, and the connection is closed.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot.sandbox.wire import FORM, Request, Response

if TYPE_CHECKING:
    pass

REQUEST_SECONDS = 60.0
"""Seconds that a client has to send one request, and again to take the answer."""

_LARGEST_HEAD = 32_768  # the first line and all headers together
_LARGEST_BODY = 17 * 1024 * 1024  # a picture on Mastodon has at most 16 MiB, elsewhere less
_LARGEST_FORM = 1_000_000
_REST = 4 * 1024 * 1024  # bytes that are still read from a refused client
_PIECE = 32_768
_MORE = getattr(socket, "MSG_MORE", 0)  # Linux only
_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST, not FIN


class Connection:
    """A client's socket, used by one thread. Only `hang_up` may be called from another.

    `keep` tells whether another request may follow.
    """

    def __init__(self, sock: socket.socket, seconds: float = REQUEST_SECONDS) -> None:
        import h11

        self._socket = sock
        self._seconds = seconds
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        self._due = 0.0
        self._method = b""
        self.keep = True

    def receive(self) -> Request | None:
        """Return the next request, or None if the client has left, was too slow or was refused."""
        import h11

        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self._due = time.monotonic() + self._seconds
        try:
            return self._read()
        except h11.RemoteProtocolError as error:
            refusal = Response(error.error_status_hint, b"", (("connection", "close"),))
            with suppress(OSError):
                self.send(*self.bytes_of(refusal), last=False)
                self._socket.shutdown(socket.SHUT_WR)
                # closing with unread bytes would reset the connection, and lose the answer
                left = _REST
                while left > 0 and (data := self._receive_some()):
                    left -= len(data)
        except OSError:
            pass
        return None

    def bytes_of(self, response: Response) -> tuple[bytes, bytes]:
        """Return the head and the body of an answer to the current request. HEAD gets no body."""
        import h11

        phrases = {status.value: status.phrase for status in HTTPStatus}
        headers = [*response.headers, ("content-length", str(len(response.body)))]
        reason = phrases.get(response.status, "Unknown")
        answer = h11.Response(status_code=response.status, headers=headers, reason=reason.encode())
        head = self._http.send(answer) or b""
        body = self._http.send(h11.Data(data=b"" if self._method == b"HEAD" else response.body))
        self._http.send(h11.EndOfMessage())
        self.keep = self._http.our_state is h11.DONE
        return head, body or b""

    def send(self, *parts: bytes, last: bool) -> None:
        """Send bytes. If the client takes no more, `keep` becomes False.

        The `last` bytes wait for the close, so that the client sees both or neither. Otherwise it
        would depend on luck whether the client's next request finds the connection closed.
        """
        try:
            self._socket.settimeout(self._seconds)  # for all bytes together
            self._socket.sendall(b"".join(parts), _MORE if last else 0)
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
        self._socket.close()

    def hang_up(self) -> None:
        """Wake the thread that waits for this client, as if the client had left."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> Request | None:
        import h11

        head, body, most = h11.Request(method="GET", target="/", headers=[("host", "")]), b"", 0
        headers: dict[str, str] = {}
        while not isinstance(event := self._http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                if not (data := self._receive_some()):
                    return None
                self._http.receive_data(data)
            elif isinstance(event, h11.Request):
                head, self._method = event, event.method
                headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
                form = headers.get("content-type", "").startswith(FORM)
                most = _LARGEST_FORM if form else _LARGEST_BODY
                _check_size(int(headers.get("content-length", "0")), most)
            elif isinstance(event, h11.Data):
                body += event.data
                _check_size(len(body), most)
            else:
                return None
        path, _, query = head.target.decode().partition("?")
        return Request(head.method.decode(), path, query, headers, body)

    def _receive_some(self) -> bytes:
        left = self._due - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv(_PIECE)


def _check_size(size: int, most: int) -> None:
    import h11

    if size > most:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        raise h11.RemoteProtocolError("too large", error_status_hint=status)
