"""Listen on loopback: one thread accepts, and each connection has its own. Knows nothing of HTTP.

If too many clients are connected, the oldest client without a current request is closed.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

from bot.sandbox.connection import REQUEST_SECONDS, Connection

HOST = "127.0.0.1"
MOST_CLIENTS = 256
"""The greatest number of clients at one time. Each has a thread."""

_BACKLOG = 128
_REST = 0.05

Attend: TypeAlias = Callable[[str, int, Connection], None]
"""Serves one connection to its end: the network's name, the connection's number, the connection."""


@dataclass(slots=True)
class _Endpoint:
    name: str
    listener: socket.socket
    port: int
    opened: int = 0
    shut: bool = False


class Listener:
    """One listening socket for each name, until `close`. Each connection calls `attend`."""

    def __init__(  # noqa: PLR0913 - two are limits
        self,
        names: Iterable[str],
        ports: Mapping[str, int],
        attend: Attend,
        rest: Callable[[float], object] | None = None,
        *,
        seconds: float = REQUEST_SECONDS,
        most: int = MOST_CLIENTS,
    ) -> None:
        """Listen for each name, at its port in `ports` or at any free port.

        Raises OSError if a port is in use, with the port as its file name.

        `rest` waits some seconds when the process has no file descriptor left. By default it waits
        no longer than until `close`. `seconds` is a client's time for one request, `most` the
        greatest number of clients.
        """
        self._attend = attend
        self._ending = threading.Event()
        self._rest = rest or self._ending.wait
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._clients: dict[threading.Thread, tuple[str, Connection]] = {}
        self._endpoints: dict[str, _Endpoint] = {}
        with ExitStack() as opened:
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._wake, woken = map(opened.enter_context, socket.socketpair())
            self._selector.register(woken, selectors.EVENT_READ)
            for name in names:
                listener = opened.enter_context(_listen(ports.get(name, 0)))
                self._endpoints[name] = _Endpoint(name, listener, listener.getsockname()[1])
                self._selector.register(listener, selectors.EVENT_READ, self._endpoints[name])
            self._opened = opened.pop_all()
        self._acceptor = threading.Thread(target=self._accept, name="sandbox", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Close every connection and every socket, and wait until all threads have ended."""
        self._ending.set()
        self._wake.send(b".")
        self._acceptor.join()
        for name in self._endpoints:
            self._hang_up(name)
        for endpoint in self._endpoints.values():
            endpoint.listener.close()
        self._opened.close()

    def port(self, name: str) -> int:
        """Return the port of a name."""
        return self._endpoints[name].port

    def opened(self, name: str) -> int:
        """Return how many clients have connected to a name."""
        with self._lock:
            return self._endpoints[name].opened

    def shut(self, name: str) -> None:
        """Refuse new clients of a name, and close its connections."""
        endpoint = self._endpoints[name]
        self._selector.unregister(endpoint.listener)
        with self._lock:
            endpoint.shut = True
        endpoint.listener.close()
        self._hang_up(name)

    def reopen(self, name: str) -> None:
        """Listen again for a name that was shut, at the same port."""
        endpoint = self._endpoints[name]
        endpoint.listener = _listen(endpoint.port)
        with self._lock:
            endpoint.shut = False
        self._selector.register(endpoint.listener, selectors.EVENT_READ, endpoint)

    def _accept(self) -> None:
        while not self._ending.is_set():
            for key, _ in self._selector.select():
                if isinstance(key.data, _Endpoint):
                    self._connect(key.data)

    def _connect(self, endpoint: _Endpoint) -> None:
        try:
            accepted, _ = endpoint.listener.accept()
        except OSError as error:  # shut meanwhile, or the client has gone
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._rest(_REST)  # the client still waits, so the selector would return at once
            return
        accepted.settimeout(None)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Connection(accepted, self._seconds)
        self._make_room()
        with self._lock:
            if not endpoint.shut:
                endpoint.opened += 1
                self._start(endpoint.name, endpoint.opened, client)
                return
        client.close()

    def _make_room(self) -> None:
        with self._lock:
            clients = {thread: client for thread, (_, client) in self._clients.items()}
        if len(clients) >= self._most:
            waiting = (thread for thread, client in clients.items() if client.waits)
            leaving = next(waiting, next(iter(clients)))
            _disconnect({leaving: clients[leaving]})

    def _start(self, name: str, number: int, client: Connection) -> None:
        thread = threading.Thread(
            target=self._serve, args=(name, number, client), name=f"sandbox-{name}", daemon=True
        )
        self._clients[thread] = (name, client)
        thread.start()

    def _serve(self, name: str, number: int, client: Connection) -> None:
        try:
            self._attend(name, number, client)
        finally:
            client.close()
            with self._lock:
                del self._clients[threading.current_thread()]

    def _hang_up(self, name: str) -> None:
        with self._lock:
            clients = {
                thread: client for thread, (at, client) in self._clients.items() if at == name
            }
        _disconnect(clients)


def _disconnect(clients: Mapping[threading.Thread, Connection]) -> None:
    """Close the connections of clients, and wait until their threads have ended."""
    for client in clients.values():
        client.hang_up()
    for thread in clients:
        thread.join()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"port {port}") from error
    return listener
