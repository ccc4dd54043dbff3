"""An HTTP server on loopback that sends what a test scripts, valid or not.

    with Server() as server:
        server.route("/x", Reply(b"hello"), Reply(status=500))
        ... get(server.url + "/x") ...
        assert server.requests[0].headers["accept"] == "*/*"

The first request to a path gets the first reply, and the last reply is given again and again. A
path without a route gets 404. A reply may be made by a function of the request.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Body = bytes | Callable[[threading.Event], Iterable[bytes]]
"""All of it, or its pieces: a function of an event that is set once the server is closing."""


@dataclass(frozen=True)
class Request:
    """What came in. Header names are in lower case; `path` has its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What goes out.

    A body of bytes gets its Content-Length unless `headers` has one, and a body in pieces ends with
    the connection. With `raw` the body is all that is sent, status line and headers included; with
    `reset` the connection is not closed after it but broken.
    """

    body: Body = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bool = False
    reset: bool = False


ReplySource = Reply | Callable[[Request], Reply]


def dripping(piece: bytes, seconds: float = 0.02) -> Body:
    """A body that never ends, a piece every now and then."""

    def pieces(closing: threading.Event) -> Iterable[bytes]:
        while not closing.wait(seconds):
            yield piece

    return pieces


def endless(piece: bytes) -> Body:
    """A body that never ends, as fast as it is taken."""

    def pieces(closing: threading.Event) -> Iterable[bytes]:
        while not closing.is_set():
            yield piece

    return pieces


class HttpServer:
    """Listens on a free port of 127.0.0.1 from construction to `close`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._routes: dict[str, list[ReplySource]] = {}
        self._closing = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            server_side = outer

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def route(self, path: str, *replies: ReplySource) -> str:
        """Set what `path` (without query) answers; gives its URL."""
        self._routes[path] = list(replies)
        return self.url + path

    def answer(self, request: Request) -> tuple[Reply, threading.Event]:
        with self._lock:
            self.requests.append(request)
            replies = self._routes.get(request.path.partition("?")[0], [Reply(status=404)])
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply if isinstance(reply, Reply) else reply(request), self._closing

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Quiet(ThreadingHTTPServer):
    """Waits for its threads at the end, and says nothing of clients that go away."""

    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients break off: that is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server_side: HttpServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Tests read `Server.requests` instead."""

    def handle_one(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        reply, closing = self.server_side.answer(request)
        if reply.raw or reply.reset or not _is_whole(reply):
            self.close_connection = True
        if not reply.raw:
            self._head(reply)
        pieces = [reply.body] if isinstance(reply.body, bytes) else reply.body(closing)
        for piece in pieces:
            self.wfile.write(piece)
        if reply.reset:
            # Linger for no time: the system then sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_one  # noqa: N815 - theirs

    def _head(self, reply: Reply) -> None:
        headers = {name.lower(): value for name, value in reply.headers.items()}
        if isinstance(reply.body, bytes):
            headers.setdefault("content-length", str(len(reply.body)))
        if self.close_connection:
            headers.setdefault("connection", "close")
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _is_whole(reply: Reply) -> bool:
    """Whether the client can know where the body ends, so that the connection may live on."""
    if not isinstance(reply.body, bytes):
        return False
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return headers.get("content-length", str(len(reply.body))) == str(len(reply.body))
