"""A Bluesky poster and an HTTP server that answers it as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest

from bot.model import Account, Network
from bot.posters.bluesky import poster as bluesky
from bot.posters.bluesky.records import uri_of
from bot.posters.bluesky.tids import tid
from bot.posters.poster import Poster, PostRequest
from bot.posters.session_store import SessionStore
from tests.helpers.http_server import HttpServer, Reply, ReplySource
from tests.helpers.poster_replies import NOW, json_reply

DID = "did:plc:4ylmn73gfraurawqf4wbmsh2"
HANDLE = "digests.test"
KEY = tid(NOW)
OTHER = tid(NOW - timedelta(minutes=1))
URI, PARENT_URI = uri_of(DID, KEY), uri_of(DID, OTHER)
CID = "bafyreiemww3as2zw3ntmkfw7n5rtmbjrudfybpuo5j5enyhngfxmle3yti"
PUT, DELETE = "com.atproto.repo.putRecord", "com.atproto.repo.deleteRecord"
CREATE = "com.atproto.server.createSession"
REFRESH = "com.atproto.server.refreshSession"
ROOT = PostRequest("Hot papers", KEY, created=NOW)


def session(**more: object) -> dict[str, object]:
    return {"did": DID, "handle": HANDLE, "accessJwt": "aaa", "refreshJwt": "rrr", **more}


def error(status: int, name: str, message: str = "") -> Reply:
    return json_reply({"error": name, "message": message}, status)


PUT_WELL = json_reply({"uri": URI, "cid": CID, "commit": {"cid": CID, "rev": "3n2rdgc4c7c2p"}})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        route(running, CREATE, json_reply(session()))
        yield running


def route(server: HttpServer, method: str, *replies: ReplySource) -> None:
    server.route(f"/xrpc/{method}", *replies)


def asked(server: HttpServer) -> list[str]:
    return [each.path.partition("?")[0].removeprefix("/xrpc/") for each in server.requests]


@pytest.fixture
def opened() -> Iterator[Callable[..., Poster]]:
    with ExitStack() as stack:

        def make(
            base: str,
            keeper: SessionStore | None = None,
            clock: Callable[[], datetime] = lambda: NOW,
            password: str = "app-pass-word-1234",  # noqa: S107 - opens nothing
            timeout: float = 30.0,
        ) -> Poster:
            poster = bluesky.open_poster(
                Account("papers", Network.BLUESKY),
                handle=HANDLE,
                app_password=password,
                base_url=base,
                timeout=timeout,
                clock=clock,
                keeper=keeper,
            )
            stack.callback(poster.close)
            return poster

        yield make


@pytest.fixture
def poster(server: HttpServer, opened: Callable[..., Poster]) -> Poster:
    return opened(server.url)
