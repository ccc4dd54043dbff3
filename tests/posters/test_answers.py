"""Judging and reading answers, whatever they look like: never an exception, never a false SENT."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.posters import json_values as values
from bot.posters.answers import (
    Exchange,
    RefusalRules,
    Reply,
    TransportResult,
    cannot_read,
    unanswered,
)
from bot.posters.bluesky import answers as bluesky_answers
from bot.posters.bluesky import errors as bluesky_errors
from bot.posters.bluesky import records as bluesky_records
from bot.posters.bluesky.records import uri_of
from bot.posters.bluesky.session import session_in
from bot.posters.mastodon import answers as mastodon_answers
from bot.posters.mastodon import timeline as mastodon_walk
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, PostRequest, Refusal
from bot.posters.twitter import answers as twitter_answers
from tests.helpers.paths import SHARED
from tests.helpers.poster_replies import NOW
from tests.helpers.reply_strategies import any_body, any_json, words

POST = PostRequest("Hot papers", "key")
REPLY = PostRequest("1. A paper", "key", parent="77")
DID = "did:plc:4ylmn73gfraurawqf4wbmsh2"

recorded_only = pytest.mark.skipif(
    not (SHARED / "api" / "x").is_dir(), reason="no observed answers beside this clone"
)

header_names = st.sampled_from(
    [
        *("retry-after", "date", "location", "link"),
        *("x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset"),
    ]
)
headers = st.dictionaries(header_names, st.one_of(words, st.text(max_size=30)), max_size=4)
statuses = st.one_of(st.sampled_from([200, 201, 400, 403, 404, 429, 500]), st.integers(100, 999))
replies = st.builds(Reply, statuses, headers, any_body)

PUBLISHED: list[Callable[[Exchange, PostRequest, datetime], Outcome]] = [
    twitter_answers.published,
    mastodon_answers.published,
    lambda exchange, post, now: bluesky_answers.published(exchange, post, DID, "a.b", now),
]
DELETED: list[Callable[[Exchange, str, datetime], Outcome]] = [
    twitter_answers.deleted,
    mastodon_answers.deleted,
    bluesky_answers.deleted,
]


def sound(outcome: Outcome) -> None:
    assert (outcome.sort is OutcomeKind.REFUSED) is (outcome.refusal is not None)
    assert bool(outcome.reason) is (outcome.sort is not OutcomeKind.SENT)
    assert outcome.reason.isprintable()
    assert bool(outcome.id) is (outcome.sort is OutcomeKind.SENT)
    if outcome.until is not None:
        assert outcome.sort is OutcomeKind.LATER
        assert timedelta(0) < outcome.until - NOW <= timedelta(days=31)


@pytest.mark.parametrize("published", PUBLISHED)
@given(reply=replies, post=st.sampled_from([POST, REPLY]))
def test_any_answer_to_a_post_is_judged(
    published: Callable[[Exchange, PostRequest, datetime], Outcome], reply: Reply, post: PostRequest
) -> None:
    outcome = published(Exchange(TransportResult.ANSWERED, reply), post, NOW)
    sound(outcome)
    if outcome.sort is OutcomeKind.SENT:
        assert reply.ok
        assert values.is_id(outcome.id) or outcome.id == uri_of(DID, post.key)


@pytest.mark.parametrize("deleted", DELETED)
@given(reply=replies)
def test_any_answer_to_a_deletion_is_judged(
    deleted: Callable[[Exchange, str, datetime], Outcome], reply: Reply
) -> None:
    sound(deleted(Exchange(TransportResult.ANSWERED, reply), "5", NOW))


@given(replies)
def test_any_answer_to_a_read_is_read(reply: Reply) -> None:
    page = twitter_answers.page(reply)
    assert page is None or page.billed >= len(page.posts)
    twitter_answers.is_missing(reply)
    twitter_answers.speaks_of_fields(reply)
    profile = twitter_answers.profile(reply)
    assert profile is None or profile.id
    mastodon_walk.page(reply)
    assert mastodon_answers.profile(reply.value(), reply.value(), "").limit != 0
    walk = mastodon_walk.Walk(NOW, "1", NOW)
    walk.take(reply)
    assert all(post.id != "1" for post in walk.look().posts)
    bluesky_answers.is_worn_out(reply)
    bluesky_answers.is_missing(reply)
    own = bluesky_answers.page(reply, DID, "a.b")
    assert own is None or all(post.id.startswith(f"at://{DID}/") for post, _ in own.posts)
    assert bluesky_answers.profile(DID, "a.b", "", reply.value()).advice
    for tell in (bluesky_errors.unread, bluesky_errors.no_session):
        problem = tell(Exchange(TransportResult.ANSWERED, reply), NOW)
        assert problem.message.isprintable()
        sound(bluesky_errors.not_sent(problem))
    for rules in (twitter_answers.RULES, mastodon_answers.RULES, bluesky_answers.RULES):
        error = cannot_read(Exchange(TransportResult.ANSWERED, reply), rules, NOW)
        assert isinstance(error, CannotRead)
        assert error.message.isprintable()


@given(any_json)
def test_any_post_is_read_or_is_none(value: object) -> None:
    for seen in (twitter_answers.seen(value), mastodon_answers.seen(value, NOW)):
        assert seen is None or (values.is_id(seen.id) and seen.created.tzinfo)


@given(any_json)
def test_any_record_is_read_or_is_none(value: object) -> None:
    uri = uri_of(DID, "3mfyouuy62222")
    for found in (value, {"uri": uri, "value": value}, {"uri": uri, "value": {"embed": value}}):
        post = bluesky_records.seen(found, DID, "a.b")
        assert post is None or (post.id == uri and post.created.tzinfo)
    assert bluesky_records.seen({"uri": uri, "value": value}, DID, "a.b")


@given(any_json)
def test_any_session_is_one_or_is_none(value: object) -> None:
    session = session_in(value, NOW)
    assert session is None or (session.did.startswith("did:") and session.lasts(NOW) is None)
    known = {"did": DID, "accessJwt": "a.b.c", "refreshJwt": "r", "handle": value, "active": value}
    found = session_in(known, None)
    assert found is not None
    assert found.rest.isprintable()
    assert not found.ends_soon(NOW)


@pytest.mark.parametrize(
    ("fate", "sort", "refusal"),
    [
        (TransportResult.UNSENT, OutcomeKind.LATER, None),
        (TransportResult.UNFIT, OutcomeKind.REFUSED, Refusal.CONTENT),
        (TransportResult.LOST, OutcomeKind.UNKNOWN, None),
    ],
)
def test_without_an_answer_the_way_of_the_request_decides(
    fate: TransportResult, sort: OutcomeKind, refusal: Refusal | None
) -> None:
    exchange = Exchange(fate, None, "the connection broke off")
    outcome = unanswered(exchange, "X")
    assert (outcome.sort, outcome.refusal) == (sort, refusal)
    assert outcome.reason.startswith("X: the connection broke off; ")
    for published in PUBLISHED:
        assert published(exchange, POST, NOW).sort is sort
    for deleted in DELETED:
        assert deleted(exchange, "5", NOW).sort is sort
    error = cannot_read(exchange, twitter_answers.RULES, NOW)
    assert (str(error), error.final) == ("X cannot be read: the connection broke off", False)


def test_an_answer_shows_neither_headers_nor_body() -> None:
    reply = Reply(200, {"set-cookie": "s3cret"}, b"s3cret")
    assert "s3cret" not in repr(Exchange(TransportResult.ANSWERED, reply))


def test_a_network_may_have_its_own_word_for_a_status() -> None:
    rules = RefusalRules(
        "N", ("error",), ("x-ratelimit",), statuses={418: twitter_answers.RULES.hints[0].verdict}
    )
    error = cannot_read(Exchange(TransportResult.ANSWERED, Reply(418)), rules, NOW)
    assert str(error) == "N cannot be read: it answers 418"


@pytest.mark.parametrize(
    ("bio", "named"),
    [
        ("Hot papers, by Jo", True),
        ("Run by @jo", True),
        ("Maintained with love", True),
        ("Contact: jo at example.org", True),
        ("Hot papers every day", False),
        ("A baby bot", False),
        ("", False),
    ],
)
def test_a_bio_names_somebody_or_not(bio: str, named: bool) -> None:  # noqa: FBT001 - pytest calls
    assert values.names_somebody(bio) is named


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example/b?c", "https://a.example"),
        ("https://user:pw@a.example:8443/b", "https://a.example:8443"),
        ("//a.example/b", ""),
        ("/b", ""),
        ("https://[", ""),
        ("https://a.example:port/", ""),
        ("", ""),
    ],
)
def test_an_origin_is_scheme_and_host(url: str, origin: str) -> None:
    assert values.origin(url) == origin


@pytest.mark.parametrize("value", [None, 1, "x", [], {"b": 1}, {"a": None}, {"a": {"b": []}}])
def test_what_is_not_there_is_empty(value: object) -> None:
    assert values.text_at(value, "a", "b") == ""
    assert values.id_at(value, "a", "b") == ""
    assert values.items_at(value, "a", "b") in ((), [])
    assert values.count_at(value, "a", "b") == 0
    assert values.created_at(value, "a", "b") is None


LIMIT, DAILY = "x-rate-limit", "x-user-limit-24hour"


def told(**headers: object) -> dict[str, str]:
    return {name.replace("_", "-"): str(value) for name, value in headers.items()}


def at(seconds: float) -> str:
    """A time so many seconds from now, in seconds since 1970."""
    return f"{NOW.timestamp() + seconds:.3f}"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        # a time, by each way to write one
        (told(x_rate_limit_reset=at(900)), 900),
        (told(x_rate_limit_reset="2026-03-01T12:15:00.500Z"), 900.5),
        (told(x_rate_limit_reset="2026-03-01T13:15:00+01:00"), 900),
        (told(retry_after="Sun, 01 Mar 2026 12:15:00 GMT"), 900),
        # a number that is no time since long ago is one of seconds
        (told(x_rate_limit_reset=900), 900),
        (told(x_rate_limit_reset="0.5"), 0.5),
        (told(x_rate_limit_reset=2_678_400), 2_678_400),
        (told(x_rate_limit_reset=2_678_401), None),
        (told(x_rate_limit_reset=9_999_999), None),
        (told(x_rate_limit_reset=10_000_000), None),
        (told(retry_after=900), 900),
        # the first header that names a time to come
        (told(x_rate_limit_reset=at(900), retry_after=30), 900),
        (told(x_rate_limit_reset=at(30), retry_after=900), 30),
        (told(x_rate_limit_reset="soon", retry_after=30), 30),
        (told(x_rate_limit_reset="", retry_after=30), 30),
        (told(x_rate_limit_reset=at(40 * 86_400), retry_after=30), 30),
        (told(x_rate_limit_reset=at(-30), retry_after=30), 30),
        (told(x_rate_limit_reset=at(-3600), retry_after=30), 30),
        (told(x_rate_limit_reset=at(900), retry_after=0), 900),
        # a limit that has just passed ends in a moment, one that passed long ago says nothing
        (told(x_rate_limit_reset=at(0)), 1),
        (told(x_rate_limit_reset=0), 1),
        (told(x_rate_limit_reset=at(-0.5)), 1),
        (told(x_rate_limit_reset=at(-60)), 1),
        (told(x_rate_limit_reset=at(-60.5)), None),
        (told(retry_after=0), 1),
        (told(retry_after="Sun, 01 Mar 2026 11:59:30 GMT"), 1),
        (told(retry_after="Sun, 01 Mar 2026 11:30:00 GMT"), None),
        (told(x_rate_limit_reset=at(-3600), retry_after=0), 1),
        # of several limits those that have nothing left, and the last of them to end
        (told(x_rate_limit_reset=at(30), x_user_limit_24hour_reset=at(900)), 30),
        (told(x_user_limit_24hour_reset=at(900)), None),
        (
            told(
                x_rate_limit_reset=at(30),
                x_user_limit_24hour_reset=at(900),
                x_user_limit_24hour_remaining=0,
            ),
            900,
        ),
        (
            told(
                x_rate_limit_reset=at(900),
                x_rate_limit_remaining=0,
                x_user_limit_24hour_reset=at(30),
                x_user_limit_24hour_remaining=0,
                retry_after=3600,
            ),
            900,
        ),
        (
            told(
                x_rate_limit_reset="soon",
                x_rate_limit_remaining=0,
                x_user_limit_24hour_reset=at(30),
                x_user_limit_24hour_remaining=0,
            ),
            30,
        ),
        (
            told(
                x_rate_limit_reset=at(-30),
                x_rate_limit_remaining=0,
                x_user_limit_24hour_reset=at(30),
                x_user_limit_24hour_remaining=0,
            ),
            30,
        ),
        # by the network's clock, which may be wrong
        (told(x_rate_limit_reset=at(900), date="Sun, 01 Mar 2026 12:10:00 GMT"), 300),
        (told(x_rate_limit_reset=at(-300), date="Sun, 01 Mar 2026 11:50:00 GMT"), 300),
        (told(x_rate_limit_reset=at(590), date="Sun, 01 Mar 2026 12:10:00 GMT"), 1),
        (told(x_rate_limit_reset=900, date="Sun, 01 Mar 2026 12:10:00 GMT"), 900),
        (told(retry_after=30, date="Sun, 01 Mar 2026 12:10:00 GMT"), 30),
        (
            told(retry_after="Sun, 01 Mar 2026 12:15:00 GMT", date="Sun, 01 Mar 2026 12:10:00 GMT"),
            300,
        ),
        # what is no time
        (told(x_rate_limit_reset="-5"), None),
        (told(x_rate_limit_reset="1e3"), None),
        (told(x_rate_limit_reset="9" * 40), None),
        (told(retry_after="-5"), None),
        (told(retry_after="1.5"), None),
        (told(retry_after="9" * 40), None),
        (told(retry_after=40 * 86_400), None),
    ],
)
def test_a_limit_ends_as_its_headers_say(headers: dict[str, str], seconds: float | None) -> None:
    until = values.wait(headers, (LIMIT, DAILY), NOW)
    assert until == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("status", "by_limit", "by_retry"),
    [(429, 900, 30), (503, 900, 30), (402, 3600, 30), (500, None, 30), (403, None, 30)],
)
def test_limits_are_believed_only_where_it_is_one(
    status: int, by_limit: int | None, by_retry: int
) -> None:
    """Networks tell of them whatever they answer; `Retry-After` is of this answer alone."""
    body = b'{"errors": [{"code": 226}]}'
    for headers, seconds in (
        (told(x_rate_limit_reset=at(900), x_rate_limit_remaining=0), by_limit),
        (told(retry_after=30), by_retry),
    ):
        until = None if seconds is None else NOW + timedelta(seconds=seconds)
        exchange = Exchange(TransportResult.ANSWERED, Reply(status, headers, body))
        assert cannot_read(exchange, twitter_answers.RULES, NOW).until == until
        outcome = twitter_answers.published(exchange, POST, NOW)
        # of a post, a lack of credits is waited for without a time
        by_post = None if status == 402 and seconds == 3600 else until
        assert outcome.until == (by_post if outcome.sort is OutcomeKind.LATER else None)


def test_times_are_in_utc() -> None:
    found = values.created_at({"t": "2026-03-01T13:00:00.5+01:00"}, "t")
    assert found == datetime(2026, 3, 1, 12, 0, 0, 500_000, UTC)
    assert values.created_at({"t": "2026-03-01"}, "t") is None
    assert values.created_at({"t": "123456"}, "t") is None


@recorded_only
def test_observed_refusals_of_x_mean_what_is_known_of_them() -> None:
    observed = json.loads((SHARED / "api/x/observed_errors.json").read_text(encoding="utf-8"))
    expected = {
        "duplicate content": (OutcomeKind.UNKNOWN, None),
        "v1.1 duplicate": (OutcomeKind.UNKNOWN, None),
        "reply/quote target not allowed (self-serve, since 2026-02-23)": (
            OutcomeKind.REFUSED,
            Refusal.REPLIES,
        ),
        "reply target not allowed (older wording)": (OutcomeKind.REFUSED, Refusal.REPLIES),
        "no credits left (pay-per-use)": (OutcomeKind.LATER, None),
        "rate limit": (OutcomeKind.LATER, None),
        "over capacity (v1.1 shape)": (OutcomeKind.UNKNOWN, None),
        "v1.1 endpoint not in plan": (OutcomeKind.REFUSED, Refusal.SCOPE),
        "create ok": (OutcomeKind.SENT, None),
    }
    found = {}
    for case in observed:
        body = json.dumps(case["body"]).encode() if "body" in case else b""
        exchange = Exchange(TransportResult.ANSWERED, Reply(case["status"], {}, body))
        outcome = twitter_answers.published(exchange, REPLY, NOW)
        found[case["case"]] = (outcome.sort, outcome.refusal)
    assert {case: found[case] for case in expected} == expected
