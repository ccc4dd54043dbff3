"""Serve the page on 127.0.0.1 with uvicorn, in a thread."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bot.demo.board import Board
from bot.errors import SettingsError
from bot.sandbox.listener import HOST

CLIENT_SECONDS = 10.0
"""Seconds that a browser has for one request and its answer. Event streams have no such limit."""

_SHUTDOWN_SECONDS = 2
_MOST_CLIENTS = 64
# Ports at which browsers open no page: https://fetch.spec.whatwg.org/#port-blocking
_BLOCKED_PORTS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95}
    | {101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179}
    | {389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601}
    | {636, 989, 990, 993, 995}
    | {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080}
    | {*range(6665, 6670)}
)


def check_libraries() -> None:
    """Raise SettingsError if the libraries of the extra `sandbox` are not installed."""
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"the page needs {' and '.join(missing)}, not installed here",
            "Install bot with its extra: pip install '.[sandbox]'",
        )


def listen(port: int) -> socket.socket:
    """Listen on the page's port, or on any free port for 0. Browsers that connect now must wait.

    Raises SettingsError if the port is in use, or if browsers refuse to open it.
    """
    other = "Choose another --port, or leave it out to use any free port."
    if port in _BLOCKED_PORTS:
        raise SettingsError(f"port {port} cannot be used, since browsers open no page there", other)
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        message = f"port {port} of {HOST} cannot be used ({os.strerror(error.errno or 0)})"
        raise SettingsError(message, other) from error


@contextmanager
def served(
    board: Board, listener: socket.socket, seconds: float = CLIENT_SECONDS
) -> Iterator[None]:
    """Answer browsers at `listener`. At the end, close it and end every thread.

    A connection carries one request. It is closed after `seconds`, unless it is an event stream.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from bot.demo.app import EVENTS, application, headers

    class TimedProtocol(H11Protocol):
        """Closes slow connections, since uvicorn waits for ever for a request and its reader."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.loop.call_later(seconds, self.end)

        def end(self) -> None:
            scope: Mapping[str, object] | None = self.scope  # None before a request
            if scope is None or scope["path"] != EVENTS:
                self.transport.abort()

    ending = threading.Event()
    config = uvicorn.Config(
        application(board, ending.is_set),
        http=TimedProtocol,
        headers=headers(),
        limit_concurrency=_MOST_CLIENTS,  # one more gets a 503
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        # set here, since uvicorn would read them from the environment
        workers=1,
        forwarded_allow_ips=HOST,
        env_file=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="pages")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        server.should_exit = True
        thread.join()
        listener.close()
