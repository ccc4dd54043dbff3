"""Connections that are watched: when a request's first byte leaves, and when its answer is due.

requests and urllib3 tell neither. Which error came says little: a TLS error may strike before the
request or after it. And a read timeout bounds the wait for the next byte, not for the last.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from bot.http.deadline import SharedTime
from bot.http.error_messages import NoTime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer, SupportsRead, WriteableBuffer

    Sendable: TypeAlias = SupportsRead[bytes] | Iterable[ReadableBuffer] | ReadableBuffer | str


class RequestWatch:
    """One request at a time: whether it `began` to leave, and the seconds `left` for its answer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.began = False
        self._clock = clock
        self._ends = 0.0

    def start(self, seconds: float) -> None:
        """Begin to watch a request that has so long."""
        self.began = False
        self._ends = self._clock() + seconds

    @property
    def left(self) -> float:
        """The seconds until the answer is due; nothing or less once it is overdue."""
        return self._ends - self._clock()


def pools(watch: RequestWatch) -> dict[str, type[HTTPConnectionPool]]:
    """Return the kinds of connection pool, by scheme, whose connections tell `watch`."""

    class WatchedResponse(http.client.HTTPResponse):
        def __init__(
            self, sock: socket.socket, debuglevel: int = 0, method: str | None = None
        ) -> None:
            super().__init__(sock, debuglevel, method)
            self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock, watch))

    class Watched(SharedTime):
        response_class = WatchedResponse

        def connect(self) -> None:
            """Find the host, connect, and make TLS and a proxy's tunnel: no request yet."""
            began = watch.began
            try:
                super().connect()
            finally:
                watch.began = began

        def send(self, data: Sendable) -> None:
            if self.sock is None:
                self.connect()
            if not watch.began and watch.left <= 0:
                raise NoTime("no time is left for an answer")
            watch.began = True
            super().send(data)

    class WatchedTls(Watched, HTTPSConnection):
        pass

    Watched.left = staticmethod(lambda: watch.left)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Watched

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = WatchedTls

    return {"http": Pool, "https": TlsPool}


class _Bounded(io.RawIOBase):
    """What a socket receives, until the watch says that it is overdue: then a TimeoutError."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, watch: RequestWatch) -> None:
        super().__init__()
        self._raw = raw
        self._socket = sock
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._watch.left
        if left <= 0:
            raise TimeoutError("the answer is overdue")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
