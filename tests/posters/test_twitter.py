"""X: each answer it may give to a post, and reading back what became of it, through tweepy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import cast
from urllib.parse import parse_qs

import pytest

from bot.model import Account, Network
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, Poster, PostRequest, Upload
from bot.posters.twitter import poster as twitter
from bot.sandbox import faults
from bot.sandbox.faults import Fault
from bot.sandbox.server import Sandbox
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from bot.sandbox.x.rules import XRules
from tests.helpers.http_server import HttpServer, Reply, Request
from tests.helpers.open_posters import open_x
from tests.helpers.poster_replies import (
    ADDRESS,
    CONTENT,
    CREDENTIALS,
    FINAL,
    HANGING,
    LATER,
    NOT_NOW,
    NOW,
    PARENT,
    REPLIES,
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
from tests.helpers.sample_png import ALT, PNG

ROOT = PostRequest("Hot papers", "key")
REPLY = PostRequest("1. A paper", "key1", parent="77", root="77")
TIMELINE = "/2/users/1000000000000000001/tweets"
WHO = "/2/users/me"
ME = {"id": "1000000000000000001", "username": "hot", "description": "Hot papers, daily."}


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def poster(server: HttpServer) -> Iterator[Poster]:
    opened = open_x(server.url)
    yield opened
    opened.close()


def problem(status: int, detail: str, kind: str = "about:blank") -> Reply:
    return json_reply({"title": "Title", "detail": detail, "type": kind, "status": status}, status)


# -- every status ----------------------------------------------------------------------------------

# What each status means if nothing more is said. All others leave it open.
ANY_PROBLEM: Mapping[int, Expected] = {
    **dict.fromkeys((301, 302, 307, 308), ADDRESS),
    400: CONTENT,
    401: CREDENTIALS,
    402: LATER,
    403: CONTENT,
    404: ADDRESS,
    413: CONTENT,
    422: CONTENT,
    429: LATER,
}
BODILESS = (204, 304)


@pytest.mark.slow
@pytest.mark.parametrize("post", [ROOT, REPLY], ids=["root", "reply"])
def test_every_status_has_its_meaning(
    server: HttpServer, poster: Poster, post: PostRequest
) -> None:
    expected = ANY_PROBLEM if post is ROOT else {**ANY_PROBLEM, 404: PARENT}
    for status in range(200, 600):
        body = b"" if status in BODILESS else json.dumps({"detail": "Words."}).encode()
        headers = {"Location": "https://moved.example/2/tweets?secret=1"}
        server.route("/2/tweets", raw_reply(status, body, headers))
        outcome = poster.publish(post)
        assert sort_and_refusal(outcome) == expected.get(status, UNKNOWN), f"{status}: {outcome}"
        assert str(status) in outcome.reason
        assert (outcome.id, outcome.url, outcome.until) == ("", "", None)
    assert len(server.requests) == 400


def test_a_redirect_names_where_it_leads_and_no_more(server: HttpServer, poster: Poster) -> None:
    headers = {"Location": "https://user:pw@moved.example:8443/2/tweets?secret=1"}
    server.route("/2/tweets", raw_reply(301, b"", headers))
    outcome = poster.publish(ROOT)
    assert "https://moved.example:8443," in outcome.reason
    assert "base URL" in outcome.fix
    for text in (outcome.reason, outcome.fix):
        assert "secret" not in text
        assert "pw" not in text
    server.route("/2/tweets", raw_reply(301, b"", {"Location": "/login"}))
    assert "another path of its own" in poster.publish(ROOT).reason


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'"id"',
        b"<html>Welcome</html>",
        b'{"data": null}',
        b'{"data": {"id": ""}}',
        b'{"data": {"id": "../1"}}',
        b'{"data": {"id": true}}',
        b'{"data": {"text": "Hot papers"}}',
        b'{"errors": [{"message": "Something"}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_post_without_an_id_is_not_known_to_be_sent(
    server: HttpServer, poster: Poster, body: bytes
) -> None:
    for status in (200, 201):
        server.route("/2/tweets", raw_reply(status, body))
        assert poster.publish(ROOT).sort is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("body", [b'{"data": {"id": "5"}}', b'{"data": {"id": 5}}'])
def test_a_post_with_an_id_is_sent(server: HttpServer, poster: Poster, body: bytes) -> None:
    server.route("/2/tweets", raw_reply(201, body))
    assert poster.publish(ROOT) == Outcome(OutcomeKind.SENT, "5", "https://x.com/i/web/status/5")


# -- what X says -----------------------------------------------------------------------------------

OAUTH1 = "https://api.twitter.com/2/problems/oauth1-permissions"
NOT_FOR_RESOURCE = "https://api.x.com/2/problems/not-authorized-for-resource"
GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
RULE = "You can only reply to or quote posts where you are mentioned or are the author."
OLDER_RULE = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise "
    "engaged by the author of the post you are replying to."
)
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
GENERIC = "You are not permitted to perform this action."
NO_PERMISSION = (
    "Your client app is not configured with the appropriate oauth1 app permissions for this "
    "endpoint."
)

ANSWERS: dict[str, tuple[Reply, Expected, Expected]] = {
    "duplicate": (problem(403, DUPLICATE), UNKNOWN, UNKNOWN),
    "duplicate, v1.1": (
        json_reply({"errors": [{"code": 187, "message": "Status is a duplicate."}]}, 403),
        UNKNOWN,
        UNKNOWN,
    ),
    "duplicate, by its number": (json_reply({"errors": [{"code": 187}]}, 403), UNKNOWN, UNKNOWN),
    "reply rule": (problem(403, RULE, NOT_FOR_RESOURCE), CONTENT, REPLIES),
    "reply rule, in words": (problem(403, RULE), CONTENT, REPLIES),
    "reply rule, older": (problem(403, OLDER_RULE), CONTENT, REPLIES),
    "reply rule, by its type": (problem(403, "", NOT_FOR_RESOURCE), CONTENT, REPLIES),
    "parent gone, 403": (problem(403, GONE), CONTENT, PARENT),
    "parent gone, 400": (problem(400, GONE), CONTENT, PARENT),
    "parent gone, by the field": (
        json_reply({"errors": [{"parameters": {"reply.in_reply_to_tweet_id": ["77"]}}]}, 400),
        CONTENT,
        PARENT,
    ),
    "generic": (problem(403, GENERIC), CONTENT, CONTENT),
    "no words": (raw_reply(403, b""), UNKNOWN, UNKNOWN),
    "a gateway's words": (json_reply({"message": "Forbidden"}, 403), UNKNOWN, UNKNOWN),
    "a gateway's page": (raw_reply(403, b"<html>Blocked</html>"), UNKNOWN, UNKNOWN),
    "read-only app": (problem(403, NO_PERMISSION), SCOPE, SCOPE),
    "read-only app, by its type": (problem(403, "", OAUTH1), SCOPE, SCOPE),
    "not enrolled": (
        json_reply({"title": "Client Forbidden", "reason": "client-not-enrolled"}, 403),
        SCOPE,
        SCOPE,
    ),
    "not in the plan": (json_reply({"errors": [{"code": 453}]}, 403), SCOPE, SCOPE),
    "locked": (json_reply({"errors": [{"code": 326}]}, 403), CREDENTIALS, CREDENTIALS),
    "another number": (json_reply({"errors": [{"code": 1873}]}, 403), CONTENT, CONTENT),
    "no credits": (json_reply({"title": "CreditsDepleted"}, 402), LATER, LATER),
    "a list": (json_reply(["?"], 500), UNKNOWN, UNKNOWN),
    "a list in a refusal": (json_reply(["?"], 400), CONTENT, CONTENT),
    "a page that is not there": (raw_reply(404, b"<html>Not Found</html>"), UNKNOWN, UNKNOWN),
}
UNSAID = ("no words", "a gateway's words", "a list in a refusal", "a page that is not there")
"""Answers that leave open whether it is the token that is refused: X is asked who we are."""


@pytest.mark.parametrize("case", ANSWERS)
def test_what_x_says_is_understood(server: HttpServer, poster: Poster, case: str) -> None:
    reply, as_root, as_reply = ANSWERS[case]
    server.route("/2/tweets", reply)
    server.route(WHO, json_reply({"data": ME}))
    asked = ["/2/tweets", f"{WHO}?user.fields=description"] if case in UNSAID else ["/2/tweets"]
    for post, expected in ((ROOT, as_root), (REPLY, as_reply)):
        outcome = poster.publish(post)
        assert sort_and_refusal(outcome) == expected, outcome
    assert [request.path for request in server.requests] == asked * 2


AUTOMATED = (
    "This request looks like it might be automated. To protect our users from spam and other "
    "malicious activity, we can't complete this action right now."
)
PICTURE = Upload(PNG, "image/png", ALT)


def errors(status: int, code: int, message: str = "?", **headers: str) -> Reply:
    return json_reply({"errors": [{"code": code, "message": message}]}, status, headers)


@pytest.mark.parametrize(
    "reply",
    [
        *(errors(403, code) for code in (185, 226, 344)),
        errors(400, 226),
        errors(403, 226, AUTOMATED + " Please try again later."),
        problem(403, AUTOMATED),
        problem(403, "User is over daily status update limit."),
        problem(403, "You have reached your daily limit for sending Tweets and messages."),
        problem(403, "You hit the daily limit."),
        problem(400, "Please try again later."),
    ],
)
def test_what_x_does_not_take_now_is_tried_again_later(
    server: HttpServer, poster: Poster, reply: Reply
) -> None:
    """It says nothing of the post, and not until when: not even where it tells of rate limits."""
    for path in ("/2/tweets", "/2/tweets/5", "/2/media/upload", TIMELINE):
        server.route(path, reply)
    asks: list[Callable[[], Outcome]] = [
        lambda: poster.publish(ROOT),
        lambda: poster.publish(REPLY),
        lambda: poster.delete("5"),
        lambda: poster.upload(PICTURE),
    ]
    for ask in asks:
        outcome = ask()
        assert (sort_and_refusal(outcome), outcome.until, outcome.fix) == (LATER, None, ""), ask
        assert "try again later" in outcome.reason
    with pytest.raises(CannotRead) as caught:
        poster.look(NOW)
    assert (failure(caught.value), caught.value.until) == (NOT_NOW, None)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 900)}, None),
        (
            {
                "x-user-limit-24hour-reset": str(int(NOW.timestamp()) + 900),
                "x-user-limit-24hour-remaining": "0",
            },
            None,
        ),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "30", "x-rate-limit-reset": str(int(NOW.timestamp()) + 900)}, 30),
    ],
)
def test_only_a_limit_ends_with_the_limit(
    server: HttpServer, poster: Poster, headers: dict[str, str], seconds: int | None
) -> None:
    """X tells of its limits whatever it answers; of a spam check they say nothing."""
    server.route("/2/tweets", errors(403, 226, **headers))
    outcome = poster.publish(ROOT)
    assert sort_and_refusal(outcome) == LATER
    assert outcome.until == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (errors(403, 2260), CONTENT),
        (errors(403, 22), CONTENT),
        (errors(401, 226), CREDENTIALS),
        (errors(503, 226), UNKNOWN),
        (errors(403, 187, "Status is a duplicate. Please try again later."), UNKNOWN),
        (problem(403, "The daily digest is not permitted."), CONTENT),
    ],
)
def test_other_words_of_x_do_not_ask_to_try_again(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    server.route("/2/tweets", reply)
    assert sort_and_refusal(poster.publish(ROOT)) == expected


def at_minutes(minutes: float) -> dict[str, str]:
    """The network's clock so many minutes behind ours, or ahead of it."""
    return {"date": format_datetime(NOW - timedelta(minutes=minutes), usegmt=True)}


CLOCK = "Set this machine's clock"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (errors(401, 135, "Timestamp out of bounds."), "this machine's clock is wrong"),
        (errors(401, 135, **at_minutes(90)), "is 90 minutes ahead of the network's"),
        (errors(401, 32, **at_minutes(7)), "is 7 minutes ahead of the network's"),
        (errors(401, 32, **at_minutes(5)), "is 5 minutes ahead of the network's"),
        (errors(401, 89, **at_minutes(-5)), "is 5 minutes behind the network's"),
        (errors(401, 89, **at_minutes(-60 * 24)), "is 1440 minutes behind the network's"),
        (
            json_reply({"title": "Unauthorized", "status": 401}, 401, at_minutes(-600)),
            "is 600 minutes behind the network's",
        ),
    ],
)
def test_a_clock_that_is_wrong_is_what_is_to_be_set(
    server: HttpServer, poster: Poster, reply: Reply, said: str
) -> None:
    """X refuses what is signed with a time that is far from its own, and new tokens help nobody."""
    for path in ("/2/tweets", "/2/tweets/5", "/2/media/upload", TIMELINE, WHO):
        server.route(path, reply)
    for outcome in (poster.publish(ROOT), poster.delete("5"), poster.upload(PICTURE)):
        assert sort_and_refusal(outcome) == CREDENTIALS
        assert said in outcome.reason
        assert outcome.fix.startswith(CLOCK)
    for ask in (lambda: poster.look(NOW), lambda: poster.read("5"), poster.profile):
        with pytest.raises(CannotRead) as caught:
            ask()
        assert failure(caught.value) == STOPS
        assert said in caught.value.message
        assert caught.value.fix.startswith(CLOCK)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (errors(401, 32), CREDENTIALS),
        (errors(401, 32, **at_minutes(4.9)), CREDENTIALS),
        (errors(401, 32, **at_minutes(-4.9)), CREDENTIALS),
        (errors(401, 32, date="yesterday"), CREDENTIALS),
        (errors(401, 1350), CREDENTIALS),
        (errors(403, 326, **at_minutes(90)), CREDENTIALS),
        (errors(403, 135), CONTENT),
        (errors(503, 130, **at_minutes(90)), UNKNOWN),
    ],
)
def test_a_clock_is_not_blamed_for_everything(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    server.route("/2/tweets", reply)
    outcome = poster.publish(ROOT)
    assert sort_and_refusal(outcome) == expected
    assert "clock" not in outcome.reason + outcome.fix


def test_xs_own_words_are_passed_on_short_and_on_one_line(
    server: HttpServer, poster: Poster
) -> None:
    server.route("/2/tweets", problem(400, "One\n\x1b[31mtwo\x07\u202e " + "long " * 99))
    reason = poster.publish(ROOT).reason
    assert reason.startswith("X answers 400 (One [31mtwo long long")
    assert reason.isprintable()
    assert len(reason) < 300


def reset(**seconds: int) -> dict[str, str]:
    stamps = {name: str(int(NOW.timestamp()) + value) for name, value in seconds.items()}
    return {f"{name}-reset".replace("_", "-"): text for name, text in stamps.items()}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (reset(x_rate_limit=900), 900),
        (reset(x_rate_limit=900, x_user_limit_24hour=7200), 900),
        (
            {
                **reset(x_rate_limit=900, x_user_limit_24hour=7200, x_app_limit_24hour=86_000),
                "x-rate-limit-remaining": "12",
                "x-user-limit-24hour-remaining": "0",
            },
            7200,
        ),
        (
            {
                **reset(x_rate_limit=900, x_user_limit_24hour=7200),
                "x-rate-limit-remaining": "0",
                "x-user-limit-24hour-remaining": "0",
            },
            7200,
        ),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "Sun, 01 Mar 2026 12:01:00 GMT"}, 60),
        ({**reset(x_rate_limit=900), "retry-after": "30"}, 900),
        # A clock that is ten minutes ahead of ours, or behind.
        ({**reset(x_rate_limit=900), "date": "Sun, 01 Mar 2026 12:10:00 GMT"}, 300),
        ({**reset(x_rate_limit=-300), "date": "Sun, 01 Mar 2026 11:50:00 GMT"}, 300),
        ({}, None),
        ({"x-rate-limit-reset": "soon"}, None),
        ({"x-rate-limit-reset": "99999999999999999999"}, None),
        ({"x-rate-limit-reset": "99999999999"}, None),
        # One that has just passed is over in a moment.
        (reset(x_rate_limit=-1), 1),
        (reset(x_rate_limit=0), 1),
        (reset(x_rate_limit=-61), None),
        (reset(x_rate_limit=32 * 86_400), None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "whenever"}, None),
        ({"retry-after": "0"}, 1),
    ],
)
def test_a_limit_ends_when_x_says(
    server: HttpServer, poster: Poster, headers: dict[str, str], seconds: int | None
) -> None:
    server.route("/2/tweets", json_reply({}, 429, headers))
    outcome = poster.publish(ROOT)
    assert outcome.sort is OutcomeKind.LATER
    assert outcome.until == (None if seconds is None else NOW + timedelta(seconds=seconds))


# -- what is sent ----------------------------------------------------------------------------------


def test_a_post_is_one_signed_request(server: HttpServer, poster: Poster) -> None:
    server.route("/2/tweets", json_reply({"data": {"id": "5"}}, 201))
    poster.publish(PostRequest("Text & more", "key", "77", "77", media=("8", "9")))
    (request,) = server.requests
    assert json.loads(request.body) == {
        "text": "Text & more",
        "reply": {"in_reply_to_tweet_id": "77"},
        "media": {"media_ids": ["8", "9"]},
    }
    assert request.headers["authorization"].startswith("OAuth ")
    assert request.headers["user-agent"].startswith("bot/")


def test_a_root_replies_to_nothing(server: HttpServer, poster: Poster) -> None:
    server.route("/2/tweets", json_reply({"data": {"id": "5"}}, 201))
    poster.publish(ROOT)
    assert json.loads(server.requests[0].body) == {"text": "Hot papers"}


def test_a_price_is_that_of_the_text(poster: Poster) -> None:
    assert poster.cost("no link") == Decimal("0.015")
    assert poster.cost("https://arxiv.org") == Decimal("0.200")


# -- deleting --------------------------------------------------------------------------------------


BILLED = (OutcomeKind.SENT, OutcomeKind.UNKNOWN)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (json_reply({"data": {"deleted": True}}), SENT),
        (json_reply({"data": {"deleted": False}}), SENT),
        (problem(404, "Not Found"), SENT),
        (problem(410, "Gone"), SENT),
        (json_reply({"data": {}}), UNKNOWN),
        (raw_reply(200, b""), UNKNOWN),
        (problem(401, "Unauthorized"), CREDENTIALS),
        (problem(403, GENERIC), CONTENT),
        (problem(429, "Too Many Requests"), LATER),
        (problem(503, "Over capacity"), UNKNOWN),
        (Reply(b"", raw=True), UNKNOWN),
    ],
)
def test_what_became_of_a_deletion(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    server.route("/2/tweets/5", reply)
    outcome = poster.delete("5")
    assert sort_and_refusal(outcome) == expected
    assert outcome.id == ("5" if outcome.sort is OutcomeKind.SENT else "")
    assert outcome.cost == (Decimal("0.010") if outcome.sort in BILLED else 0)
    assert [request.method for request in server.requests] == ["DELETE"]


@pytest.mark.parametrize("post_id", ["", "abc", "../users/me", "1?x=2", "1" * 30])
def test_what_is_no_id_is_not_asked_for(server: HttpServer, poster: Poster, post_id: str) -> None:
    assert sort_and_refusal(poster.delete(post_id)) == CONTENT
    assert poster.read(post_id) is None
    assert server.requests == []


# -- reading ---------------------------------------------------------------------------------------


def tweet(number: int, when: datetime, **more: object) -> dict[str, object]:
    return {"id": str(number), "text": f"t{number}", "created_at": when.isoformat(), **more}


def timeline(posts: list[dict[str, object]], token: str = "") -> Reply:
    meta = {"result_count": len(posts), **({"next_token": token} if token else {})}
    return json_reply({"data": posts, "meta": meta} if posts else {"meta": meta})


def queries(server: HttpServer) -> list[dict[str, str]]:
    parsed = [parse_qs(request.path.partition("?")[2]) for request in server.requests]
    return [{name: values[0] for name, values in query.items()} for query in parsed]


def test_reading_begins_where_it_is_told_to(server: HttpServer, poster: Poster) -> None:
    server.route(TIMELINE, timeline([]))
    poster.look(datetime(2026, 2, 1, 13, 0, 0, 999, tzinfo=UTC))
    poster.look(datetime(2026, 2, 1, 13, 0, tzinfo=UTC), after="55")
    poster.look(NOW + timedelta(days=1))
    poster.look(datetime(2001, 1, 1, tzinfo=UTC))
    first, second, third, fourth = queries(server)
    assert (first["start_time"], first["max_results"]) == ("2026-02-01T13:00:00Z", "100")
    assert (second["since_id"], "start_time" in second) == ("55", False)
    assert third["start_time"] == "2026-03-01T11:59:00Z"  # X takes no time that is to come
    assert fourth["start_time"] == "2010-11-06T00:00:00Z"
    assert "exclude" not in first


def test_pages_are_followed_and_billed_and_no_post_is_there_twice(
    server: HttpServer, poster: Poster
) -> None:
    since = NOW - timedelta(days=1)
    new = [tweet(number, NOW) for number in range(9, 5, -1)]
    server.route(TIMELINE, timeline(new[:3], "aa"), timeline([], "bb"), timeline(new[2:]))
    look = poster.look(since)
    assert [post.id for post in look.posts] == ["9", "8", "7", "6"]
    assert (look.complete, look.cost) == (True, Decimal("0.005"))
    assert [query.get("pagination_token", "") for query in queries(server)] == ["", "aa", "bb"]


def test_reading_ends_at_the_time_asked_for(server: HttpServer, poster: Poster) -> None:
    old = NOW - timedelta(days=2)
    server.route(TIMELINE, timeline([tweet(9, NOW), tweet(8, old)], "aa"))
    look = poster.look(NOW - timedelta(days=1))
    assert ([post.id for post in look.posts], look.complete) == (["9"], True)
    assert len(server.requests) == 1


def test_what_lies_above_a_known_post_is_given_whatever_its_time(
    server: HttpServer, poster: Poster
) -> None:
    old = NOW - timedelta(days=2)
    server.route(TIMELINE, timeline([tweet(9, NOW), tweet(8, old)], ""))
    look = poster.look(NOW - timedelta(days=1), after="1")
    assert ([post.id for post in look.posts], look.complete) == (["9", "8"], True)


def test_what_lies_beyond_the_newest_3200_is_not_claimed(
    server: HttpServer, poster: Poster
) -> None:
    def page(request: Request) -> Reply:
        number = int(parse_qs(request.path.partition("?")[2]).get("pagination_token", ["0"])[0])
        posts = [tweet(10_000 - 100 * number - each, NOW) for each in range(100)]
        return timeline(posts, str(number + 1) if number < 31 else "")

    server.route(TIMELINE, page)
    look = poster.look(NOW - timedelta(days=1))
    assert (len(look.posts), look.complete, look.cost) == (3200, False, Decimal("3.200"))


def test_reading_ends_even_if_the_pages_do_not(server: HttpServer, poster: Poster) -> None:
    server.route(TIMELINE, timeline([tweet(1, NOW)], "again"))
    look = poster.look(NOW - timedelta(days=1))
    assert ([post.id for post in look.posts], look.complete) == (["1"], False)
    assert len(server.requests) == 64


def test_a_page_of_errors_after_the_first_cannot_be_read(
    server: HttpServer, poster: Poster
) -> None:
    errors = json_reply({"errors": [{"title": "?"}]})
    server.route(TIMELINE, timeline([tweet(9, NOW)], "aa"), errors)
    with pytest.raises(CannotRead):
        poster.look(NOW - timedelta(days=1))


def test_a_post_that_cannot_be_read_leaves_it_incomplete(
    server: HttpServer, poster: Poster
) -> None:
    server.route(TIMELINE, timeline([tweet(9, NOW), {"text": "no id"}]))
    look = poster.look(NOW - timedelta(days=1))
    assert ([post.id for post in look.posts], look.complete) == (["9"], False)


@pytest.mark.parametrize("kind", ["retweeted", "reposted"])
def test_reposts_are_billed_and_left_out(server: HttpServer, poster: Poster, kind: str) -> None:
    repost = tweet(9, NOW, referenced_tweets=[{"type": kind, "id": "1"}], text="RT @us: Hot papers")
    quote = tweet(8, NOW, referenced_tweets=[{"type": "quoted", "id": "1"}])
    server.route(TIMELINE, timeline([repost, quote]))
    look = poster.look(NOW - timedelta(days=1))
    assert ([post.id for post in look.posts], look.cost) == (["8"], Decimal("0.002"))
    assert look.posts[0].parent == ""


@pytest.mark.parametrize("name", ["referenced_tweets", "referenced_posts"])
def test_old_and_new_names_are_read(server: HttpServer, poster: Poster, name: str) -> None:
    references: dict[str, object] = {name: [{"type": "replied_to", "id": "77"}]}
    media = {"attachments": {"media_keys": ["3_1", "3_2"]}}
    server.route("/2/tweets/9", json_reply({"data": tweet(9, NOW, **references, **media)}))
    seen = poster.read("9")
    assert seen is not None
    assert (seen.parent, seen.media, seen.created) == ("77", 2, NOW)


def test_a_post_without_a_time_has_that_of_its_id(server: HttpServer, poster: Poster) -> None:
    server.route(
        "/2/tweets/1456012973835788293", json_reply({"data": {"id": "1456012973835788293"}})
    )
    seen = poster.read("1456012973835788293")
    assert seen is not None
    assert seen.created == datetime(2021, 11, 3, 21, 38, 39, 32_000, UTC)


def test_fields_are_asked_for_by_their_new_names_once_the_old_are_refused(
    server: HttpServer, poster: Poster
) -> None:
    refusal = json_reply(
        {"errors": [{"message": "The query parameter [tweet.fields] is unknown"}]}, 400
    )
    server.route(TIMELINE, refusal, timeline([tweet(9, NOW)]))
    assert [post.id for post in poster.look(NOW - timedelta(days=1)).posts] == ["9"]
    poster.look(NOW - timedelta(days=1))
    first, second, third = queries(server)
    assert "referenced_tweets" in first["tweet.fields"]
    assert "referenced_posts" in second["post.fields"]
    assert second.keys() == third.keys()
    server.route(TIMELINE, refusal)
    with pytest.raises(CannotRead):
        poster.look(NOW - timedelta(days=1))
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("reply", "expected", "at_login", "until"),
    [
        (problem(400, "Invalid"), NOT_NOW, STOPS, None),
        (problem(401, "Unauthorized"), STOPS, STOPS, None),
        (problem(402, "CreditsDepleted"), NOT_NOW, NOT_NOW, 3600),
        (problem(403, "client-not-enrolled"), FINAL, FINAL, None),
        (problem(403, GENERIC), FINAL, STOPS, None),
        (problem(404, "Not Found"), NOT_NOW, WRONG, None),
        (json_reply({}, 429, reset(x_rate_limit=900)), NOT_NOW, NOT_NOW, 900),
        (json_reply({}, 429), NOT_NOW, NOT_NOW, None),
        (problem(503, "Over capacity"), NOT_NOW, NOT_NOW, None),
        (raw_reply(301, b"", {"Location": "https://moved.example/"}), WRONG, WRONG, None),
        (raw_reply(200, b"<html>"), NOT_NOW, NOT_NOW, None),
        (json_reply({"errors": [{"title": "Authorization Error"}]}), NOT_NOW, NOT_NOW, None),
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
    for path in (TIMELINE, WHO, "/2/tweets/9"):
        server.route(path, reply)
    asks: list[tuple[Callable[[], object], Failure]] = [
        (lambda: poster.look(NOW), expected),
        (poster.profile, at_login),
    ]
    if b" 404 " not in cast("bytes", reply.body):
        asks.append((lambda: poster.read("9"), expected))
    for ask, meant in asks:
        with pytest.raises(CannotRead) as caught:
            ask()
        assert failure(caught.value) == meant
        assert bool(caught.value.fix) is caught.value.final
        assert str(caught.value).startswith("X cannot be read: ")
        assert caught.value.until == (None if until is None else NOW + timedelta(seconds=until))
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("reset", [True, False])
def test_a_read_whose_connection_breaks_is_made_once_more(
    server: HttpServer,
    poster: Poster,
    reset: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    """On a new connection, whether the first was new or not; and no third time."""
    broken = Reply(b"", raw=True, reset=reset)
    well: dict[str, tuple[Reply, Callable[[], object]]] = {
        TIMELINE: (timeline([]), lambda: poster.look(NOW).complete),
        "/2/tweets/9": (json_reply({"data": tweet(9, NOW)}), lambda: poster.read("9")),
        WHO: (json_reply({"data": ME}), poster.profile),
        "/2/media/upload": (
            json_reply({"data": {"id": "7"}}),
            lambda: poster.media_ready("7").sort is OutcomeKind.SENT,
        ),
    }
    for path, (reply, ask) in well.items():
        server.route(path, broken, reply)
        assert ask(), path
    assert [request.method for request in server.requests] == ["GET"] * 2 * len(well)
    server.requests.clear()
    server.route(WHO, broken)
    with pytest.raises(CannotRead, match="the connection broke off"):
        poster.profile()
    assert len(server.requests) == 2


def test_a_post_that_is_gone_is_not_an_error(server: HttpServer, poster: Poster) -> None:
    gone = {"type": "https://api.twitter.com/2/problems/resource-not-found", "title": "Not Found"}
    for reply in (json_reply({"errors": [gone]}), problem(404, "Not Found"), problem(410, "Gone")):
        server.route("/2/tweets/9", reply)
        assert poster.read("9") is None


def test_a_profile_comes_with_advice(server: HttpServer, poster: Poster) -> None:
    server.route(WHO, json_reply({"data": ME}))
    profile = poster.profile()
    assert (profile.id, profile.handle, profile.url) == (ME["id"], "hot", "https://x.com/hot")
    assert (profile.limit, profile.application) == (None, "")
    label, operator = profile.advice
    assert "Automated" in label
    assert "bio" in operator
    server.route(WHO, json_reply({"data": {**ME, "description": "A bot by @someone"}}))
    assert len(poster.profile().advice) == 1


# -- against the stand-in, with everything that can go wrong ---------------------------------------


@dataclass
class XSandbox:
    poster: Poster
    sandbox: Sandbox
    rules: XRules


@pytest.fixture
def live(request: pytest.FixtureRequest) -> Iterator[XSandbox]:
    """X on loopback; a test may be given the poster's timeout indirectly."""
    rules = XRules(lambda: NOW, XBehaviour(duplicates=Duplicates.EXACT))
    with Sandbox({"twitter": rules}) as sandbox:
        keys = rules.keys
        poster = twitter.open_poster(
            Account("papers", Network.TWITTER),
            keys.consumer_key,
            keys.consumer_secret,
            keys.access_token,
            keys.access_token_secret,
            sandbox.url("twitter"),
            getattr(request, "param", 10.0),
            lambda: NOW,
        )
        yield XSandbox(poster, sandbox, rules)
        poster.close()


EVERY = [
    *(pytest.param(10.0, fault, id=fault.name) for fault in faults.every(Network.TWITTER)),
    *(pytest.param(10.0, fault, id=fault.name) for fault in HANGING),
]


@pytest.mark.slow
@pytest.mark.parametrize(("live", "fault"), EVERY, indirect=["live"])
@pytest.mark.parametrize("connection", ["kept", "fresh"])
def test_no_fault_makes_it_lie_or_send_twice(live: XSandbox, fault: Fault, connection: str) -> None:
    check_one_fault(live.poster, live.sandbox, live.rules, ROOT, fault, connection)


def test_a_kept_connection_that_was_closed_is_replaced_before_it_is_used(live: XSandbox) -> None:
    assert live.poster.publish(ROOT).sort is OutcomeKind.SENT
    with live.sandbox.down("twitter"):
        pass
    assert live.poster.publish(PostRequest("another", "key")).sort is OutcomeKind.SENT
    assert len(live.sandbox.requests) == 2
    assert live.sandbox.connections("twitter") == 2


def test_one_connection_serves_all_requests(live: XSandbox) -> None:
    parent = ""
    for number in range(24):
        parent = live.poster.publish(PostRequest(f"{number}", "key", parent)).id
    live.poster.look(NOW - timedelta(hours=1))
    live.poster.read(parent)
    live.poster.delete(parent)
    assert live.sandbox.connections("twitter") == 1
    assert len(live.sandbox.requests) == 27


@pytest.mark.parametrize(("status", "expected"), [(401, STOPS), (403, FINAL)])
def test_a_plan_without_reading_says_so_for_good(
    live: XSandbox, status: int, expected: Failure
) -> None:
    live.rules.behaviour = XBehaviour(unreadable=status)
    with pytest.raises(CannotRead) as caught:
        live.poster.look(NOW)
    assert failure(caught.value) == expected
    assert ("TWITTER_READ_BACK=off" in caught.value.fix) is (status == 403)
    assert live.poster.publish(ROOT).sort is OutcomeKind.SENT
