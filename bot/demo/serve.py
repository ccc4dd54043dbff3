"""The pages on 127.0.0.1, in a thread, by uvicorn."""

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
"""A browser must have asked and taken its answer within so long; events go on."""

_LONGEST_GOODBYE = 2
_MOST_CLIENTS = 64
# What no browser opens a page at: https://fetch.spec.whatwg.org/#port-blocking
_BARRED = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95}
    | {101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179}
    | {389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601}
    | {636, 989, 990, 993, 995}
    | {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080}
    | {*range(6665, 6670)}
)


def check_libraries() -> None:
    """Raises SettingsError where the libraries of the extra `sandbox` are not there."""
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"the page needs {' and '.join(missing)}, which are not installed",
            "Install bot with its extra: pip install '.[sandbox]'",
        )


def listen(port: int) -> socket.socket:
    """Open the page's door, at any free port for 0. Browsers that come now wait for the pages.

    Raises SettingsError where the port is taken, or browsers would not go there.
    """
    if port in _BARRED:
        message = f"port {port} is of no use: browsers open no page there"
        raise SettingsError(message, "Give another with --port, or none for any.")
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        message = f"port {port} of {HOST} cannot be used: {os.strerror(error.errno or 0)}"
        raise SettingsError(message, "Give another with --port, or none for any.") from error


@contextmanager
def served(board: Board, door: socket.socket, seconds: float = CLIENT_SECONDS) -> Iterator[None]:
    """Answer browsers at `door`, which is closed afterwards, and every thread has ended.

    A connection carries one request, and is cut off after `seconds` unless it is sent events.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from bot.demo.app import EVENTS, application

    class Hasty(H11Protocol):
        """Uvicorn itself waits for ever for a request, its body, and a reader of its answer."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.loop.call_later(seconds, self.end)

        def end(self) -> None:
            asked: Mapping[str, object] | None = self.scope  # None before a request
            if asked is None or asked["path"] != EVENTS:
                self.transport.abort()

    ending = threading.Event()
    config = uvicorn.Config(
        application(board, door.getsockname()[1], ending.is_set),
        http=Hasty,
        limit_concurrency=_MOST_CLIENTS,  # for one more it is 503
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LONGEST_GOODBYE,
        # said here, or uvicorn would look for them in the environment
        workers=1,
        forwarded_allow_ips=HOST,
        env_file=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([door],), name="pages")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        server.should_exit = True
        thread.join()
        door.close()
