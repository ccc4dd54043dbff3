"""Listening on loopback: one thread that accepts, and one a connection. Knows nothing of HTTP.

Where too many clients are in, one of those who have asked for nothing must go, the oldest first.
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
"""So many clients at once, each with a thread."""

_BACKLOG = 128
_REST = 0.05

Attend: TypeAlias = Callable[[str, int, Connection], None]
"""Serves one connection to its end: the door's name, the connection's number, the connection."""


@dataclass(slots=True)
class _Door:
    name: str
    listener: socket.socket
    port: int
    opened: int = 0
    shut: bool = False


class Listener:
    """One listening socket a name, open until `close`. `attend` runs in a thread of its own."""

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
        """Open the doors, each at its port or at any that is free.

        OSError where one is taken, with the port in place of a file's name.

        `rest` waits some seconds while there is nothing to open a connection with; by default
        until `close` at the latest. `seconds` is a client's time for one request, `most` the number
        of clients.
        """
        self._attend = attend
        self._ending = threading.Event()
        self._rest = rest or self._ending.wait
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._clients: dict[threading.Thread, tuple[str, Connection]] = {}
        self._doors: dict[str, _Door] = {}
        with ExitStack() as opened:
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._wake, woken = map(opened.enter_context, socket.socketpair())
            self._selector.register(woken, selectors.EVENT_READ)
            for name in names:
                listener = opened.enter_context(_listen(ports.get(name, 0)))
                self._doors[name] = _Door(name, listener, listener.getsockname()[1])
                self._selector.register(listener, selectors.EVENT_READ, self._doors[name])
            self._opened = opened.pop_all()
        self._acceptor = threading.Thread(target=self._accept, name="sandbox", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Hang up on every client and close the doors; every thread has ended afterwards."""
        self._ending.set()
        self._wake.send(b".")
        self._acceptor.join()
        for name in self._doors:
            self._hang_up(name)
        for door in self._doors.values():
            door.listener.close()
        self._opened.close()

    def port(self, name: str) -> int:
        """Return the port of a door."""
        return self._doors[name].port

    def opened(self, name: str) -> int:
        """Return how many clients have come in by a door."""
        with self._lock:
            return self._doors[name].opened

    def shut(self, name: str) -> None:
        """Refuse new clients, and hang up on those that are in."""
        door = self._doors[name]
        self._selector.unregister(door.listener)
        with self._lock:
            door.shut = True
        door.listener.close()
        self._hang_up(name)

    def reopen(self, name: str) -> None:
        """Open a door again that was shut, at the port it had."""
        door = self._doors[name]
        door.listener = _listen(door.port)
        with self._lock:
            door.shut = False
        self._selector.register(door.listener, selectors.EVENT_READ, door)

    def _accept(self) -> None:
        while not self._ending.is_set():
            for key, _ in self._selector.select():
                if isinstance(key.data, _Door):
                    self._welcome(key.data)

    def _welcome(self, door: _Door) -> None:
        try:
            accepted, _ = door.listener.accept()
        except OSError as error:  # shut, or the client gave up, between the signal and here
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._rest(_REST)  # the client waits, and the selector would tell of it at once
            return
        accepted.settimeout(None)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Connection(accepted, self._seconds)
        self._make_room()
        with self._lock:
            if not door.shut:
                door.opened += 1
                self._start(door.name, door.opened, client)
                return
        client.close()

    def _make_room(self) -> None:
        with self._lock:
            staying = {thread: client for thread, (_, client) in self._clients.items()}
        if len(staying) >= self._most:
            waiting = (thread for thread, client in staying.items() if client.waits)
            leaving = next(waiting, next(iter(staying)))
            _send_away({leaving: staying[leaving]})

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
        _send_away(clients)


def _send_away(clients: Mapping[threading.Thread, Connection]) -> None:
    """Hang up on clients; their threads have ended afterwards."""
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
