"""The poster for Bluesky over real HTTP: the stand-in's rules, and answers as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from bot.model import Account, Card, Network, Span
from bot.posters.bluesky import client as bluesky_client
from bot.posters.bluesky import poster as bluesky
from bot.posters.bluesky.errors import no_session
from bot.posters.bluesky.records import POST, uri_of
from bot.posters.bluesky.session import home_in, moved_to
from bot.posters.bluesky.tids import EPOCH, tid
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, Poster, PostRequest
from bot.posters.session_store import SessionStore
from bot.sandbox.bluesky.behaviour import SERVERS, BlueskyBehaviour, Standing
from bot.sandbox.bluesky.records import cid_of
from bot.sandbox.bluesky.rules import APP_PASSWORD
from bot.sandbox.faults import CLOSED_AFTER, CLOSED_BEFORE, Fault, changed, server_error
from bot.sandbox.wire import Response
from tests.helpers.bluesky_poster import (
    CID,
    CREATE,
    DELETE,
    DID,
    HANDLE,
    KEY,
    OTHER,
    PARENT_URI,
    PUT,
    PUT_WELL,
    REFRESH,
    ROOT,
    URI,
    asked,
    error,
    opened,
    poster,
    route,
    server,
    session,
)
from tests.helpers.health_checks import SHARED_FIXTURE
from tests.helpers.http_server import HttpServer, Reply, Request, dripping
from tests.helpers.poster_replies import (
    ADDRESS,
    CONTENT,
    CREDENTIALS,
    LATER,
    NOT_NOW,
    NOW,
    PARENT,
    SENT,
    STOPS,
    UNKNOWN,
    WRONG,
    Expected,
    Failure,
    failure,
    json_reply,
    raw_reply,
    sort_and_refusal,
)
from tests.helpers.reply_strategies import any_body, any_json
from tests.helpers.sandbox_clients import BlueskyClient
from tests.helpers.sandbox_clients import bluesky_client as standing_in
from tests.helpers.short_timeout import short_timeout

__all__ = ["opened", "poster", "server"]  # fixtures

GET, LIST = "com.atproto.repo.getRecord", "com.atproto.repo.listRecords"
LOGOUT = "com.atproto.server.deleteSession"
WHO = "com.atproto.server.getSession"
JWT = "eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmVk"
REPLY = replace(ROOT, parent=PARENT_URI, root=PARENT_URI)


def found(uri: str = URI, **value: object) -> dict[str, object]:
    own = {"$type": POST, "text": "Hot papers", "createdAt": "2026-03-01T12:00:00.000Z"}
    return {"uri": uri, "cid": CID, "value": own | value}


class SessionInMemory:
    """What a ledger keeps of a session, in memory."""

    def __init__(self, owner: str = "us") -> None:
        self.text = ""
        self.times = 0
        self.keeper = SessionStore(owner, lambda: self.text, self._keep)

    def _keep(self, text: str) -> None:
        self.text = text
        self.times += 1


# -- what became of a post -------------------------------------------------------------------------

LIMITED = {
    "ratelimit-limit": "5000",
    "ratelimit-remaining": "0",
    "ratelimit-reset": str(int(NOW.timestamp()) + 3589),
    "ratelimit-policy": "5000;w=3600",
    "retry-after": "3589",
}
NOT_OURS = "Invalid app.bsky.feed.post record: "
NO_PAGE = raw_reply(404, b"<!DOCTYPE html><pre>Cannot POST</pre>")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (PUT_WELL, SENT),
        # the same bytes again: nothing is committed, and it is there
        (json_reply({"uri": URI, "cid": CID, "validationStatus": "valid"}), SENT),
        (error(400, "InvalidSwap", f"Record was at {CID}"), UNKNOWN),
        (error(400, "InvalidSwap", "Record was at null"), UNKNOWN),
        (error(400, "InvalidRequest", f"{NOT_OURS}grapheme too big at $.record.text"), CONTENT),
        (error(400, "InvalidRequest", f'{NOT_OURS}Invalid language (got "not a lang")'), CONTENT),
        (
            error(400, "InvalidRequest", 'Invalid record key: Invalid TID string (got "abc")'),
            CONTENT,
        ),
        (error(400, "InvalidRequest", 'Missing required key "rkey" at $'), CONTENT),
        (error(400, "BlobNotFound", f"Could not find blob: {CID}"), CONTENT),
        (error(400, "InvalidSize", "Referenced Size does not match stored blob."), CONTENT),
        (error(400, "InvalidMimeType", "Referenced Mimetype does not match"), CONTENT),
        (error(400, "SyntaxError", "Expected property name or '}' in JSON"), CONTENT),
        (error(413, "PayloadTooLarge", "request entity too large"), CONTENT),
        (error(401, "AccountTakedown", "Account has been taken down"), CREDENTIALS),
        (error(401, "AccountDeactivated", "Account is deactivated"), CREDENTIALS),
        (error(403, "AccountNotFound", "Account not found"), CREDENTIALS),
        (error(401, "AuthenticationRequired", "Authentication Required"), CREDENTIALS),
        (error(400, "InvalidRequest", f"Could not find repo: {DID}"), CREDENTIALS),
        (error(400, "InvalidRequest", f"Could not find user info for account: {DID}"), CREDENTIALS),
        (error(403, "Forbidden"), CONTENT),
        (json_reply({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429), LATER),
        (error(500, "InternalServerError", "Internal Server Error"), UNKNOWN),
        (error(501, "MethodNotImplemented", "Method Not Implemented"), UNKNOWN),
        (error(502, "UpstreamFailure", "Upstream service unreachable"), UNKNOWN),
        (raw_reply(504, b"<html>"), UNKNOWN),
        (raw_reply(408, b""), UNKNOWN),
        (NO_PAGE, ADDRESS),
        (raw_reply(303, b"", {"location": "/there"}), UNKNOWN),
        *((raw_reply(status, b"", {"location": "/there"}), ADDRESS) for status in (301, 302, 307)),
        # what works by its status, and is not about the post that was sent
        (raw_reply(200, b""), UNKNOWN),
        (raw_reply(200, b"<html>Welcome</html>"), UNKNOWN),
        (json_reply([]), UNKNOWN),
        (json_reply({"uri": URI}), UNKNOWN),
        (json_reply({"uri": URI, "cid": "no cid"}), UNKNOWN),
        (json_reply({"uri": URI, "cid": 7}), UNKNOWN),
        (json_reply({"uri": PARENT_URI, "cid": CID}), UNKNOWN),
        (json_reply({"uri": 7, "cid": CID}), UNKNOWN),
        (Reply(b"", raw=True), UNKNOWN),
        (Reply(b'{"uri": "', headers={"Content-Length": "999"}), UNKNOWN),
        (Reply(b"", reset=True), UNKNOWN),
        (Reply(b"hello\r\n", raw=True), UNKNOWN),
    ],
)
def test_every_answer_to_a_post_means_something(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    route(server, PUT, reply)
    outcome = poster.publish(ROOT)
    assert sort_and_refusal(outcome) == expected
    # where a page is not there, the address may be wrong, and then nobody knows us either
    assert asked(server) == [CREATE, PUT, *([WHO] if reply is NO_PAGE else [])]
    assert bool(outcome.reason) is (expected != SENT)
    assert bool(outcome.fix) is (expected in (CREDENTIALS, ADDRESS))
    assert outcome.until is None
    if expected == SENT:
        assert outcome == Outcome(
            OutcomeKind.SENT, URI, f"https://bsky.app/profile/{HANDLE}/post/{KEY}"
        )


def test_what_is_sent_is_the_record_and_never_overwrites(
    server: HttpServer, poster: Poster
) -> None:
    route(server, PUT, PUT_WELL)
    card = Card("https://arxiv.org/abs/1", "Title", "It says.")
    post = replace(ROOT, text="é a.b", spans=(Span(2, 5, uri="https://a.b"),), card=card)
    poster.publish(post)
    request = server.requests[-1]
    assert json.loads(request.body) == {
        "repo": DID,
        "collection": POST,
        "rkey": KEY,
        "swapRecord": None,
        "record": {
            "$type": POST,
            "text": "é a.b",
            "createdAt": "2026-03-01T12:00:00.000Z",
            "langs": ["en"],
            "facets": [
                {
                    "index": {"byteStart": 3, "byteEnd": 6},
                    "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://a.b"}],
                }
            ],
            "embed": {
                "$type": "app.bsky.embed.external",
                "external": {
                    "uri": "https://arxiv.org/abs/1",
                    "title": "Title",
                    "description": "It says.",
                },
            },
        },
    }
    assert request.headers["authorization"] == "Bearer aaa"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("bot/")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (LIMITED, 3589),
        ({"ratelimit-reset": str(int(NOW.timestamp()) + 60)}, 60),
        ({"retry-after": "7"}, 7),
        ({}, None),
        ({"ratelimit-reset": "soon", "retry-after": "never"}, None),
        ({"ratelimit-reset": "9" * 40}, None),
    ],
)
def test_a_limit_says_until_when(
    server: HttpServer, poster: Poster, headers: Mapping[str, str], seconds: int | None
) -> None:
    full = json_reply(
        {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, headers
    )
    until = NOW + timedelta(seconds=seconds) if seconds else None
    for method in (PUT, LIST, DELETE):
        route(server, method, full)
    outcomes = [poster.publish(ROOT), poster.delete(URI)]
    assert [(each.sort, each.until) for each in outcomes] == [(OutcomeKind.LATER, until)] * 2
    with pytest.raises(CannotRead) as caught:
        poster.look(NOW)
    assert (caught.value.until, caught.value.final) == (until, False)


def test_a_text_that_cannot_be_encoded_is_refused_and_not_sent(
    server: HttpServer, poster: Poster
) -> None:
    post = replace(ROOT, text="\ud800 #a", spans=(Span(2, 4, tag="a"),))
    assert sort_and_refusal(poster.publish(post)) == CONTENT
    assert asked(server) == [CREATE]


def test_a_server_that_keeps_us_waiting_is_not_waited_for(
    server: HttpServer, opened: Callable[..., Poster]
) -> None:
    poster = opened(server.url)
    route(server, PUT, Reply(dripping(b" ")))
    route(server, LIST, Reply(dripping(b" ")))
    with short_timeout(lambda: CREATE in asked(server)):
        outcome = poster.publish(ROOT)
        assert sort_and_refusal(outcome) == UNKNOWN
        assert "no whole answer within 0.3 seconds" in outcome.reason
        with pytest.raises(CannotRead, match=r"no whole answer within 0\.3 seconds"):
            poster.look(NOW)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", [CREATE, REFRESH, PUT, LIST, GET, WHO, DELETE])
def test_redirects_are_never_followed(
    server: HttpServer, opened: Callable[..., Poster], method: str, status: int
) -> None:
    kept = SessionInMemory()
    kept.text = json.dumps(session(owner="us")) if method == REFRESH else ""
    poster = opened(server.url, kept.keeper)
    for each in (PUT, LIST, GET, WHO, DELETE):
        route(server, each, error(400, "ExpiredToken"))
    elsewhere = raw_reply(status, b"", {"location": f"{server.url}/elsewhere?t=aaa"})
    route(server, method, elsewhere)
    server.route("/elsewhere", json_reply(session()))
    outcomes = [poster.publish(ROOT), poster.delete(URI)]
    for ask in (poster.profile, lambda: poster.look(NOW), lambda: poster.read(URI)):
        with pytest.raises(CannotRead):
            ask()
    assert all(outcome.sort is not OutcomeKind.SENT for outcome in outcomes)
    assert "/elsewhere" not in [each.path.partition("?")[0] for each in server.requests]


# -- replies ---------------------------------------------------------------------------------------


def test_what_a_reply_refers_to_is_read_once_and_then_known(
    server: HttpServer, poster: Poster
) -> None:
    route(server, GET, json_reply(found(PARENT_URI)))
    route(server, PUT, PUT_WELL)
    assert poster.publish(REPLY).sort is OutcomeKind.SENT
    refs = json.loads(server.requests[-1].body)["record"]["reply"]
    assert refs == {name: {"uri": PARENT_URI, "cid": CID} for name in ("root", "parent")}
    third = replace(REPLY, parent=URI, key=tid(NOW, 3))
    route(server, PUT, json_reply({"uri": uri_of(DID, third.key), "cid": CID}))
    assert poster.publish(third).sort is OutcomeKind.SENT
    assert asked(server) == [CREATE, GET, PUT, PUT]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error(400, "RecordNotFound", f"Could not locate record: {PARENT_URI}"), PARENT),
        (error(502, "UpstreamFailure", "Upstream service unreachable"), LATER),
        (error(429, "RateLimitExceeded"), LATER),
        (Reply(b"", raw=True), LATER),
        (json_reply({}), LATER),
        (json_reply({**found(PARENT_URI), "cid": "no cid"}), LATER),
        (json_reply(found(URI)), LATER),
        (json_reply({"error": "RecordNotFound"}), LATER),
        (error(401, "AccountTakedown"), CREDENTIALS),
    ],
)
def test_where_the_parent_cannot_be_read_nothing_is_sent(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    route(server, GET, reply)
    outcome = poster.publish(REPLY)
    assert sort_and_refusal(outcome) == expected
    assert outcome.reason.endswith("nothing was sent")
    assert PUT not in asked(server)


def test_where_only_the_root_is_gone_nothing_is_sent(server: HttpServer, poster: Poster) -> None:
    gone = error(400, "RecordNotFound")

    def get(request: Request) -> Reply:
        return json_reply(found(PARENT_URI)) if OTHER in request.path else gone

    route(server, GET, get)
    post = replace(REPLY, key=tid(NOW, 9), root=URI)
    assert sort_and_refusal(poster.publish(post)) == PARENT


@pytest.mark.parametrize("parent", ["1", "https://bsky.app/x", uri_of("did:plc:another2", OTHER)])
def test_a_parent_that_is_not_ours_is_gone(server: HttpServer, poster: Poster, parent: str) -> None:
    assert sort_and_refusal(poster.publish(replace(REPLY, parent=parent, root=""))) == PARENT
    assert asked(server) == [CREATE]


def test_what_was_deleted_or_is_missed_is_read_again_before_it_is_replied_to(
    server: HttpServer, poster: Poster
) -> None:
    route(server, GET, json_reply(found(PARENT_URI)), error(400, "RecordNotFound"))
    route(server, DELETE, json_reply({"commit": {"cid": CID}}))
    poster.read(PARENT_URI)
    poster.delete(PARENT_URI)
    assert sort_and_refusal(poster.publish(REPLY)) == PARENT
    route(server, GET, json_reply(found(PARENT_URI)), error(400, "RecordNotFound"))
    route(server, LIST, json_reply({"records": []}))
    poster.read(PARENT_URI)
    poster.look(NOW)
    assert sort_and_refusal(poster.publish(REPLY)) == PARENT


# -- deleting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (json_reply({"commit": {"cid": CID, "rev": "3n2rdgc7zds2p"}}), SENT),
        (json_reply({}), SENT),
        (raw_reply(200, b""), UNKNOWN),
        (json_reply([]), UNKNOWN),
        (error(403, "AccountNotFound"), CREDENTIALS),
        (error(400, "InvalidSwap", f"Record was at {CID}"), UNKNOWN),
        (error(400, "InvalidRequest"), CONTENT),
        (error(401, "AccountDeactivated"), CREDENTIALS),
        (error(500, "InternalServerError"), UNKNOWN),
        (Reply(b"", raw=True), UNKNOWN),
    ],
)
def test_every_answer_to_a_deletion_means_something(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    route(server, DELETE, reply)
    outcome = poster.delete(URI)
    assert sort_and_refusal(outcome) == expected
    assert (outcome.id, outcome.url) == (URI if expected == SENT else "", "")
    assert json.loads(server.requests[-1].body) == {"repo": DID, "collection": POST, "rkey": KEY}


@pytest.mark.parametrize(
    "post_id",
    [
        "",
        "1",
        KEY,
        uri_of("did:plc:another2", KEY),
        f"at://{DID}/app.bsky.feed.like/{KEY}",
        f"{URI}/x",
    ],
)
def test_only_posts_of_ours_are_deleted_or_read(
    server: HttpServer, poster: Poster, post_id: str
) -> None:
    assert sort_and_refusal(poster.delete(post_id)) == CONTENT
    assert poster.read(post_id) is None
    assert asked(server) == [CREATE]


# -- reading ---------------------------------------------------------------------------------------


def test_one_post_is_read_as_it_stands(server: HttpServer, poster: Poster) -> None:
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": ""}, {"alt": ""}]}
    reply = {"parent": {"uri": PARENT_URI, "cid": CID}, "root": {"uri": PARENT_URI, "cid": CID}}
    route(
        server,
        GET,
        json_reply(found(embed=images, reply=reply, createdAt="2026-03-01T13:00:00+01:00")),
    )
    post = poster.read(URI)
    assert post is not None
    assert (post.id, post.key, post.text, post.media) == (URI, KEY, "Hot papers", 2)
    assert (post.parent, post.created) == (PARENT_URI, NOW)
    assert post.url == f"https://bsky.app/profile/{HANDLE}/post/{KEY}"
    assert server.requests[-1].path.endswith(f"&collection={POST}&rkey={KEY}")


@pytest.mark.parametrize("created", [None, 7, "", "yesterday", "2026-13-01T00:00:00Z"])
def test_whose_time_is_nonsense_has_that_of_its_key(
    server: HttpServer, poster: Poster, created: object
) -> None:
    route(server, GET, json_reply(found(createdAt=created)))
    post = poster.read(URI)
    assert post is not None
    assert post.created == NOW


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error(400, "InvalidRequest", f"Could not find repo: {DID}"), STOPS),
        (error(401, "AccountTakedown"), STOPS),
        (error(403, "AccountTakedown"), STOPS),
        (error(401, "AuthenticationRequired"), STOPS),
        (error(401, "Unheard"), STOPS),
        (error(403, "Forbidden"), NOT_NOW),
        (error(400, "InvalidRequest", "limit"), NOT_NOW),
        (error(502, "UpstreamFailure"), NOT_NOW),
        (error(503, "NotNow"), NOT_NOW),
        (raw_reply(200, b"<html>"), NOT_NOW),
        (json_reply([]), NOT_NOW),
        (json_reply({"records": {}}), NOT_NOW),
        (json_reply({"records": [7]}), NOT_NOW),
        (json_reply({"records": [found(uri_of("did:plc:another2", KEY))]}), NOT_NOW),
        (json_reply({"records": [{"value": {}}]}), NOT_NOW),
        (Reply(b"", raw=True), NOT_NOW),
        (raw_reply(301, b"", {"location": "https://elsewhere.example/x"}), WRONG),
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(
    server: HttpServer, poster: Poster, reply: Reply, expected: Failure
) -> None:
    route(server, LIST, reply)
    with pytest.raises(CannotRead, match=r"^Bluesky cannot be read: ") as caught:
        poster.look(NOW)
    assert failure(caught.value) == expected
    assert bool(caught.value.fix) is caught.value.final


@pytest.mark.parametrize("reset", [True, False])
def test_a_read_whose_connection_breaks_is_made_once_more(
    server: HttpServer,
    opened: Callable[..., Poster],
    reset: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    """On a new connection, whether the first was new or not; and no third time."""
    kept = SessionInMemory()
    kept.text = json.dumps(session(owner="us"))
    poster = opened(server.url, kept.keeper)
    broken = Reply(b"", raw=True, reset=reset)
    route(server, LIST, broken, json_reply({"records": []}))
    assert poster.look(NOW).complete
    route(server, GET, broken, json_reply(found()))
    assert poster.read(URI)
    route(server, WHO, broken, json_reply({"did": DID, "active": True}))
    route(server, GET, broken, error(400, "RecordNotFound"))
    assert poster.profile().id == DID
    assert asked(server) == [LIST, LIST, GET, GET, WHO, WHO, GET, GET]
    server.requests.clear()
    route(server, WHO, broken)
    with pytest.raises(CannotRead, match="the connection broke off"):
        poster.profile()
    assert asked(server) == [WHO, WHO]


def test_a_login_or_a_post_whose_connection_breaks_is_not_made_again(
    server: HttpServer, poster: Poster
) -> None:
    broken = Reply(b"", raw=True)
    route(server, CREATE, broken, json_reply(session()))
    assert sort_and_refusal(poster.publish(ROOT)) == LATER
    assert asked(server) == [CREATE]
    route(server, PUT, broken, PUT_WELL)
    assert sort_and_refusal(poster.publish(ROOT)) == UNKNOWN
    assert asked(server) == [CREATE, CREATE, PUT]


@pytest.fixture
def it() -> Iterator[BlueskyClient]:
    with standing_in() as made:
        yield made


def calls(it: BlueskyClient) -> list[str]:
    return [record.path.removeprefix("/xrpc/") for record in it.sandbox.requests]


def at(
    it: BlueskyClient, keeper: SessionStore | None = None, password: str = APP_PASSWORD
) -> Poster:
    return bluesky.open_poster(
        Account("papers", Network.BLUESKY),
        handle=it.rules.handle,
        app_password=password,
        base_url=it.sandbox.url("bluesky"),
        timeout=30.0,
        clock=it.clock,
        keeper=keeper,
    )


@pytest.fixture
def here(it: BlueskyClient) -> Iterator[Poster]:
    poster = at(it)
    yield poster
    poster.close()


def record_at(it: BlueskyClient, moment: datetime, text: str, **more: object) -> str:
    value = {"$type": POST, "text": text, "createdAt": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"}
    return it.rules.place(POST, tid(moment), {**value, **more}).uri  # type: ignore[dict-item] # JSON


def test_a_digest_s_posts_are_read_with_two_requests_of_a_thousand_others(
    it: BlueskyClient, here: Poster
) -> None:
    day = datetime(2025, 6, 1, tzinfo=UTC)
    ours = [record_at(it, day + timedelta(hours=7 * n % 24, seconds=n), f"{n}") for n in range(24)]
    for number in range(150):
        record_at(it, day + timedelta(days=2, seconds=number), "later")
        record_at(it, day - timedelta(days=1, seconds=number), "earlier")
    keys = [uri.rpartition("/")[2] for uri in ours]
    look = here.look(it.clock.now, after=ours[0], keys=[*keys, "no key of this network"])
    assert look.complete
    assert {post.id for post in look.posts} == {*ours}
    assert calls(it) == [CREATE, LIST]
    times = [post.created for post in look.posts]
    assert times == sorted(times, reverse=True)


def test_neighbouring_days_are_let_be(it: BlueskyClient, here: Poster) -> None:
    day = datetime(2025, 6, 2, tzinfo=UTC)
    microsecond = timedelta(microseconds=1)
    ours = [record_at(it, each, "ours") for each in (day, day + timedelta(days=1) - microsecond)]
    for each in (day - microsecond, day + timedelta(days=1)):
        record_at(it, each, "another's")
    for keys in ([tid(day)], [tid(day + timedelta(hours=23))]):
        look = here.look(it.clock.now, keys=keys)
        assert {post.id for post in look.posts} == {*ours}


def test_a_person_s_records_of_every_form_are_read_over(it: BlueskyClient, here: Poster) -> None:
    day = it.clock.now
    for key in ("self", "a.b:c~d_e", "zzzzzzzzzzzzz", "2222"):
        it.rules.place(POST, key, {"$type": POST, "text": "odd", "createdAt": "?"})
    mine = record_at(it, day, "mine")
    odd = record_at(it, day - timedelta(minutes=1), "odd", createdAt="never")
    look = here.look(day - timedelta(days=1))
    assert look.complete
    assert [post.id for post in look.posts] == [mine, odd]


def test_pages_are_followed_to_the_end_and_no_further(it: BlueskyClient, here: Poster) -> None:
    for number in range(250):
        record_at(it, it.clock.now - timedelta(minutes=number), f"{number}")
    look = here.look(EPOCH - timedelta(days=400))
    assert (look.complete, len(look.posts)) == (True, 250)
    # the last page has a cursor, too
    assert calls(it).count(LIST) == 4
    look = here.look(it.clock.now - timedelta(minutes=99))
    assert (look.complete, len(look.posts)) == (True, 100)


def test_a_server_that_never_comes_to_an_end_is_left(
    server: HttpServer, poster: Poster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluesky, "_PAGES", 3)
    route(server, LIST, json_reply({"records": [found()], "cursor": "again"}))
    look = poster.look(EPOCH)
    assert (look.complete, len(look.posts)) == (False, 3)


def test_a_cursor_is_the_server_s_own_word_and_its_lack_the_end(
    server: HttpServer, poster: Poster
) -> None:
    pages = (
        json_reply({"records": [found()], "cursor": "a b"}),
        json_reply({"records": [found(PARENT_URI)]}),
    )
    route(server, LIST, *pages)
    look = poster.look(EPOCH)
    assert (look.complete, [post.id for post in look.posts]) == (True, [URI, PARENT_URI])
    assert "cursor=a+b" in server.requests[-1].path


# -- sessions --------------------------------------------------------------------------------------


def thread(it: BlueskyClient, poster: Poster, posts: int, first: int = 0) -> list[Outcome]:
    """Publish a chain of posts, an hour apart on the clock where it is told so."""
    made: list[Outcome] = []
    for number in range(first, first + posts):
        root = made[0].id if made else ""
        parent = made[-1].id if made else ""
        key = tid(it.clock.now, number)
        made.append(
            poster.publish(PostRequest(f"{number}", key, parent, root, created=it.clock.now))
        )
    return made


def test_a_thread_takes_one_login_and_one_request_a_post(it: BlueskyClient, here: Poster) -> None:
    assert {outcome.sort for outcome in thread(it, here, 24)} == {OutcomeKind.SENT}
    assert calls(it) == [CREATE, *[PUT] * 24]
    assert it.sandbox.connections("bluesky") == 1


def test_a_kept_session_needs_no_login(it: BlueskyClient) -> None:
    kept = SessionInMemory()
    for run in range(3):
        poster = at(it, kept.keeper)
        assert thread(it, poster, 2, 10 * run)[-1].sort is OutcomeKind.SENT
        poster.close()
    assert calls(it) == [CREATE, *[PUT] * 6]
    assert kept.times == 1
    held = json.loads(kept.text)
    assert (held["owner"], held["did"]) == ("us", it.rules.account)
    assert held["made"] == "2026-03-01T12:00:00.250000+00:00"


def test_the_session_is_renewed_before_it_ends_and_that_is_kept(
    it: BlueskyClient, here: Poster
) -> None:
    kept = SessionInMemory()
    here = at(it, kept.keeper)
    thread(it, here, 1)
    it.clock.advance(hours=2, seconds=-121)
    thread(it, here, 1, 1)
    assert calls(it) == [CREATE, PUT, PUT]
    it.clock.advance(seconds=1)
    before = kept.text
    thread(it, here, 2, 2)
    assert calls(it)[3:] == [REFRESH, PUT, PUT]
    assert (kept.times, kept.text == before) == (2, False)
    here.close()


def test_a_session_that_ended_while_we_were_away_is_renewed_first(it: BlueskyClient) -> None:
    kept = SessionInMemory()
    for hours in (0, 3, 24 * 80):
        it.clock.advance(hours=hours)
        poster = at(it, kept.keeper)
        assert thread(it, poster, 1, hours)[0].sort is OutcomeKind.SENT
        poster.close()
    assert calls(it) == [CREATE, PUT, REFRESH, PUT, REFRESH, PUT]


def test_a_refresh_token_that_is_over_leads_to_one_login(it: BlueskyClient) -> None:
    kept = SessionInMemory()
    for days in (0, 91):
        it.clock.advance(hours=24 * days)
        poster = at(it, kept.keeper)
        assert thread(it, poster, 2, days)[1].sort is OutcomeKind.SENT
        poster.close()
    assert calls(it) == [CREATE, PUT, PUT, REFRESH, CREATE, PUT, PUT]


def test_an_access_token_that_is_refused_is_renewed_and_the_post_goes_out_once(
    it: BlueskyClient,
) -> None:
    poster = at(it)
    thread(it, poster, 1)
    it.rules.behaviour = replace(it.rules.behaviour, access_lasts=timedelta(hours=2))
    it.rules.sessions.change_key()
    assert thread(it, poster, 1, 1)[0].sort is OutcomeKind.SENT
    # the refresh token is signed with the old key as well: so there is one login
    assert calls(it) == [CREATE, PUT, PUT, REFRESH, CREATE, PUT]
    assert it.texts() == ["0", "1"]
    poster.close()


def test_a_server_s_clock_may_be_far_from_ours(it: BlueskyClient) -> None:
    for hours in (-30, 30):
        ours = it.clock.now + timedelta(hours=hours)
        before = len(calls(it))
        poster = bluesky.open_poster(
            Account("papers", Network.BLUESKY),
            handle=it.rules.handle,
            app_password=APP_PASSWORD,
            base_url=it.sandbox.url("bluesky"),
            timeout=30.0,
            clock=lambda ours=ours: ours,  # type: ignore[misc]
        )
        thread(it, poster, 3, 100 + hours)
        assert calls(it)[before:] == [CREATE, PUT, PUT, PUT]
        poster.close()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_while_the_token_is_good_a_failed_renewal_puts_nothing_off(
    it: BlueskyClient, status: int
) -> None:
    poster = at(it)
    thread(it, poster, 1)
    it.clock.advance(hours=2, seconds=-60)
    it.sandbox.script(server_error(status), when=lambda request: request.path.endswith(REFRESH))
    assert thread(it, poster, 1, 1)[0].sort is OutcomeKind.SENT
    it.clock.advance(seconds=61)
    it.sandbox.script(server_error(status), when=lambda request: request.path.endswith(REFRESH))
    outcome = thread(it, poster, 1, 2)[0]
    assert sort_and_refusal(outcome) == LATER
    assert f"it answers {status}" in outcome.reason
    assert thread(it, poster, 1, 3)[0].sort is OutcomeKind.SENT
    assert calls(it).count(CREATE) == 1
    poster.close()


@pytest.mark.parametrize("lost", [CLOSED_BEFORE, CLOSED_AFTER], ids=lambda fault: fault.name)
def test_a_refresh_whose_answer_is_lost_is_made_again_at_once(
    it: BlueskyClient, here: Poster, lost: Fault
) -> None:
    thread(it, here, 1)
    it.clock.advance(hours=3)
    it.sandbox.script(lost, when=lambda request: request.path.endswith(REFRESH))
    assert thread(it, here, 1, 1)[0].sort is OutcomeKind.SENT
    assert calls(it) == [CREATE, PUT, REFRESH, REFRESH, PUT]


@pytest.mark.parametrize("lost", [CLOSED_BEFORE, CLOSED_AFTER], ids=lambda fault: fault.name)
def test_a_refresh_that_is_lost_twice_is_made_again_within_the_grace(
    it: BlueskyClient, lost: Fault
) -> None:
    kept = SessionInMemory()
    poster = at(it, kept.keeper)
    thread(it, poster, 1)
    it.clock.advance(hours=3)
    it.sandbox.script(lost, when=lambda request: request.path.endswith(REFRESH), times=2)
    assert sort_and_refusal(thread(it, poster, 1, 1)[0]) == LATER
    poster.close()
    it.clock.advance(hours=1, seconds=3599)
    again = at(it, kept.keeper)
    assert thread(it, again, 1, 2)[0].sort is OutcomeKind.SENT
    assert calls(it) == [CREATE, PUT, *[REFRESH] * 3, PUT]
    again.close()


def test_after_the_grace_a_lost_refresh_costs_a_login(it: BlueskyClient) -> None:
    poster = at(it)
    thread(it, poster, 1)
    it.clock.advance(hours=3)
    it.sandbox.script(CLOSED_AFTER, when=lambda request: request.path.endswith(REFRESH), times=2)
    assert sort_and_refusal(thread(it, poster, 1, 1)[0]) == LATER
    it.clock.advance(hours=2, seconds=1)
    assert thread(it, poster, 1, 2)[0].sort is OutcomeKind.SENT
    assert calls(it) == [CREATE, PUT, *[REFRESH] * 3, CREATE, PUT]
    poster.close()


def test_two_processes_with_one_session_do_not_log_each_other_out(it: BlueskyClient) -> None:
    kept = SessionInMemory()
    first = at(it, kept.keeper)
    thread(it, first, 1)
    second = at(it, kept.keeper)
    thread(it, second, 1, 1)
    it.clock.advance(hours=3)
    for number, sender in enumerate((first, second, first, second), 2):
        assert thread(it, sender, 1, number)[0].sort is OutcomeKind.SENT
    assert calls(it).count(CREATE) == 1
    first.close()
    second.close()


def test_a_revoked_app_password_ends_in_a_clear_error(it: BlueskyClient, here: Poster) -> None:
    thread(it, here, 1)
    it.rules.revoke()
    # an access token outlives its app password: so says a real server
    assert thread(it, here, 1, 1)[0].sort is OutcomeKind.SENT
    it.clock.advance(hours=3)
    outcome = thread(it, here, 1, 2)[0]
    assert sort_and_refusal(outcome) == CREDENTIALS
    assert outcome.reason == (
        "Bluesky does not log us in: it answers 401 (Invalid identifier or password): "
        "it does not accept the app password; nothing was sent"
    )
    assert "bot login bluesky" in outcome.fix
    assert calls(it)[-2:] == [REFRESH, CREATE]
    with pytest.raises(CannotRead) as caught:
        here.look(it.clock.now)
    assert (caught.value.final, caught.value.stops) == (True, True)
    assert "bot login bluesky" in caught.value.fix
    assert calls(it)[-1] == CREATE
    assert calls(it).count(CREATE) == 3


@pytest.mark.parametrize("fault", [None, server_error(500), CLOSED_BEFORE])
def test_a_session_that_nobody_keeps_is_ended_with_the_poster(
    it: BlueskyClient, fault: Fault | None
) -> None:
    before = it.rules.sessions.known()
    poster = at(it)
    poster.profile()
    if fault:
        it.sandbox.script(fault)
    poster.close()
    poster.close()
    assert calls(it).count(CREATE) == calls(it).count(LOGOUT) == 1
    if not fault:
        assert it.rules.sessions.known() == before
    untouched = at(it)
    untouched.close()
    assert calls(it).count(LOGOUT) == 1


@pytest.mark.parametrize("owner", ["them", ""])
def test_another_owner_s_session_is_none(it: BlueskyClient, owner: str) -> None:
    kept = SessionInMemory(owner)
    poster = at(it, kept.keeper)
    thread(it, poster, 1)
    poster.close()
    ours = SessionInMemory()
    ours.text = kept.text
    poster = at(it, ours.keeper)
    assert thread(it, poster, 1, 1)[0].sort is OutcomeKind.SENT
    ended = [] if owner else [LOGOUT]
    assert calls(it) == [CREATE, PUT, *ended, CREATE, PUT]
    assert json.loads(ours.text)["owner"] == "us"
    poster.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"owner": "us"}),
        json.dumps(session(owner="us", accessJwt="two\nlines")),
        json.dumps(session(owner="us", refreshJwt="é")),
        json.dumps(session(owner="us", did="did:plc:../x y")),
        json.dumps(session(owner="us", did=7)),
    ],
)
def test_what_was_kept_and_is_no_session_is_none(
    server: HttpServer, opened: Callable[..., Poster], text: str
) -> None:
    kept = SessionInMemory()
    kept.text = text
    route(server, PUT, PUT_WELL)
    assert opened(server.url, kept.keeper).publish(ROOT).sort is OutcomeKind.SENT
    assert asked(server) == [CREATE, PUT]


AT_LOGIN: Mapping[Expected, Failure] = {CREDENTIALS: STOPS, ADDRESS: WRONG, LATER: NOT_NOW}
"""What a read says of a login that makes this of a post."""


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error(401, "AuthenticationRequired", "Invalid identifier or password"), CREDENTIALS),
        (error(401, "AccountTakedown", "Account has been taken down"), CREDENTIALS),
        (error(401, "AuthFactorTokenRequired", "A sign in code has been sent"), CREDENTIALS),
        (error(400, "InvalidRequest", 'Missing required key "password" at $'), CREDENTIALS),
        (error(403, "Forbidden"), CREDENTIALS),
        (raw_reply(401, b""), CREDENTIALS),
        (raw_reply(403, b""), CREDENTIALS),
        (raw_reply(401, b"<html>"), LATER),
        (raw_reply(403, b"<html>"), LATER),
        (raw_reply(403, b"error code: 1020"), LATER),
        (raw_reply(404, b"<html>"), ADDRESS),
        (error(404, "MethodNotFound"), ADDRESS),
        (raw_reply(301, b"", {"location": "https://elsewhere.example/"}), ADDRESS),
        (error(429, "RateLimitExceeded"), LATER),
        (error(500, "InternalServerError"), LATER),
        (raw_reply(502, b"<html>"), LATER),
        (raw_reply(200, b"<html>"), LATER),
        (json_reply(session(accessJwt="")), LATER),
        (json_reply(session(accessJwt="two\nlines")), LATER),
        (json_reply(session(refreshJwt="é")), LATER),
        (json_reply(session(did="7")), LATER),
        (json_reply({"accessJwt": {}, "did": []}), LATER),
        (Reply(b"", raw=True), LATER),
        (Reply(b"", reset=True), LATER),
    ],
)
def test_without_a_login_nothing_is_sent_and_that_is_never_in_doubt(
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected
) -> None:
    route(server, CREATE, reply)
    outcomes = [poster.publish(ROOT), poster.publish(REPLY), poster.delete(URI)]
    assert [sort_and_refusal(each) for each in outcomes] == [expected] * 3
    assert all(each.reason.startswith("Bluesky does not log us in: ") for each in outcomes)
    assert all(each.reason.endswith("; nothing was sent") for each in outcomes)
    for ask in (lambda: poster.look(NOW), lambda: poster.read(URI), poster.profile):
        with pytest.raises(CannotRead) as caught:
            ask()
        assert failure(caught.value) == AT_LOGIN[expected]
        assert bool(caught.value.fix) is caught.value.final
    assert {*asked(server)} == {CREATE}
    assert len(server.requests) == 6


def test_where_nobody_is_there_nothing_is_sent(opened: Callable[..., Poster]) -> None:
    outcome = opened("http://127.0.0.1:9").publish(ROOT)
    assert sort_and_refusal(outcome) == LATER
    assert "the connection is refused" in outcome.reason


def test_a_limit_of_logins_says_until_when(it: BlueskyClient, here: Poster) -> None:
    for _ in range(30):
        it.login()
    outcome = thread(it, here, 1)[0]
    assert outcome.sort is OutcomeKind.LATER
    assert outcome.until is not None
    left = outcome.until - it.clock.now
    assert timedelta(0) < left <= timedelta(seconds=301)
    it.clock.now = outcome.until
    assert thread(it, here, 1, 1)[0].sort is OutcomeKind.SENT


def test_a_token_that_is_refused_time_and_again_is_not_asked_for_for_ever(
    server: HttpServer, poster: Poster
) -> None:
    route(server, PUT, error(400, "ExpiredToken", "Token has expired"))
    route(server, REFRESH, json_reply(session()))
    assert sort_and_refusal(poster.publish(ROOT)) == CREDENTIALS
    assert asked(server) == [CREATE, PUT, REFRESH, PUT]
    route(server, REFRESH, error(400, "ExpiredToken", "Token has been revoked"))
    assert sort_and_refusal(poster.publish(ROOT)) == CREDENTIALS
    assert asked(server)[4:] == [PUT, REFRESH, CREATE, PUT]


@pytest.mark.parametrize(
    "claims",
    [
        "",
        "!!!",
        "A",
        "W10",  # []
        "e30",  # {}
        "eyJleHAiOiAiMSIsICJpYXQiOiAwfQ",  # its end is no number
        "eyJleHAiOiAxLCAiaWF0IjogMn0",  # it ends before it begins
        "eyJleHAiOiA5OTk5OTk5OTk5OTk5OTk5OTk5LCAiaWF0IjogMn0",  # ... or never
        "W1tbW1tb" * 400,
    ],
)
def test_a_token_that_says_nothing_is_used_until_it_is_refused(
    server: HttpServer, poster: Poster, claims: str
) -> None:
    route(server, CREATE, json_reply(session(accessJwt=JWT.format(claims))))
    route(server, PUT, PUT_WELL)
    for _ in range(2):
        assert poster.publish(ROOT).sort is OutcomeKind.SENT
    assert asked(server) == [CREATE, PUT, PUT]


def test_tokens_that_live_for_a_minute_are_not_renewed_all_the_time(
    it: BlueskyClient, here: Poster
) -> None:
    it.rules.behaviour = replace(it.rules.behaviour, access_lasts=timedelta(seconds=60))
    thread(it, here, 3)
    assert calls(it) == [CREATE, PUT, PUT, PUT]
    it.clock.advance(seconds=54)
    thread(it, here, 2, 3)
    assert calls(it)[4:] == [REFRESH, PUT, PUT]


@pytest.mark.parametrize("handle", ["../x", "handle.invalid", "", None, "a b.c", "x" * 5000])
def test_a_handle_that_is_none_is_not_shown(
    server: HttpServer, poster: Poster, handle: object
) -> None:
    route(server, CREATE, json_reply(session(handle=handle)))
    route(server, PUT, PUT_WELL)
    assert poster.publish(ROOT).url == f"https://bsky.app/profile/{DID}/post/{KEY}"


def test_a_session_is_kept_in_the_ledger(it: BlueskyClient, tmp_path: Path) -> None:
    from bot.ledger.store import Ledger

    with Ledger.open(tmp_path / "bot.db") as ledger:
        assert ledger.session("bluesky") == ""
        keeper = SessionStore(
            "us",
            lambda: ledger.session("bluesky"),
            lambda session: ledger.keep_session("bluesky", session),
        )
        for number in range(2):
            poster = at(it, keeper)
            assert thread(it, poster, 1, number)[0].sort is OutcomeKind.SENT
            poster.close()
            it.clock.advance(hours=3)
        assert json.loads(ledger.session("bluesky"))["did"] == it.rules.account
        assert ledger.session("another") == ""
    assert calls(it) == [CREATE, PUT, REFRESH, PUT]
    assert (tmp_path / "bot.db").stat().st_mode & 0o077 == 0


def test_without_a_word_of_why_there_is_no_session_it_is_said_so() -> None:
    caught = no_session(bluesky_client._NONE_YET, NOW)
    assert str(caught) == "Bluesky does not log us in: there is no session"


def test_the_login_of_a_netrc_stays_out_of_it(
    server: HttpServer, poster: Poster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client: object = vars(vars(vars(poster)["_client"])["_wire"])["_line"]
    client.session.trust_env = True  # type: ignore[attr-defined] # off on loopback only
    route(server, PUT, PUT_WELL)
    route(server, LIST, json_reply({"records": []}))
    poster.publish(ROOT)
    poster.look(NOW)
    bearers = [each.headers.get("authorization", "") for each in server.requests]
    assert bearers == ["", "Bearer aaa", "Bearer aaa"]


# -- who we are ------------------------------------------------------------------------------------

MINE = "https://bsky.app/profile/sandbox.example.org"
NOT_MARKED = "The account is not marked as a bot: give its profile the self-label `bot` ("
NAMELESS = "The bio does not name who runs the account"


@pytest.mark.parametrize("behaviour", SERVERS)
def test_the_profile_says_what_users_expect_of_a_bot(behaviour: BlueskyBehaviour) -> None:
    with standing_in(behaviour) as it:
        poster = at(it)
        profile = poster.profile()
        assert (profile.id, profile.handle) == (it.rules.account, "sandbox.example.org")
        assert (profile.url, profile.limit) == (MINE, 300)
        assert [sentence.startswith((NOT_MARKED, NAMELESS)) for sentence in profile.advice] == [
            True,
            True,
        ]
        kind = "app.bsky.actor.profile"
        label = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "bot"}]}
        about = {"$type": kind, "description": "Hot papers, by @jo.example", "labels": label}
        it.rules.place(kind, "self", about)  # type: ignore[arg-type] # JSON
        assert poster.profile().advice == ()
        assert poster.cost("x") == 0
        poster.close()


def test_the_account_s_own_password_is_warned_of(server: HttpServer, poster: Poster) -> None:
    # of the scope com.atproto.access
    token = JWT.format("eyJzY29wZSI6ICJjb20uYXRwcm90by5hY2Nlc3MifQ")
    route(server, CREATE, json_reply(session(accessJwt=token)))
    route(server, WHO, json_reply({"did": DID, "handle": HANDLE, "active": True}))
    route(server, GET, error(400, "RecordNotFound"))
    advice = poster.profile().advice
    assert advice[0].startswith("BLUESKY_APP_PASSWORD is the account's own password")


@pytest.mark.parametrize("standing", [Standing.DEACTIVATED, Standing.TAKENDOWN])
def test_an_account_that_is_not_active_is_said_to_be_so(
    it: BlueskyClient, standing: Standing
) -> None:
    kept = SessionInMemory()
    thread(it, at(it, kept.keeper), 1)
    it.rules.behaviour = replace(it.rules.behaviour, standing=standing)
    for keeper in (kept.keeper, None):
        here = at(it, keeper)
        for ask in (here.profile, lambda here=here: here.look(it.clock.now)):
            with pytest.raises(CannotRead) as caught:
                ask()
            assert (caught.value.final, caught.value.stops) == (True, True)
            assert caught.value.fix
        assert sort_and_refusal(thread(it, here, 1, 1)[0]) == CREDENTIALS
        here.close()


def test_only_a_session_that_was_kept_is_tried(it: BlueskyClient) -> None:
    kept = SessionInMemory()
    for _ in range(2):
        poster = at(it, kept.keeper)
        poster.profile()
        poster.profile()
        poster.close()
    assert calls(it) == [CREATE, GET, GET, WHO, GET, WHO, GET]


@pytest.mark.parametrize(
    ("active", "status", "said"),
    [
        (False, "deactivated", "the account is deactivated"),
        (False, None, "the account is not active"),
        (False, 7, "the account is not active"),
    ],
)
def test_an_account_at_rest_logs_in_and_is_told(
    server: HttpServer, poster: Poster, active: object, status: object, said: str
) -> None:
    route(server, CREATE, json_reply(session(active=active, status=status)))
    with pytest.raises(CannotRead, match=said) as caught:
        poster.profile()
    assert (caught.value.final, caught.value.stops) == (True, True)


def test_a_profile_that_cannot_be_read_is_an_error(
    server: HttpServer, opened: Callable[..., Poster]
) -> None:
    kept = SessionInMemory()
    kept.text = json.dumps(session(owner="us"))
    poster = opened(server.url, kept.keeper)
    route(server, WHO, error(502, "UpstreamFailure"))
    with pytest.raises(CannotRead, match="it answers 502"):
        poster.profile()
    route(server, WHO, json_reply({"did": DID, "active": True}))
    route(server, GET, error(503, "NotNow"))
    with pytest.raises(CannotRead, match="it answers 503"):
        poster.profile()
    assert CREATE not in asked(server)


# -- an account that is elsewhere ------------------------------------------------------------------

THERE = "https://morel.example"


def document(server: str, **more: object) -> dict[str, object]:
    """What an answer with tokens holds of the account's DID document."""
    service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": server}
    return {"didDoc": {"id": DID, "service": [{"id": "#other"}, service | more]}}


@pytest.mark.parametrize(
    ("base", "home", "moved"),
    [
        ("https://bsky.social", "https://morel.us-east.host.bsky.network", ""),
        ("https://bsky.social", "https://bsky.social", ""),
        ("https://bsky.social", "", ""),
        ("https://bsky.social", THERE, THERE),
        (
            "https://bsky.social",
            "https://bsky.network.evil.example",
            "https://bsky.network.evil.example",
        ),
        (THERE, THERE, ""),
        (THERE, "https://bsky.social", "https://bsky.social"),
        (
            THERE,
            "https://morel.us-east.host.bsky.network",
            "https://morel.us-east.host.bsky.network",
        ),
    ],
)
def test_a_move_is_from_one_server_to_another(base: str, home: str, moved: str) -> None:
    """Whoever logs in at bsky.social is told one of the servers behind it."""
    assert moved_to(base, home) == moved


@pytest.mark.parametrize(
    ("value", "home"),
    [
        (document(THERE), THERE),
        (document(f"{THERE}/"), THERE),
        (document("https://me:secret@morel.example/path?x=1"), THERE),
        (document("https://morel.example:8443"), f"{THERE}:8443"),
        (document(THERE, id=f"{DID}#atproto_pds"), THERE),
        (document(THERE, id="#labeler"), ""),
        (document("no address"), ""),
        (document("http://[broken"), ""),
        (document(THERE, serviceEndpoint=7), ""),
        ({"didDoc": {"service": {}}}, ""),
        ({"didDoc": []}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_home_of_an_account_is_read_from_its_document(value: object, home: str) -> None:
    assert home_in(value) == home


def moves(it: BlueskyClient) -> None:
    """Let the account be put to rest here, its document naming another server."""

    def elsewhere(own: Response) -> Response:
        value = json.loads(own.body)
        return replace(own, body=json.dumps(value | document(THERE)).encode())

    it.rules.behaviour = replace(it.rules.behaviour, standing=Standing.DEACTIVATED)
    it.sandbox.script(
        changed("moved", elsewhere),
        when=lambda request: request.path.endswith((CREATE, WHO, REFRESH)),
        times=None,
    )


@pytest.mark.parametrize("kept", [True, False], ids=["session kept", "new session"])
def test_an_account_that_has_moved_is_told_with_its_new_server(
    it: BlueskyClient, *, kept: bool
) -> None:
    session_kept = SessionInMemory()
    assert thread(it, at(it, session_kept.keeper), 1)[0].sort is OutcomeKind.SENT
    moves(it)
    asks: tuple[Callable[[Poster], object], ...] = (
        lambda poster: poster.profile(),
        lambda poster: poster.look(it.clock.now),
    )
    for ask in asks:
        here = at(it, session_kept.keeper if kept else None)
        with pytest.raises(CannotRead) as caught:
            ask(here)
        assert (caught.value.final, caught.value.stops) == (True, True)
        assert f"set BLUESKY_SERVICE_URL={THERE}" in caught.value.fix
        here.close()


def test_an_account_at_rest_that_has_not_moved_is_told_of_no_server(it: BlueskyClient) -> None:
    it.rules.behaviour = replace(it.rules.behaviour, standing=Standing.DEACTIVATED)
    with pytest.raises(CannotRead) as caught:
        at(it).profile()
    assert "BLUESKY_SERVICE_URL" not in caught.value.fix


# -- whatever it says ------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=SHARED_FIXTURE)
@given(value=any_json, raw=any_body, status=...)
def test_no_answer_of_any_shape_raises_what_nobody_expects(
    server: HttpServer, opened: Callable[..., Poster], value: object, raw: bytes, *, status: bool
) -> None:
    shapes = [value, {"records": [value]}, {"records": [found(), {"uri": URI, "value": value}]}]
    shapes += [session() | {"accessJwt": value}, {"uri": URI, "cid": value}]
    for reply in (
        *(json_reply(each, 200 if status else 400) for each in shapes),
        raw_reply(200, raw),
    ):
        for method in (PUT, LIST, GET, WHO, DELETE, REFRESH):
            route(server, method, reply)
        for login in (json_reply(session()), reply):
            route(server, CREATE, login)
            poster = opened(server.url)
            for outcome in (poster.publish(ROOT), poster.publish(REPLY), poster.delete(URI)):
                assert outcome.reason.isprintable()
                assert (outcome.sort is OutcomeKind.SENT) is bool(outcome.id)
            for ask in (lambda: poster.look(EPOCH), lambda: poster.read(URI), poster.profile):  # noqa: B023 - called at once
                try:
                    ask()
                except CannotRead as error:
                    assert error.message.isprintable()
            poster.close()
        server.requests.clear()


def test_the_cids_of_the_stand_in_are_those_that_replies_refer_to(
    it: BlueskyClient, here: Poster
) -> None:
    made = thread(it, here, 3)
    records = [it.rules.record(outcome.id) for outcome in made]
    assert all(record and record.cid == cid_of(record.value) for record in records)
    last = records[-1]
    assert last is not None
    assert last.value["reply"] == {
        "root": {"uri": made[0].id, "cid": str(records[0] and records[0].cid)},
        "parent": {"uri": made[1].id, "cid": str(records[1] and records[1].cid)},
    }
