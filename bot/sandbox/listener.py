"""Listen on loopback, with a thread that accepts and one for each connection. Knows no HTTP."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from bot.sandbox.connection import REQUEST_SECONDS, Connection

HOST = "127.0.0.1"
MOST_CLIENTS = 256
"""The most clients at one time. Each has a thread. For one more the oldest is closed."""

_BACKLOG = 128
_REST = 0.05


class Listener:
    """A listening socket on loopback. `attend` serves one connection to its end, by its number.

    `port` is its port, and `opened` counts the clients that connected. A client has `seconds` for
    one request.
    """

    def __init__(
        self,
        port: int,
        attend: Callable[[int, Connection], None],
        seconds: float = REQUEST_SECONDS,
        most: int = MOST_CLIENTS,
    ) -> None:
        self.port = port
        self.opened = 0
        self._attend = attend
        self._seconds = seconds
        self._most = most
        self._clients: dict[threading.Thread, Connection] = {}
        self._ending = threading.Event()
        self.open()

    def open(self) -> None:
        """Listen, after `close` at the same port again.

        Raises OSError if the port is in use, with the port as its file name.
        """
        try:
            self._socket = socket.create_server((HOST, self.port), backlog=_BACKLOG)
        except OSError as error:
            number = error.errno or 0
            raise OSError(number, os.strerror(number), f"port {self.port}") from error
        self.port = self._socket.getsockname()[1]
        self._ending.clear()
        self._acceptor = threading.Thread(target=self._accept, name="sandbox", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Close every connection and the socket, and wait until all threads have ended."""
        self._ending.set()
        with suppress(OSError), socket.create_connection((HOST, self.port), 1):
            pass  # wakes the thread that accepts
        self._acceptor.join()
        self._socket.close()
        clients = dict(self._clients)
        for client in clients.values():
            client.hang_up()
        for thread in clients:
            thread.join()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                accepted, _ = self._socket.accept()
            except OSError:  # the client has gone, or the process has no file descriptor left
                time.sleep(_REST)
                continue
            if self._ending.is_set():
                accepted.close()
                break
            if len(clients := dict(self._clients)) >= self._most:
                oldest = next(iter(clients))
                clients[oldest].hang_up()
                oldest.join()
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.opened += 1
            client = Connection(accepted, self._seconds)
            thread = threading.Thread(
                target=self._serve, args=(self.opened, client), name="sandbox-client", daemon=True
            )
            self._clients[thread] = client
            thread.start()

    def _serve(self, number: int, client: Connection) -> None:
        try:
            self._attend(number, client)
        finally:
            client.close()
            del self._clients[threading.current_thread()]
