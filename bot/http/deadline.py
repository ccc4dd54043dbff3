"""Adds to requests a deadline for a complete answer, and checks of the addresses of a host.

A read timeout bounds the wait for the next bytes. A server that sends one byte a second, of the
body or of the headers, never exceeds it. Here each read of the socket may last until the deadline.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.poolmanager import PoolManager

from bot.errors import Unreachable
from bot.http.error_messages import NotPublic, chain, words
from bot.http.urls import is_public

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Left = Callable[[], float]
"""Seconds until the deadline; nothing or less once it is past."""
MayBePrivate = Callable[[str], bool]
"""Tells whether a host may have an address of this machine or of a private network."""


class DeadlineAdapter(HTTPAdapter):
    """Carries requests, once each; reading any of the answer past the deadline is a TimeoutError.

    requests and urllib3 wrap that error as they do a socket's own.
    """

    def __init__(self, left: Left, may_be_private: MayBePrivate = lambda _: True) -> None:
        self._pools = _pools(left, may_be_private)
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 - requests calls it so
        """Make the pools for connections without a proxy."""
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str) -> PoolManager:  # type: ignore[override]
        """Make the pools for connections through `proxy`."""
        manager: PoolManager = super().proxy_manager_for(proxy)
        manager.pool_classes_by_scheme = self._pools
        return manager


class SharedTime(HTTPConnection):
    """A connection that gives each address of its host a share of half the time that is `left`.

    An address that swallows connections (a broken IPv6) does not keep it from the next one, and
    the other half stays for the answer.
    """

    left: Left
    may_be_private: MayBePrivate = staticmethod(lambda _: True)

    def _new_conn(self) -> socket.socket:
        """Connect. Raises NotPublic; behind a proxy it is the proxy that looks the host up."""
        host, timeout, ends = self._dns_host, self.timeout, self.left() / 2
        must_be_public = self.proxy is None and not self.may_be_private(self.host)
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        except (OSError, UnicodeError):
            if must_be_public:
                raise
            return super()._new_conn()  # says what is wrong with the name
        if must_be_public and not all(map(is_public, addresses)):
            raise NotPublic
        try:
            for number, address in enumerate(addresses):
                over = self.left() - ends
                self._dns_host = address
                self.timeout = max(over / (len(addresses) - number), _LEAST)
                try:
                    return super()._new_conn()
                except (ConnectTimeoutError, NewConnectionError):
                    if number + 1 == len(addresses):
                        raise
            return super()._new_conn()
        finally:
            self._dns_host, self.timeout = host, timeout


_LEAST = 0.1  # seconds for an address, however many there are


def _pools(left: Left, may_be_private: MayBePrivate) -> dict[str, type[HTTPConnectionPool]]:
    """Pool classes for urllib3, whose connections answer through `_Until`."""

    class DeadlineResponse(http.client.HTTPResponse):
        def __init__(
            self, sock: socket.socket, debuglevel: int = 0, method: str | None = None
        ) -> None:
            super().__init__(sock, debuglevel, method)
            self.fp = io.BufferedReader(_Until(self.fp.detach(), sock, left))

    class PlainConnection(SharedTime):
        response_class = DeadlineResponse

    class SecureConnection(PlainConnection, HTTPSConnection):
        pass

    PlainConnection.left = staticmethod(left)
    PlainConnection.may_be_private = staticmethod(may_be_private)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": PlainPool, "https": SecurePool}


class _Until(io.RawIOBase):
    """A socket's bytes, up to the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, left: Left) -> None:
        super().__init__()
        self._raw = raw
        self._socket = sock
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("the deadline is past")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()  # lets go of the socket
        super().close()


_FOREIGN = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,  # a host name that cannot be encoded
)


@contextmanager
def translate_network_errors(where: str, timeout: float) -> Iterator[None]:
    """Raise Unreachable about `where` for each error of the network.

    The cause that is chained is the innermost error: the outer ones quote the URL.
    """
    try:
        yield
    except _FOREIGN as error:
        *_, innermost = chain(error)
        raise Unreachable(f"{where}: {words(error, timeout)}") from innermost
