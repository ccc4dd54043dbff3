"""A server whose timeline never ends, with posts as large as an answer may be, is left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from itertools import count

import pytest

from bot.model import Account, Network
from bot.posters.bluesky import poster as bluesky
from bot.posters.bluesky.records import POST, uri_of
from bot.posters.bluesky.tids import tid
from bot.posters.poster import MOST_TEXT, Poster
from tests.helpers.bluesky_poster import CID, CREATE, DID, HANDLE, session
from tests.helpers.http_server import HttpServer
from tests.helpers.open_posters import open_mastodon, open_x
from tests.helpers.poster_replies import NOW, json_reply

PER_PAGE = 40
TEXT = "a" * 45_000
MOST_PAGES = 2 + MOST_TEXT // (PER_PAGE * len(TEXT))
TIME = f"{NOW:%Y-%m-%dT%H:%M:%S.000Z}"


def open_bluesky(url: str) -> Poster:
    account = Account("papers", Network.BLUESKY)
    return bluesky.open_poster(
        account,
        handle=HANDLE,
        app_password="app-pass-word-1234",
        base_url=url,
        timeout=30.0,
        clock=lambda: NOW,
    )


def tweets(numbers: list[int]) -> object:
    data = [
        {"id": str(number), "text": TEXT, "created_at": TIME, "author_id": "1000000000000000001"}
        for number in numbers
    ]
    return {"data": data, "meta": {"result_count": len(data), "next_token": str(numbers[0])}}


def statuses(numbers: list[int]) -> object:
    return [{"id": str(number), "content": TEXT, "created_at": TIME} for number in numbers]


def records(numbers: list[int]) -> object:
    found = [
        {
            "uri": uri_of(DID, tid(NOW - timedelta(seconds=2 * 10**18 - number))),
            "cid": CID,
            "value": {"$type": POST, "text": TEXT, "createdAt": TIME},
        }
        for number in numbers
    ]
    return {"records": found, "cursor": str(numbers[0])}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "page", "open_it"),
    [
        ("/2/users/1000000000000000001/tweets", tweets, open_x),
        ("/api/v1/accounts/42/statuses", statuses, open_mastodon),
        ("/xrpc/com.atproto.repo.listRecords", records, open_bluesky),
    ],
    ids=["x", "mastodon", "bluesky"],
)
def test_a_timeline_without_end_is_left_before_it_fills_the_memory(
    path: str, page: Callable[[list[int]], object], open_it: Callable[[str], Poster]
) -> None:
    numbers = count(2 * 10**18, -1)
    with HttpServer() as server:
        server.route(f"/xrpc/{CREATE}", json_reply(session()))
        server.route(path, lambda _: json_reply(page([next(numbers) for _ in range(PER_PAGE)])))
        with closing(open_it(server.url)) as poster:
            look = poster.look(NOW - timedelta(days=400))
        asked = sum(request.path.startswith(path) for request in server.requests)
    assert not look.complete
    assert len(look.posts) == asked * PER_PAGE
    assert 1 < asked <= MOST_PAGES
