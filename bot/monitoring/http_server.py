"""The worker's pages on PORT: /healthz and /metrics, to whoever asks.

Anybody may ask, slowly, in masses, or with garbage. So one thread of its own serves all clients
(asyncio, which the timer has loaded anyway), a client has some seconds in all and a few kilobytes,
and where too many are there, the one that has been there longest without an answer must go: one who
asks at once is always answered. A connection carries one request (RFC 9112).
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import format_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bot.errors import SettingsError
from bot.monitoring.health import healthz
from bot.monitoring.metrics import CONTENT_TYPE, metrics
from bot.monitoring.worker_state import Snapshot

MOST_CLIENTS = 256
"""So many clients at once; for one more the oldest must go. Each of them takes some 10 KB."""

CLIENT_SECONDS = 5.0
"""A client must have asked and taken its answer within so long."""

_LONGEST_LINE = 4_096
_MOST_LINES = 100
_REST = 65_536
_BACKLOG = MOST_CLIENTS  # else who comes with many waits a second
_INDEX = "The worker of bot. /healthz says how it is, /metrics says it in figures.\n"
_TEXT = "text/plain; charset=utf-8"
_ASKING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer: its status, media type and text."""

    status: HTTPStatus
    type: str
    text: str


def page(path: str, snapshot: Snapshot) -> HttpAnswer:
    """Give the page at a path; 404 where there is none."""
    match path:
        case "/healthz":
            status, body = healthz(snapshot)
            return HttpAnswer(status, "application/json", json.dumps(body, indent=2) + "\n")
        case "/metrics":
            return HttpAnswer(HTTPStatus.OK, CONTENT_TYPE, metrics(snapshot))
        case "/":
            return HttpAnswer(HTTPStatus.OK, _TEXT, _INDEX)
        case _:
            return _plain(HTTPStatus.NOT_FOUND)


class HttpServer:
    """Serves the pages from construction to `stop`, at a port of an IP address of this machine.

    Port 0 takes a free one, which `port` then names. `::` is every address, of IPv4 too.
    `seconds` is a client's time and `most` the number of clients. Raises SettingsError
    where nothing can listen there.
    """

    def __init__(
        self,
        port: int,
        snapshot: Callable[[], Snapshot],
        host: str = "127.0.0.1",
        seconds: float = CLIENT_SECONDS,
        most: int = MOST_CLIENTS,
    ) -> None:
        self._snapshot = snapshot
        self._seconds = seconds
        self._most = most
        self._socket = _listening(host, port)
        self.port = int(self._socket.getsockname()[1])
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._stopping = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everybody and end; at once, and the second time nothing is done."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # In the thread of its own --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(
            self._accepted, sock=self._socket, limit=_LONGEST_LINE, backlog=_BACKLOG
        )
        await self._stopping.wait()
        server.close()
        while leaving := dict(self._clients):  # some may be let in while others leave
            for task in leaving:
                task.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
            for writer in leaving.values():
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        staying = [task for task in self._clients if not task.cancelling()]
        if len(staying) >= self._most:
            staying[0].cancel()
        task = self._loop.create_task(self._attend(reader, writer))
        self._clients[task] = writer
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        writer = self._clients.pop(task)
        writer.transport.abort()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):  # it left, or was too slow
            async with asyncio.timeout(self._seconds):
                writer.write(self._answer(*await _request(reader)))
                writer.write_eof()
                # a connection that is closed with bytes unread is reset, and the answer lost
                for _ in range(_REST // _LONGEST_LINE):
                    if not await reader.read(_LONGEST_LINE):
                        break

    def _found(self, path: str, now: Snapshot) -> HttpAnswer:
        try:
            return page(path, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next one is answered
            told = {"message": f"{path} could not be made", "exception": error}
            self._loop.call_exception_handler(told)  # which logs it
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, method: str, path: str, status: HTTPStatus) -> bytes:
        now = self._snapshot()
        if status is not HTTPStatus.OK:
            found = _plain(status)
        elif method in _ASKING:
            found = self._found(path, now)
        else:
            found = _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        body = found.text.encode()
        lines = [
            f"HTTP/1.1 {found.status.value} {found.status.phrase}",
            f"Date: {format_datetime(now.now.at, usegmt=True)}",
            f"Content-Type: {found.type}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        if found.status is HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append(f"Allow: {', '.join(_ASKING)}")
        head = "\r\n".join([*lines, "", ""]).encode("ascii")
        return head if method == "HEAD" else head + body


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, HTTPStatus]:
    """Read a request up to the end of its headers: method, path, and OK where it is one."""
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    try:
        first = await reader.readline()
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        for _ in range(_MOST_LINES):
            if not (await reader.readline()).strip():
                return _asked(first)
    except ValueError:  # a line that is longer than `limit`
        pass
    return "", "", status


def _asked(line: bytes) -> tuple[str, str, HTTPStatus]:
    try:
        method, target, version = line.decode("ascii").split()
        path = urlsplit(target).path
    except ValueError:
        return "", "", HTTPStatus.BAD_REQUEST
    if not version.startswith("HTTP/1."):
        return "", "", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    return method, path, HTTPStatus.OK


def _plain(status: HTTPStatus) -> HttpAnswer:
    return HttpAnswer(status, _TEXT, f"{status.value} {status.phrase}\n")


def _listening(host: str, port: int) -> socket.socket:
    """A socket at an IP address; `::` is every one of IPv4 too, where the system can have both."""
    try:
        return socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=_BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise SettingsError(
                f"BOT_BIND: {host} cannot be used: this machine has no such address",
                "Set an address of this machine: 127.0.0.1 is for this machine alone, 0.0.0.0 for "
                "every one.",
            ) from error
        why = _REFUSALS.get(error.errno or 0, error.strerror or str(error))
        raise SettingsError(
            f"PORT: {port} cannot be used: {why}",
            "Set another port, or none for a worker without /healthz and /metrics.",
        ) from error


_REFUSALS = {
    errno.EADDRINUSE: "another program listens there, perhaps another worker",
    errno.EACCES: "this user may not listen there",
}
