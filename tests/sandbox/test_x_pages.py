from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
import tweepy  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.text import shown
from tests.helpers.sandbox_clients import StillClock, XClient, x_client

COUNT = 12


@pytest.fixture
def it() -> Iterator[XClient]:
    """X with twelve posts, a minute apart; every third is a reply."""
    with x_client() as started:
        parent = None
        for number in range(COUNT):
            parent = started.post(f"post {number}", parent if number % 3 == 2 else None)
            started.clock.advance(seconds=60)
        yield started


def numbers(it: XClient, **asked: object) -> list[int]:
    answer = it.client.get_users_tweets(it.rules.account, user_auth=True, **asked)
    return [int(each.text.removeprefix("post ")) for each in answer.data or []]


def test_the_timeline_is_newest_first_and_ten_long(it: XClient) -> None:
    assert numbers(it) == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    assert numbers(it, max_results=100) == list(range(11, -1, -1))


def test_the_page_tells_where_it_ends(it: XClient) -> None:
    answer = it.client.get_users_tweets(it.rules.account, max_results=5, user_auth=True)
    every = [post.id for post in it.rules.every()]
    assert answer.meta["newest_id"] == every[11]
    assert answer.meta["oldest_id"] == every[7]
    assert answer.meta["result_count"] == 5
    last = it.client.get_users_tweets(it.rules.account, max_results=100, user_auth=True)
    assert "next_token" not in last.meta
    empty = it.client.get_users_tweets(it.rules.account, since_id=every[11], user_auth=True)
    assert (empty.data, empty.meta) == (None, {"result_count": 0})


@pytest.mark.parametrize("size", [5, 6, 7, 11, 12, 100])
def test_paging_shows_each_post_once(it: XClient, size: int) -> None:
    pages = tweepy.Paginator(
        it.client.get_users_tweets, it.rules.account, max_results=size, user_auth=True
    )
    assert [each.text for each in pages.flatten()] == [f"post {n}" for n in range(11, -1, -1)]


def test_ids_and_times_bound_what_is_shown(it: XClient) -> None:
    every = it.rules.every()
    assert numbers(it, since_id=every[8].id) == [11, 10, 9]
    assert numbers(it, start_time=every[9].created) == [11, 10, 9]
    assert numbers(it, start_time="2026-03-01T12:10:00") == [11, 10]


def test_the_timeline_reaches_back_only_so_far(it: XClient) -> None:
    it.rules.behaviour = XBehaviour(depth=7)
    assert numbers(it, max_results=100) == [11, 10, 9, 8, 7, 6, 5]


def test_the_timeline_shows_what_is_there_and_ours(it: XClient) -> None:
    it.rules.write("post 90", author="2")
    it.rules.write("post 91")
    it.rules.remove(it.rules.every()[11].id)
    it.rules.behaviour = XBehaviour(timeline_lag=timedelta(seconds=200))
    it.clock.advance(seconds=30)
    assert numbers(it, max_results=5) == [9, 8, 7, 6, 5]
    it.clock.advance(seconds=170)
    assert numbers(it, max_results=5) == [91, 10, 9, 8, 7]


def test_another_users_timeline_is_not_here(it: XClient) -> None:
    answer = it.client.get_users_tweets("2", user_auth=True)
    assert (answer.data, answer.errors[0]["resource_type"]) == (None, "user")


@pytest.mark.parametrize(
    "query",
    [
        "max_results=4",
        "max_results=101",
        "max_results=",
        "since_id=x",
        "since_id=%C2%B2",
        "start_time=yesterday",
        "pagination_token=x",
        "pagination_token=7140dibx",
        "referenced=1",
    ],
)
def test_what_is_out_of_bounds_is_a_400(it: XClient, query: str) -> None:
    answer = it.call("GET", f"/2/users/{it.rules.account}/tweets?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["errors"][0]["parameters"]


@given(st.text(alphabet=st.sampled_from("a &<>.\n/@#é😀") | st.characters(), max_size=80))
@example("see http://a.com &amp; cs.AI < https://b.org/é")
def test_a_text_can_be_had_back_from_what_x_makes_of_it(text: str) -> None:
    look = shown(Stored("1", text, "1", StillClock()()))
    back, at = "", 0
    for link in look.urls:
        start, end = link["start"], link["end"]
        assert isinstance(start, int)
        assert isinstance(end, int)
        assert look.text[start:end] == link["url"]
        back += unescape(look.text[at:start]) + str(link["expanded_url"])
        at = end
    back += unescape(look.text[at:])
    sent = unicodedata.normalize("NFC", text).strip()
    assert back.replace("http://", "") == sent.replace("http://", "")
