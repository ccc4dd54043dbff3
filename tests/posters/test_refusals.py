"""Refusals that are not in a network's own words: a gateway's page, or nothing at all.

What every poster makes of them; what each network says in its own words is in the tests of its
poster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product

import pytest

from bot.model import Account, Network
from bot.posters import media_answers
from bot.posters.answers import Exchange, RefusalRules, TransportResult, cannot_read, refused
from bot.posters.answers import Reply as Answer
from bot.posters.bluesky import answers as bluesky_answers
from bot.posters.bluesky import poster as bluesky
from bot.posters.mastodon import answers as mastodon_answers
from bot.posters.poster import CannotRead, Outcome, Poster, Refusal, Upload
from bot.posters.session_store import SessionStore
from bot.posters.twitter import answers as twitter_answers
from tests.helpers.bluesky_poster import DELETE, DID, HANDLE, PUT, ROOT, URI, session
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.open_posters import open_mastodon, open_x
from tests.helpers.poster_replies import (
    ADDRESS,
    CONTENT,
    CREDENTIALS,
    FINAL,
    LATER,
    NOT_NOW,
    NOW,
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
from tests.helpers.sample_png import ALT, PNG

pytestmark = pytest.mark.slow  # a sweep: CI runs it

PICTURE = Upload(PNG, "image/png", ALT)


@dataclass(frozen=True)
class Net:
    """A network: its poster, the addresses it asks for each kind of request, and who we are.

    `post` is the id of a post, `me` the answer to who we are. `words` begin what is said of it.
    """

    words: str
    open: Callable[[str], Poster]
    post: str
    who: str
    me: Reply
    paths: Mapping[str, str]


def open_bluesky(url: str) -> Poster:
    """A poster that is logged in already, by a session that was kept."""
    kept = json.dumps(session(owner="us"))
    return bluesky.open_poster(
        Account("papers", Network.BLUESKY),
        handle=HANDLE,
        app_password="app-pass-word-1234",
        base_url=url,
        timeout=10.0,
        clock=lambda: NOW,
        keeper=SessionStore("us", lambda: kept),
    )


NETS: Mapping[str, Net] = {
    "x": Net(
        "X",
        open_x,
        "5",
        "/2/users/me",
        json_reply({"data": {"id": "1000000000000000001", "username": "hot"}}),
        {
            "publish": "/2/tweets",
            "delete": "/2/tweets/5",
            "upload": "/2/media/upload",
            "look": "/2/users/1000000000000000001/tweets",
            "read": "/2/tweets/5",
        },
    ),
    "mastodon": Net(
        "Mastodon",
        open_mastodon,
        "5",
        "/api/v1/accounts/verify_credentials",
        json_reply({"id": "42"}),
        {
            "publish": "/api/v1/statuses",
            "delete": "/api/v1/statuses/5",
            "upload": "/api/v2/media",
            "look": "/api/v1/accounts/42/statuses",
            "read": "/api/v1/statuses/5",
        },
    ),
    "bluesky": Net(
        "Bluesky",
        open_bluesky,
        URI,
        "/xrpc/com.atproto.server.getSession",
        json_reply({"did": DID, "handle": HANDLE, "active": True}),
        {
            "publish": f"/xrpc/{PUT}",
            "delete": f"/xrpc/{DELETE}",
            "upload": "/xrpc/com.atproto.repo.uploadBlob",
            "look": "/xrpc/com.atproto.repo.listRecords",
            "read": "/xrpc/com.atproto.repo.getRecord",
        },
    ),
}

WRITES: Mapping[str, Callable[[Poster, Net], Outcome]] = {
    "publish": lambda poster, _: poster.publish(ROOT),
    "delete": lambda poster, net: poster.delete(net.post),
    "upload": lambda poster, _: poster.upload(PICTURE),
}
READS: Mapping[str, Callable[[Poster, Net], object]] = {
    "look": lambda poster, _: poster.look(NOW),
    "read": lambda poster, net: poster.read(net.post),
}

PAGE = b"<!DOCTYPE html><html><h1>Something in between</h1></html>"
AWAY = raw_reply(503, PAGE)


@dataclass(frozen=True)
class Case:
    """A refusal, and what it means: of a write, and of a read.

    By what the network says when it is then asked who we are: it is `known`, it refuses that
    `alike`, or it cannot say so now, which leaves everything open. None where it is not asked.
    """

    reply: Reply
    known: tuple[Expected, Failure] | None = None
    alike: tuple[Expected, Failure] | None = None


OPEN = (UNKNOWN, NOT_NOW)
CASES: Mapping[str, Case] = {
    "401 and a page": Case(raw_reply(401, PAGE)),
    "403 and a page": Case(raw_reply(403, PAGE)),
    "403 and a page after a mark of its encoding": Case(raw_reply(403, b"\xef\xbb\xbf\n" + PAGE)),
    "403 and Cloudflare's line": Case(raw_reply(403, b"error code: 1020\n")),
    "405 and a page": Case(raw_reply(405, PAGE)),
    "410 and a page": Case(raw_reply(410, PAGE)),
    "503 and a page": Case(AWAY),
    "404 and a page": Case(raw_reply(404, PAGE), OPEN, (ADDRESS, WRONG)),
    "401 and nothing": Case(raw_reply(401, b""), OPEN, (CREDENTIALS, STOPS)),
    "403 and nothing": Case(raw_reply(403, b""), OPEN, (CREDENTIALS, STOPS)),
    "403 in another's words": Case(
        json_reply({"message": "Forbidden"}, 403), OPEN, (CREDENTIALS, STOPS)
    ),
    "403 in a list": Case(json_reply([{"error": "?"}], 403), OPEN, (CREDENTIALS, STOPS)),
    "401 and no word": Case(
        json_reply({"error": "", "title": None, "errors": []}, 401), OPEN, (CREDENTIALS, STOPS)
    ),
    "400 and nothing": Case(raw_reply(400, b""), (CONTENT, NOT_NOW), (CREDENTIALS, STOPS)),
    "422 in plain text": Case(raw_reply(422, b"No."), (CONTENT, NOT_NOW), (CREDENTIALS, STOPS)),
}


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def opened(server: HttpServer) -> Iterator[Callable[[Net], Poster]]:
    with ExitStack() as stack:

        def make(net: Net) -> Poster:
            poster = net.open(server.url)
            stack.callback(poster.close)
            return poster

        yield make


def asked(server: HttpServer) -> list[str]:
    """The addresses asked for since this was last called."""
    paths = [request.path.partition("?")[0] for request in server.requests]
    server.requests.clear()
    return paths


def check_mend(expected: Expected, fix: str) -> None:
    said = {CREDENTIALS: "bot login", ADDRESS: "URL"}.get(expected)
    assert (said in fix) if said else not fix


@pytest.mark.parametrize("who", ["known", "alike", "away"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_what_a_network_does_not_say_itself_is_settled_by_asking_who_we_are(
    server: HttpServer, opened: Callable[[Net], Poster], net: Net, name: str, who: str
) -> None:
    """A page says nothing; of a refusal without a word it shows whether the token is refused."""
    case = CASES[name]
    meant = {"known": case.known, "alike": case.alike}.get(who) or OPEN
    poster = opened(net)
    server.route(net.who, {"known": net.me, "alike": case.reply, "away": AWAY}[who])
    then = [net.who] if case.known else []
    for kind, write in WRITES.items():
        server.route(net.paths[kind], case.reply)
        outcome = write(poster, net)
        assert sort_and_refusal(outcome) == meant[0], f"{kind}: {outcome}"
        assert outcome.reason.startswith(net.words)
        assert outcome.until is None
        check_mend(meant[0], outcome.fix)
        assert asked(server) == [net.paths[kind], *then], kind
    for kind, read in READS.items():
        server.route(net.paths[kind], case.reply)
        with pytest.raises(CannotRead, match=f"^{net.words} cannot be read: ") as caught:
            read(poster, net)
        assert failure(caught.value) == meant[1], f"{kind}: {caught.value}"
        check_mend(meant[0] if meant[1] in (STOPS, WRONG) else UNKNOWN, caught.value.fix)
        assert asked(server) == [net.paths[kind], *then], kind


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_who_we_are_is_refused_for_good_by_the_network_alone(
    server: HttpServer, opened: Callable[[Net], Poster], net: Net, name: str
) -> None:
    """A gateway's page is for now; no word is as good as a refused token."""
    case = CASES[name]
    expected, meant = case.alike or OPEN
    server.route(net.who, case.reply)
    with pytest.raises(CannotRead) as caught:
        opened(net).profile()
    assert failure(caught.value) == meant
    check_mend(expected, caught.value.fix)
    assert asked(server) == [net.who]


@pytest.mark.parametrize("status", [402, 413, 429])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_some_statuses_mean_the_same_whoever_says_them(
    server: HttpServer, opened: Callable[[Net], Poster], net: Net, status: int
) -> None:
    poster = opened(net)
    for (kind, write), body in product(WRITES.items(), (PAGE, b"", b"No.")):
        server.route(net.paths[kind], raw_reply(status, body))
        outcome = write(poster, net)
        assert sort_and_refusal(outcome) == (CONTENT if status == 413 else LATER), outcome
        assert asked(server) == [net.paths[kind]]


# -- what a person can do about it -----------------------------------------------------------------

RULES: Mapping[str, RefusalRules] = {
    "x": twitter_answers.RULES,
    "x, uploads": media_answers._X,
    "mastodon": mastodon_answers.RULES,
    "mastodon, uploads": media_answers._MASTODON,
    "bluesky": bluesky_answers.RULES,
    "bluesky, uploads": bluesky_answers._UPLOADS,
}
SAID = (
    "Forbidden",
    "This action is outside the authorized scopes",
    "client-not-enrolled",
    "Your client app is not configured with the appropriate oauth1 app permissions",
    "AccountTakedown",
    "AuthMissing",
)


@pytest.mark.parametrize("name", RULES)
def test_reading_back_is_spoken_of_by_x_alone(name: str) -> None:
    """And there where the app, or its plan, may not read."""
    found = set[Refusal | Failure | None]()
    bodies = [*({"error": text} for text in SAID), {"errors": [{"code": 453, "message": "?"}]}]
    for status, body, login in product(range(300, 600), bodies, (True, False)):
        reply = Answer(status, {"location": "/x"}, json.dumps(body).encode())
        outcome = refused(reply, RULES[name], NOW, is_reply=login)
        error = cannot_read(
            Exchange(TransportResult.ANSWERED, reply), RULES[name], NOW, login=login
        )
        assert "TWITTER" not in outcome.reason + outcome.fix + error.message
        if "TWITTER" in error.fix:
            assert "set TWITTER_READ_BACK=off" in error.fix
            found.add(failure(error))
    assert found == ({FINAL} if RULES[name].network == "X" else set())
