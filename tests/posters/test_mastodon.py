"""Mastodon: each answer a server may give to a post, and reading back, through mastodon.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import cast
from urllib.parse import parse_qs

import pytest

from bot.model import Account, Network
from bot.posters.mastodon import poster as mastodon
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, Poster, PostRequest
from bot.sandbox import faults
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    HOLLO,
    MASTODON,
    MASTODON_4_6,
    SERVERS,
    SNAC2,
    TAKAHE,
    IdempotencyKeys,
    MastodonBehaviour,
    Resets,
)
from bot.sandbox.mastodon.pages import ProfilePage
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.server import Sandbox
from tests.helpers.http_server import HttpServer, Reply, Request
from tests.helpers.open_posters import open_mastodon
from tests.helpers.poster_replies import (
    ADDRESS,
    CONTENT,
    CREDENTIALS,
    HANGING,
    LATER,
    NOT_NOW,
    NOW,
    PARENT,
    SCOPE,
    SENT,
    STOPS,
    UNKNOWN,
    WRONG,
    Expected,
    Failure,
    check_one_fault,
    failure,
    json_reply,
    raw_reply,
    sort_and_refusal,
)

ROOT = PostRequest("Hot papers", "key")
REPLY = PostRequest("1. A paper", "key1", parent="77", root="77", visibility="unlisted")
STATUSES = "/api/v1/statuses"
TIMELINE = "/api/v1/accounts/42/statuses"
WHO = "/api/v1/accounts/verify_credentials"
APP = "/api/v1/apps/verify_credentials"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def poster(server: HttpServer) -> Iterator[Poster]:
    opened = open_mastodon(server.url)
    yield opened
    opened.close()


def error(status: int, text: str = "Words.") -> Reply:
    return json_reply({"error": text}, status)


# -- every status ----------------------------------------------------------------------------------

# What each status means in the server's own words, and in those of a gateway. All others leave it
# open.
ANY_ERROR: Mapping[int, Expected] = {
    **dict.fromkeys((301, 302, 307, 308), ADDRESS),
    400: CONTENT,
    401: CREDENTIALS,
    402: LATER,
    403: CREDENTIALS,
    404: CONTENT,
    413: CONTENT,
    422: CONTENT,
    429: LATER,
}
# A page is of something in front of the server: it says nothing but what all servers mean by it.
ANY_PAGE: Mapping[int, Expected] = {
    **dict.fromkeys((301, 302, 307, 308), ADDRESS),
    402: LATER,
    404: ADDRESS,
    413: CONTENT,
    429: LATER,
}
BODILESS = (204, 304)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("post", "body", "expected"),
    [
        pytest.param(ROOT, b'{"error": "Words."}', ANY_ERROR, id="root"),
        pytest.param(REPLY, b'{"error": "Words."}', {**ANY_ERROR, 404: PARENT}, id="reply"),
        pytest.param(ROOT, b"<html>Oops</html>", ANY_PAGE, id="page"),
        pytest.param(REPLY, b"<html>Oops</html>", ANY_PAGE, id="page-reply"),
    ],
)
def test_every_status_has_its_meaning(
    server: HttpServer,
    poster: Poster,
    post: PostRequest,
    body: bytes,
    expected: Mapping[int, Expected],
) -> None:
    headers = {"Location": "https://moved.example/"}
    for status in range(200, 600):
        server.route(STATUSES, raw_reply(status, b"" if status in BODILESS else body, headers))
        outcome = poster.publish(post)
        assert sort_and_refusal(outcome) == expected.get(status, UNKNOWN), f"{status}: {outcome}"
        assert str(status) in outcome.reason
        assert (outcome.id, outcome.url, outcome.until, outcome.flaw) == ("", "", None, "")
    # A page that is not there may be that of a wrong address, and then nobody knows us either.
    asked = [request.path for request in server.requests]
    assert (asked.count(STATUSES), asked.count(WHO)) == (400, 1 if expected is ANY_PAGE else 0)
    assert {*asked} <= {STATUSES, WHO}


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'[{"id": "1"}]', b'{"id": null}', b'{"id": "a/b"}', b"null", b"<html>"],
)
def test_a_status_without_an_id_is_not_known_to_be_sent(
    server: HttpServer, poster: Poster, body: bytes
) -> None:
    server.route(STATUSES, raw_reply(200, body))
    assert sort_and_refusal(poster.publish(ROOT)) == UNKNOWN


def test_a_replay_that_breaks_the_server_is_unknown(server: HttpServer, poster: Poster) -> None:
    server.route(STATUSES, raw_reply(500, b"<!DOCTYPE html><title>500</title>"))
    assert sort_and_refusal(poster.publish(ROOT)) == UNKNOWN


URL = "https://example.social/@us/1"


def status(status_id: str = "1", when: datetime = NOW, **more: object) -> dict[str, object]:
    found: dict[str, object] = {
        "id": status_id,
        "url": URL,
        "uri": "https://example.social/users/us/statuses/1",
        "created_at": when.isoformat(),
        "in_reply_to_id": None,
        "content": f"<p>{status_id}</p>",
        "reblog": None,
        "application": {"name": "papers"},
        "media_attachments": [],
    }
    return {**found, **more}


def test_a_status_is_sent(server: HttpServer, poster: Poster) -> None:
    server.route(STATUSES, json_reply(status()))
    assert poster.publish(ROOT) == Outcome(OutcomeKind.SENT, "1", URL)


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({"url": None}, "https://example.social/users/us/statuses/1"),
        ({"url": "javascript:alert(1)"}, ""),
        ({"url": 5, "uri": None}, ""),
    ],
)
def test_only_a_web_address_is_one(
    server: HttpServer, poster: Poster, more: dict[str, object], url: str
) -> None:
    server.route(STATUSES, json_reply({**status(), **more}))
    outcome = poster.publish(ROOT)
    assert (outcome.sort, outcome.url) == (OutcomeKind.SENT, url)


@pytest.mark.parametrize("header", ["soon", "", "2026-13-45T99:99:99Z", "1e999"])
def test_a_limit_that_cannot_be_read_does_not_undo_a_post(
    server: HttpServer, poster: Poster, header: str
) -> None:
    server.route(STATUSES, json_reply(status(), 200, {"X-RateLimit-Reset": header}))
    assert poster.publish(ROOT) == Outcome(OutcomeKind.SENT, "1", URL)


def test_a_deprecated_endpoint_does_not_undo_a_post(server: HttpServer, poster: Poster) -> None:
    # mastodon.py warns, and here warnings are errors.
    server.route(STATUSES, json_reply(status(), 200, {"Deprecation": "@1668384000"}))
    assert sort_and_refusal(poster.publish(ROOT)) == SENT


@pytest.mark.parametrize(
    ("post", "more", "flaw", "bare"),
    [
        (REPLY, {"in_reply_to_id": "77"}, "", ""),
        (REPLY, {"in_reply_to_id": 77}, "", ""),
        (REPLY, {}, "it replies to nothing, and was to reply to 77", ""),
        (REPLY, {"in_reply_to_id": "78"}, "it replies to 78, and was to reply to 77", ""),
        (ROOT, {"in_reply_to_id": "78"}, "it replies to 78, and was to reply to nothing", ""),
        (replace(ROOT, media=("8", "9")), {"media_attachments": [{"id": "9"}, {"id": 8}]}, "", ""),
        (
            replace(ROOT, media=("8", "9")),
            {"media_attachments": [{"id": "9"}]},
            "",
            "1 of 2 media are missing",
        ),
        (
            replace(REPLY, media=("8",)),
            {},
            "it replies to nothing, and was to reply to 77",
            "1 of 1 media are missing",
        ),
    ],
)
def test_what_is_wrong_with_a_status_is_told(  # noqa: PLR0913, PLR0917 - a row of the table
    server: HttpServer,
    poster: Poster,
    post: PostRequest,
    more: dict[str, object],
    flaw: str,
    bare: str,
) -> None:
    server.route(STATUSES, json_reply({**status(), **more}))
    outcome = poster.publish(post)
    assert (outcome.sort, outcome.id) == (OutcomeKind.SENT, "1")
    assert (outcome.flaw, outcome.bare) == (flaw, bare)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "2026-03-01T12:05:00.500000Z"}, 300.5),
        ({"X-RateLimit-Reset": "2026-03-01T13:05:00+01:00"}, 300),
        ({"X-RateLimit-Reset": "2026-03-01T12:05:00"}, 300),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 60)}, 60),
        ({"Retry-After": "30"}, 30),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "30"}, 30),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_limit_ends_when_the_server_says(
    server: HttpServer, poster: Poster, headers: dict[str, str], seconds: float | None
) -> None:
    server.route(STATUSES, json_reply({"error": "Too many requests"}, 429, headers))
    outcome = poster.publish(ROOT)
    assert sort_and_refusal(outcome) == LATER
    assert outcome.until == (None if seconds is None else NOW + timedelta(seconds=seconds))


UNFINISHED = "Cannot attach files that have not finished processing. Try again in a moment!"
LIMITS = {"X-RateLimit-Reset": "2026-03-01T12:05:00Z", "X-RateLimit-Remaining": "299"}


@pytest.mark.parametrize(
    ("reply", "expected", "seconds"),
    [
        (error(422, UNFINISHED), LATER, None),
        (error(422, "The media has not finished processing"), LATER, None),
        (error(422, "Please try again."), LATER, None),
        # Mastodon tells of its limits whatever it answers, and this is none.
        (json_reply({"error": UNFINISHED}, 422, LIMITS), LATER, None),
        (json_reply({"error": UNFINISHED}, 422, {**LIMITS, "Retry-After": "7"}), LATER, 7),
        (error(422, "There was an error processing this file"), CONTENT, None),
        (error(422, "Validation failed: Text can't be blank"), CONTENT, None),
        (error(400, UNFINISHED), CONTENT, None),
        (error(503, UNFINISHED), UNKNOWN, None),
    ],
)
def test_a_picture_that_is_not_finished_is_waited_for(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected, seconds: int | None
) -> None:
    server.route(STATUSES, reply)
    outcome = poster.publish(replace(ROOT, media=("8",)))
    assert sort_and_refusal(outcome) == expected
    assert outcome.until == (None if seconds is None else NOW + timedelta(seconds=seconds))
    assert len(server.requests) == 1


@pytest.mark.parametrize("off", [timedelta(hours=-2), timedelta(hours=2)])
def test_a_clock_is_not_blamed_where_nothing_is_signed(
    server: HttpServer, poster: Poster, off: timedelta
) -> None:
    date = {"date": format_datetime(NOW + off, usegmt=True)}
    server.route(STATUSES, json_reply({"error": "The access token is invalid"}, 401, date))
    outcome = poster.publish(ROOT)
    assert sort_and_refusal(outcome) == CREDENTIALS
    assert "clock" not in outcome.reason + outcome.fix


# -- what is sent ----------------------------------------------------------------------------------


def test_a_post_is_one_request_that_says_everything(server: HttpServer, poster: Poster) -> None:
    server.route(STATUSES, json_reply(status()))
    poster.publish(replace(REPLY, language="de", media=("8", "9")))
    (request,) = server.requests
    assert json.loads(request.body) == {
        "status": "1. A paper",
        "in_reply_to_id": "77",
        "visibility": "unlisted",
        "language": "de",
        "media_ids": ["8", "9"],
        "content_type": "text/plain",
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "key1"
    assert request.headers["authorization"] == "Bearer token"
    assert request.headers["user-agent"].startswith("bot/")


def test_a_root_replies_to_nothing(server: HttpServer, poster: Poster) -> None:
    server.route(STATUSES, json_reply(status()))
    poster.publish(ROOT)
    body = json.loads(server.requests[0].body)
    assert not body.keys() & {"in_reply_to_id", "media_ids", "sensitive"}
    assert body["visibility"] == "public"


def test_text_that_cannot_be_encoded_is_refused_and_not_sent(
    server: HttpServer, poster: Poster
) -> None:
    assert sort_and_refusal(poster.publish(replace(ROOT, text="\ud800"))) == CONTENT
    assert server.requests == []


# -- deleting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (json_reply(status()), SENT),
        (json_reply({}), SENT),
        (error(404), SENT),
        (error(410), SENT),
        (raw_reply(200, b""), UNKNOWN),
        (error(401), CREDENTIALS),
        (error(403), CREDENTIALS),
        (error(429), LATER),
        (error(500), UNKNOWN),
        (Reply(b"", raw=True), UNKNOWN),
    ],
)
def test_what_became_of_a_deletion(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    server.route(f"{STATUSES}/5", reply)
    outcome = poster.delete("5")
    assert sort_and_refusal(outcome) == expected
    assert outcome.id == ("5" if outcome.sort is OutcomeKind.SENT else "")
    assert [request.method for request in server.requests] == ["DELETE"]


@pytest.mark.parametrize("post_id", ["", "..", "../../v1/apps", "1?x=2", "a b", "x" * 129])
def test_what_is_no_id_is_not_asked_for(server: HttpServer, poster: Poster, post_id: str) -> None:
    assert sort_and_refusal(poster.delete(post_id)) == CONTENT
    assert poster.read(post_id) is None
    assert server.requests == []


# -- reading ---------------------------------------------------------------------------------------


def queries(server: HttpServer) -> list[dict[str, str]]:
    parsed = [parse_qs(request.path.partition("?")[2]) for request in server.requests]
    return [{name: values[0] for name, values in query.items()} for query in parsed]


SINCE = NOW - timedelta(days=1)
OLD = NOW - timedelta(days=2)


def test_pages_are_read_till_the_time_asked_for(server: HttpServer, poster: Poster) -> None:
    first = json_reply([status("d"), status("c")])
    second, older = (
        json_reply([status("c"), status("b"), status("a", OLD)]),
        json_reply([status("0", OLD)]),
    )
    server.route(TIMELINE, first, second, older)
    look = poster.look(SINCE)
    assert ([post.id for post in look.posts], look.complete) == (["d", "c", "b"], True)
    asked = [query.get("max_id") for query in queries(server)]
    assert asked == [None, "c", "a"], "one old post is no proof that those below it are"


def test_pages_are_read_till_the_post_asked_for(server: HttpServer, poster: Poster) -> None:
    earlier = NOW - timedelta(seconds=5)
    page = [status("d"), status("mark", earlier), status("b", NOW - timedelta(seconds=9))]
    server.route(TIMELINE, json_reply(page))
    look = poster.look(SINCE, after="mark")
    assert ([post.id for post in look.posts], look.complete) == (["d"], True)
    assert queries(server) == [{"limit": "40", "since_id": "mark"}]


def test_what_was_posted_in_the_same_second_is_not_missed_for_its_place(
    server: HttpServer, poster: Poster
) -> None:
    page = [status("mark"), status("newer"), status("old", NOW - timedelta(seconds=1))]
    server.route(TIMELINE, json_reply(page))
    look = poster.look(SINCE, after="mark")
    assert ([post.id for post in look.posts], look.complete) == (["newer"], True)


def test_an_empty_page_is_the_end(server: HttpServer, poster: Poster) -> None:
    server.route(TIMELINE, json_reply([status("a")]), json_reply([]))
    look = poster.look(SINCE)
    assert ([post.id for post in look.posts], look.complete) == (["a"], True)
    assert len(server.requests) == 2


def test_a_page_that_links_to_no_other_is_the_end(server: HttpServer, poster: Poster) -> None:
    links = f'<{server.url}{TIMELINE}?min_id=a>; rel="prev"'
    server.route(TIMELINE, json_reply([status("a")], 200, {"Link": links}))
    assert poster.look(SINCE).complete
    assert len(server.requests) == 1
    more = f'<{server.url}{TIMELINE}?max_id=a>; rel="next", {links}'
    server.route(TIMELINE, json_reply([status("a")], 200, {"Link": more}), json_reply([]))
    assert poster.look(SINCE).complete
    assert len(server.requests) == 3


def test_a_server_that_turns_no_pages_is_not_asked_for_ever(
    server: HttpServer, poster: Poster
) -> None:
    server.route(TIMELINE, json_reply([status("b"), status("a")]))
    look = poster.look(SINCE)
    assert ([post.id for post in look.posts], look.complete) == (["b", "a"], False)
    assert len(server.requests) == 2


def test_reading_ends_even_if_the_posts_do_not(server: HttpServer, poster: Poster) -> None:
    numbers = iter(range(1000))
    server.route(TIMELINE, lambda _: json_reply([status(f"s{next(numbers)}")]))
    look = poster.look(SINCE)
    assert (len(look.posts), look.complete) == (250, False)


def test_boosts_are_left_out_and_still_lead_on(server: HttpServer, poster: Poster) -> None:
    ours = status("a")
    boost = status("b", reblog=ours, content=ours["content"])
    old_boost = status("0", OLD, reblog=ours)
    server.route(
        TIMELINE, json_reply([boost, ours]), json_reply([boost, old_boost]), json_reply([])
    )
    look = poster.look(SINCE)
    assert ([post.id for post in look.posts], look.complete) == (["a"], True)
    assert [query.get("max_id") for query in queries(server)] == [None, "a", "0"]


@pytest.mark.parametrize("broken", [{}, None, "x", {"created_at": "2026-03-01T12:00:00Z"}])
def test_a_post_that_cannot_be_read_leaves_it_incomplete(
    server: HttpServer, poster: Poster, broken: object
) -> None:
    server.route(TIMELINE, json_reply([status("b"), broken]), json_reply([status("a", OLD)]))
    look = poster.look(SINCE)
    assert ([post.id for post in look.posts], look.complete) == (["b"], False)
    server.route(TIMELINE, json_reply([broken]))
    look = poster.look(SINCE)
    assert (look.posts, look.complete) == ((), False)


def test_a_status_is_read_as_it_was_meant(server: HttpServer, poster: Poster) -> None:
    found = status(
        in_reply_to_id=77,
        media_attachments=[{"id": "8"}, {"id": "9"}],
        content='<p>R&amp;D <a href="https://a.example/b?c=1&amp;d=2">a.example/b…</a></p>',
    )
    server.route(f"{STATUSES}/1", json_reply(found))
    seen = poster.read("1")
    assert seen is not None
    assert (seen.id, seen.url, seen.parent, seen.media) == ("1", URL, "77", 2)
    assert seen.text == "R&D https://a.example/b?c=1&d=2"
    assert (seen.application, seen.created, seen.key) == ("papers", NOW, "")


def test_an_unknown_account_is_asked_for_once(server: HttpServer) -> None:
    server.route(WHO, json_reply({"id": 42}))
    server.route(TIMELINE, json_reply([]))
    poster = open_mastodon(server.url, account_id="")
    poster.look(SINCE)
    poster.look(SINCE)
    assert [request.path.partition("?")[0] for request in server.requests] == [
        WHO,
        TIMELINE,
        TIMELINE,
    ]
    poster.close()


@pytest.mark.parametrize(
    ("reply", "expected", "at_login", "until"),
    [
        (error(400), NOT_NOW, STOPS, None),
        (error(401), STOPS, STOPS, None),
        (error(403), STOPS, STOPS, None),
        (error(403, "This action is outside the authorized scopes"), STOPS, STOPS, None),
        (error(422), NOT_NOW, STOPS, None),
        (error(500), NOT_NOW, NOT_NOW, None),
        (
            json_reply({"error": "x"}, 429, {"X-RateLimit-Reset": "2026-03-01T12:05:00Z"}),
            NOT_NOW,
            NOT_NOW,
            300,
        ),
        (error(429), NOT_NOW, NOT_NOW, None),
        (error(503), NOT_NOW, NOT_NOW, None),
        (raw_reply(301, b"", {"Location": "https://moved.example/"}), WRONG, WRONG, None),
        (raw_reply(200, b"<html>"), NOT_NOW, NOT_NOW, None),
        (json_reply({"what": "ever"}), NOT_NOW, NOT_NOW, None),
        (Reply(b"", raw=True), NOT_NOW, NOT_NOW, None),
    ],
)
def test_what_cannot_be_read_says_why(  # noqa: PLR0913, PLR0917 - a row of the table
    server: HttpServer,
    poster: Poster,
    reply: Reply,
    expected: Failure,
    at_login: Failure,
    until: int | None,
) -> None:
    for path in (TIMELINE, WHO, f"{STATUSES}/9"):
        server.route(path, reply)
    asks: list[tuple[Callable[[], object], Failure]] = [
        (lambda: poster.look(SINCE), expected),
        (lambda: poster.read("9"), expected),
        (poster.profile, at_login),
    ]
    for ask, meant in asks:
        with pytest.raises(CannotRead) as caught:
            ask()
        assert failure(caught.value) == meant
        assert bool(caught.value.fix) is caught.value.final
        assert str(caught.value).startswith("Mastodon cannot be read: ")
        assert caught.value.until == (None if until is None else NOW + timedelta(seconds=until))
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("reset", [True, False])
def test_a_read_whose_connection_breaks_is_made_once_more(
    server: HttpServer,
    poster: Poster,
    reset: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    broken = Reply(b"", raw=True, reset=reset)
    server.route(TIMELINE, broken, json_reply([]))
    assert poster.look(SINCE).complete
    server.route(f"{STATUSES}/1", broken, json_reply(status()))
    assert poster.read("1")
    for path, reply in ((WHO, json_reply(ME)), (APP, json_reply({})), (V2, json_reply({}))):
        server.route(path, broken, reply)
    assert poster.profile().id == "42"
    asked = [request.path.partition("?")[0] for request in server.requests]
    assert asked == [each for each in (TIMELINE, f"{STATUSES}/1", WHO, APP, V2) for _ in range(2)]


def test_a_post_that_is_gone_is_not_an_error(server: HttpServer, poster: Poster) -> None:
    for code in (404, 410):
        server.route(f"{STATUSES}/9", error(code))
        assert poster.read("9") is None


def test_a_token_that_is_answered_without_a_word_is_a_bad_token(
    server: HttpServer, poster: Poster
) -> None:
    server.route(WHO, raw_reply(422, b""))
    with pytest.raises(CannotRead) as caught:
        poster.profile()
    assert caught.value.final


# -- who we are ------------------------------------------------------------------------------------

ME: dict[str, object] = {
    "id": "42",
    "username": "hot",
    "url": "https://example.social/@hot",
    "bot": True,
    "note": "<p>Hot papers, by <a href='https://example.social/@me'>@me</a></p>",
    "fields": [],
}
V2 = "/api/v2/instance"
V1 = "/api/v1/instance"


def limits(most: object, rules: object = ()) -> dict[str, object]:
    return {"configuration": {"statuses": {"max_characters": most}}, "rules": rules}


def test_a_profile_is_read_from_three_places(server: HttpServer, poster: Poster) -> None:
    server.route(WHO, json_reply(ME))
    server.route(APP, json_reply({"name": "papers", "website": None}))
    server.route(V2, json_reply(limits(11_000)))
    profile = poster.profile()
    assert (profile.id, profile.handle) == ("42", "hot@example.social")
    assert (profile.url, profile.limit) == ("https://example.social/@hot", 11_000)
    assert (profile.application, profile.advice) == ("papers", ())
    assert len(server.requests) == 3


def test_a_server_without_the_newer_page_is_read_by_the_older(
    server: HttpServer, poster: Poster
) -> None:
    server.route(WHO, json_reply(ME))
    for page, expected in (
        (json_reply(limits(700)), 700),
        (json_reply({"max_toot_chars": 5000}), 5000),
        (json_reply(limits("many")), None),
        (json_reply(limits(0)), None),
        (json_reply(limits(most=True)), None),
        (error(404), None),
        (error(401), None),
    ):
        server.route(V1, page)
        profile = poster.profile()
        assert profile.limit == expected
        assert profile.application == ""


@pytest.mark.parametrize("reply", [error(429), error(502), Reply(b"", raw=True)])
def test_a_server_that_cannot_say_what_it_allows_is_asked_again_later(
    server: HttpServer, poster: Poster, reply: Reply
) -> None:
    server.route(WHO, json_reply(ME))
    server.route(V2, reply)
    with pytest.raises(CannotRead) as caught:
        poster.profile()
    assert not caught.value.final


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"bot": False}, ["automated"]),
        ({"bot": None}, ["automated"]),
        ({"note": "<p>Hot papers.</p>"}, ["who runs"]),
        ({"note": "", "bot": False, "fields": None}, ["automated", "who runs"]),
        ({"note": "", "fields": [{"name": "Operator", "value": "Jo"}]}, []),
        ({"note": "", "fields": [{"name": "Contact", "value": "jo at example.org"}]}, []),
        ({"note": "", "fields": [{"name": "Site", "value": "https://a.example"}]}, ["who runs"]),
        ({"note": "", "fields": ["nonsense"]}, ["who runs"]),
    ],
)
def test_what_readers_would_want_to_be_told_is_advised(
    server: HttpServer, poster: Poster, more: dict[str, object], words: list[str]
) -> None:
    server.route(WHO, json_reply({**ME, **more}))
    server.route(V2, json_reply(limits(500)))
    advice = poster.profile().advice
    assert len(advice) == len(words)
    assert all(word in sentence for word, sentence in zip(words, advice, strict=True))


def test_rules_on_bots_are_quoted_and_others_are_not(server: HttpServer, poster: Poster) -> None:
    rules = [
        {"text": "Be kind.", "hint": "To robots, too."},
        {"text": "Automated accounts\npost at most\x1b[31m 5 times a day.", "hint": ""},
        {"text": "No spam.", "hint": "Bots are welcome if marked."},
        {"text": "bot " * 200},
        "nonsense",
        {},
    ]
    server.route(WHO, json_reply(ME))
    server.route(V2, json_reply(limits(500, rules)))
    first, second, third = poster.profile().advice
    assert first.endswith("“Automated accounts post at most[31m 5 times a day.”")
    assert "Bots are welcome" in second
    assert third.endswith("bot…”")
    assert len(third) < 300


def test_nothing_is_billed(poster: Poster) -> None:
    assert poster.cost("https://arxiv.org") == 0


# -- against the stand-in, with everything that can go wrong ---------------------------------------


@dataclass
class MastodonSandbox:
    poster: Poster
    sandbox: Sandbox
    rules: MastodonRules


@pytest.fixture
def live(request: pytest.FixtureRequest) -> Iterator[MastodonSandbox]:
    """A server on loopback; a test may be given its behaviour and the poster's timeout."""
    behaviour, timeout = cast(
        "tuple[MastodonBehaviour, float]", getattr(request, "param", (MASTODON, 10.0))
    )
    rules = MastodonRules(lambda: NOW, behaviour, profile=ProfilePage(bot=False, note="By @me"))
    with Sandbox({"mastodon": rules}) as sandbox:
        url, account = sandbox.url("mastodon"), Account("papers", Network.MASTODON)
        poster = mastodon.open_poster(account, url, rules.token, timeout, lambda: NOW)
        yield MastodonSandbox(poster, sandbox, rules)
        poster.close()


EVERY = [
    *(
        pytest.param((behaviour, 10.0), fault, id=f"{behaviour.version} {fault.name}")
        for behaviour in (MASTODON, GOTOSOCIAL, SNAC2, TAKAHE, HOLLO)
        for fault in faults.every(Network.MASTODON)
    ),
    *(pytest.param((MASTODON, 10.0), fault, id=fault.name) for fault in HANGING),
]


@pytest.mark.slow
@pytest.mark.parametrize(("live", "fault"), EVERY, indirect=["live"])
@pytest.mark.parametrize("connection", ["kept", "fresh"])
def test_no_fault_makes_it_lie_or_send_twice(
    live: MastodonSandbox, fault: Fault, connection: str
) -> None:
    check_one_fault(live.poster, live.sandbox, live.rules, ROOT, fault, connection)


@pytest.mark.parametrize(
    ("live", "again"),
    [
        ((MASTODON, 10.0), SENT),
        ((MASTODON_4_6, 10.0), UNKNOWN),
        ((replace(MASTODON, resets=Resets.NONSENSE), 10.0), SENT),
        ((replace(MASTODON, keys=IdempotencyKeys.HONOURED, resets=Resets.EPOCH), 10.0), SENT),
    ],
    indirect=["live"],
)
def test_a_repeat_with_the_same_key_is_the_same_post(
    live: MastodonSandbox, again: Expected
) -> None:
    first = live.poster.publish(ROOT)
    second = live.poster.publish(ROOT)
    assert sort_and_refusal(second) == again
    assert second.id in (first.id, "")
    assert len(live.rules.live()) == 1


def test_a_key_of_a_post_that_was_deleted_is_not_published_anew(live: MastodonSandbox) -> None:
    live.rules.remove(live.poster.publish(ROOT).id)
    outcome = live.poster.publish(ROOT)
    assert sort_and_refusal(outcome) == CONTENT
    assert "published before" in outcome.reason


def test_media_that_were_lost_are_missed(live: MastodonSandbox) -> None:
    live.rules.media.add("8")
    live.rules.behaviour = replace(MASTODON, loses_media=True)
    outcome = live.poster.publish(replace(ROOT, media=("8",)))
    assert (outcome.sort, outcome.flaw) == (OutcomeKind.SENT, "")
    assert outcome.bare == "1 of 1 media are missing"


def test_a_token_that_may_not_write_lacks_a_scope(live: MastodonSandbox) -> None:
    live.rules.behaviour = replace(MASTODON, writes=False)
    outcome = live.poster.publish(ROOT)
    assert sort_and_refusal(outcome) == SCOPE
    assert "write:statuses" in outcome.fix


def test_a_kept_connection_that_was_closed_is_replaced_before_it_is_used(
    live: MastodonSandbox,
) -> None:
    assert sort_and_refusal(live.poster.publish(ROOT)) == SENT
    with live.sandbox.down("mastodon"):
        pass
    assert sort_and_refusal(live.poster.publish(PostRequest("another", "another"))) == SENT
    assert len(live.sandbox.requests) == 2
    assert live.sandbox.connections("mastodon") == 2


def test_one_connection_and_few_requests_serve_a_whole_thread(live: MastodonSandbox) -> None:
    known = live.poster.profile().id
    asked = len(live.sandbox.requests)
    assert asked == 3
    start = NOW - timedelta(hours=1)
    assert live.poster.look(start).posts == ()
    parent = ""
    for number in range(24):
        parent = live.poster.publish(PostRequest(f"{number}", f"key{number}", parent)).id
    assert len(live.poster.look(start).posts) == 24
    assert known
    assert live.sandbox.connections("mastodon") == 1
    assert len(live.sandbox.requests) == asked + 26


@pytest.mark.parametrize("live", [(server, 10.0) for server in SERVERS], indirect=True)
def test_other_servers_say_what_they_allow(live: MastodonSandbox) -> None:
    limit = live.rules.behaviour.max_characters
    assert live.poster.profile().limit == limit


def test_a_time_in_the_past_of_the_first_post_is_read_to_the_end(live: MastodonSandbox) -> None:
    live.poster.publish(ROOT)
    assert live.poster.look(datetime(2001, 1, 1, tzinfo=UTC)).complete


def test_requests_never_leave_the_server_that_was_given(server: HttpServer) -> None:
    def follow(request: Request) -> Reply:
        return raw_reply(301, b"", {"Location": f"http://localhost:{server.port}{request.path}"})

    server.route(STATUSES, follow)
    poster = open_mastodon(server.url)
    assert sort_and_refusal(poster.publish(ROOT)) == ADDRESS
    assert len(server.requests) == 1
    poster.close()
