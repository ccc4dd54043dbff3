"""What the real SDKs make of every fault, and what the network made of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import requests
import tweepy  # type: ignore[import-untyped]
from mastodon import (
    MastodonAPIError,
    MastodonBadGatewayError,
    MastodonGatewayTimeoutError,
    MastodonInternalServerError,
    MastodonNetworkError,
    MastodonNotFoundError,
    MastodonRatelimitError,
    MastodonServiceUnavailableError,
    MastodonUnauthorizedError,
)

from bot.model import Network
from bot.sandbox import faults
from bot.sandbox.faults import Commit, Fault
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.script import Stage
from bot.sandbox.x import answers as x_answers
from tests.helpers.sandbox_clients import MastodonClient, XClient, mastodon_client, x_client

NOW = Commit.NOW
LOST, CUT = requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError
UNREADABLE = requests.exceptions.JSONDecodeError
SHORT = 0.2
"""Seconds a client waits for an answer that does not come; nothing checked depends on it."""


@pytest.fixture
def on_x() -> Iterator[XClient]:
    with x_client() as it:
        yield it


@pytest.fixture
def on_mastodon() -> Iterator[MastodonClient]:
    with mastodon_client() as it:
        yield it


X_SEES: list[tuple[Fault, type[Exception], bool]] = [
    (faults.CLOSED_BEFORE, LOST, False),
    (faults.CLOSED_AFTER, LOST, True),
    (faults.RESET_BEFORE, LOST, False),
    (faults.RESET_AFTER, LOST, True),
    (faults.cut_head(0), LOST, True),
    (faults.cut_head(9), LOST, True),
    (faults.cut_body(0), CUT, True),
    (faults.cut_body(7), CUT, True),
    (faults.NOT_JSON, UNREADABLE, True),
    (faults.EMPTY, UNREADABLE, True),
    (faults.JSON_LIST, AttributeError, True),
    (faults.ERROR_LIST, AttributeError, False),
    (faults.redirect(), tweepy.Unauthorized, False),  # followed, and the signature is a POST's
    (faults.server_error(500), tweepy.TwitterServerError, False),
    (faults.server_error(504, NOW), tweepy.TwitterServerError, True),
    (faults.server_error(408), tweepy.HTTPException, False),
    (faults.too_many(Network.TWITTER, None), tweepy.TooManyRequests, False),
    (faults.refusal("400", x_answers.REFUSALS["400 parent"]), tweepy.BadRequest, False),
    (faults.refusal("401", x_answers.REFUSALS["401"]), tweepy.Unauthorized, False),
    (faults.refusal("402", x_answers.REFUSALS["402 credits"]), tweepy.HTTPException, False),
    (faults.refusal("403", x_answers.REFUSALS["403 duplicate"]), tweepy.Forbidden, False),
    (faults.refusal("404", x_answers.REFUSALS["404"]), tweepy.NotFound, False),
]


@pytest.mark.parametrize(("fault", "error", "done"), X_SEES, ids=lambda each: str(each)[:40])
def test_tweepy_meets_each_fault(
    on_x: XClient, fault: Fault, error: type[Exception], *, done: bool
) -> None:
    on_x.sandbox.script(fault)
    with pytest.raises(error):
        on_x.post("a")
    assert on_x.texts() == (["a"] if done else [])
    record = on_x.sandbox.requests[0]
    assert (record.fault, record.committed, record.stage) == (fault.name, done, Stage.DONE)
    on_x.post("b")
    assert on_x.texts()[-1] == "b"


def test_tweepy_takes_errors_alone_for_an_answer(on_x: XClient) -> None:
    on_x.sandbox.script(faults.ERRORS_ONLY)
    answer = on_x.client.create_tweet(text="a")
    assert (answer.data, len(answer.errors), on_x.texts()) == (None, 1, ["a"])


def test_tweepy_learns_when_a_429_ends(on_x: XClient) -> None:
    on_x.sandbox.script(faults.too_many(Network.TWITTER, timedelta(minutes=5)))
    with pytest.raises(tweepy.TooManyRequests) as caught:
        on_x.post("a")
    assert caught.value.reset_time == int(on_x.clock.now.timestamp()) + 300


def test_an_unreadable_reset_troubles_tweepy_only_on_a_429(on_x: XClient) -> None:
    on_x.sandbox.script(faults.BAD_RESET)
    assert on_x.post("a")
    assert on_x.sandbox.requests[0].status == 201


MASTODON_SEES: list[tuple[Fault, type[Exception], bool]] = [
    (faults.CLOSED_BEFORE, MastodonNetworkError, False),
    (faults.CLOSED_AFTER, MastodonNetworkError, True),
    (faults.RESET_BEFORE, MastodonNetworkError, False),
    (faults.RESET_AFTER, MastodonNetworkError, True),
    (faults.cut_head(9), MastodonNetworkError, True),
    (faults.cut_body(7), MastodonNetworkError, True),
    (faults.NOT_JSON, MastodonAPIError, True),
    (faults.BAD_RESET, MastodonRatelimitError, True),
    (faults.server_error(500, NOW), MastodonInternalServerError, True),
    (faults.server_error(502), MastodonBadGatewayError, False),
    (faults.server_error(503), MastodonServiceUnavailableError, False),
    (faults.server_error(504, NOW), MastodonGatewayTimeoutError, True),
    (faults.too_many(Network.MASTODON, None), MastodonRatelimitError, False),
    (faults.too_many(Network.MASTODON, timedelta(1)), MastodonRatelimitError, False),
    (
        faults.refusal("401", mastodon_answers.REFUSALS["401"]),
        MastodonUnauthorizedError,
        False,
    ),
    (
        faults.refusal("404", mastodon_answers.REFUSALS["404 parent"]),
        MastodonNotFoundError,
        False,
    ),
    (faults.refusal("422", mastodon_answers.REFUSALS["422 length"]), MastodonAPIError, False),
]


@pytest.mark.parametrize(("fault", "error", "done"), MASTODON_SEES, ids=lambda each: str(each)[:40])
def test_mastodon_py_meets_each_fault(
    on_mastodon: MastodonClient, fault: Fault, error: type[Exception], *, done: bool
) -> None:
    on_mastodon.sandbox.script(fault)
    with pytest.raises(error):
        on_mastodon.post("a")
    assert on_mastodon.texts() == (["a"] if done else [])
    on_mastodon.post("b")
    assert on_mastodon.texts()[-1] == "b"


def test_mastodon_py_learns_when_a_429_ends(on_mastodon: MastodonClient) -> None:
    on_mastodon.sandbox.script(faults.too_many(Network.MASTODON, timedelta(minutes=5)))
    answer = on_mastodon.call("POST", "/api/v1/statuses", data={"status": "a"})
    assert answer.status_code == 429
    assert answer.headers["X-RateLimit-Reset"] == "2026-03-01T12:05:00.250000Z"


def test_a_followed_redirect_shows_in_the_log(on_mastodon: MastodonClient) -> None:
    on_mastodon.sandbox.script(faults.redirect())
    assert on_mastodon.client.status_post("a") == []  # a success, by the look of it
    assert [(each.method, each.path, each.status) for each in on_mastodon.sandbox.requests] == [
        ("POST", "/api/v1/statuses", 301),
        ("GET", "/api/v1/statuses", 200),
    ]
    assert on_mastodon.texts() == []


def test_a_redirect_keeps_the_query_and_may_keep_the_method(on_mastodon: MastodonClient) -> None:
    on_mastodon.sandbox.script(faults.redirect(308), times=2)
    on_mastodon.post("a")
    on_mastodon.call("GET", "/api/v1/statuses?id=1")
    assert [(each.method, each.request.query) for each in on_mastodon.sandbox.requests] == [
        ("POST", ""),
        ("POST", ""),
        ("POST", ""),
        ("GET", "id=1"),
    ]
    assert on_mastodon.texts() == ["a"]


def test_a_post_may_appear_after_its_failure(on_x: XClient) -> None:
    on_x.sandbox.script(faults.server_error(504, Commit.LATER, 60))
    on_x.sandbox.script(faults.later(faults.CLOSED_BEFORE, 90))
    with pytest.raises(tweepy.TwitterServerError):
        on_x.post("a")
    with pytest.raises(LOST):
        on_x.post("b")
    assert [each.fault for each in on_x.sandbox.requests] == [
        "504 60 s before commit",
        "closed before commit, committed 90 s later",
    ]
    assert on_x.texts() == []
    on_x.clock.advance(seconds=60)
    assert on_x.texts() == ["a"]
    on_x.clock.advance(seconds=30)
    assert on_x.texts() == ["a", "b"]
    assert not any(each.committed for each in on_x.sandbox.requests)


@pytest.mark.parametrize(
    ("fault", "done"), [(faults.HUNG_BEFORE, False), (faults.HUNG_AFTER, True)]
)
def test_a_request_hangs_until_its_client_has_had_enough(fault: Fault, *, done: bool) -> None:
    with x_client(timeout=SHORT) as it:
        it.sandbox.script(fault)
        with pytest.raises(requests.exceptions.ReadTimeout):
            it.post("a")
        assert it.sandbox.wait(lambda log: bool(log) and log[0].stage is Stage.DONE)
        assert it.texts() == (["a"] if done else [])
        assert it.sandbox.requests[0].status is None


def test_a_late_commit_hangs_as_well() -> None:
    with x_client(timeout=SHORT) as it:
        it.sandbox.script(faults.later(faults.HUNG_AFTER, 60))
        with pytest.raises(requests.exceptions.ReadTimeout):
            it.post("a")
        assert it.sandbox.wait(lambda log: bool(log) and log[0].stage is Stage.DONE)
        assert it.texts() == []
        it.clock.advance(seconds=60)
        assert it.texts() == ["a"]


@pytest.mark.parametrize("network", [Network.TWITTER, Network.MASTODON])
def test_every_fault_has_a_name_and_leaves_the_network_standing(network: Network) -> None:
    every = faults.every(network)
    names = [fault.name for fault in every]
    assert len(set(names)) == len(names) > 30
    with x_client() as on_x, mastodon_client() as on_mastodon:
        it: XClient | MastodonClient = on_x if network is Network.TWITTER else on_mastodon
        for number, fault in enumerate(every):
            it.sandbox.script(fault, at=2 * number + 1)
            _quietly(it, f"a{number}")
            # One that was followed elsewhere was answered twice, and not at an odd place.
            while len(it.sandbox.requests) < 2 * number + 2:
                it.post(f"b{len(it.sandbox.requests)}")
        assert [each.fault for each in it.sandbox.requests[::2]] == names


def _quietly(it: XClient | MastodonClient, text: str) -> None:
    expected = (requests.RequestException, tweepy.TweepyException, AttributeError)
    follow: Callable[..., object] = it.post
    try:
        follow(text)
    except (*expected, MastodonNetworkError, MastodonAPIError, MastodonRatelimitError):
        return
    except TypeError:  # tweepy, asked for the id of an answer without data
        return
