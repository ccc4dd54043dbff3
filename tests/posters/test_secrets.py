"""Tokens are nowhere but in the request: not in logs, messages, errors, or what is printed."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import cycle

import pytest
import requests
from requests_oauthlib import OAuth1  # type: ignore[import-untyped]

from bot.model import Account, Network
from bot.posters.bluesky import poster as bluesky
from bot.posters.bluesky.records import POST
from bot.posters.bluesky.session import session_in
from bot.posters.mastodon import poster as mastodon
from bot.posters.poster import CannotRead, Poster, PostRequest
from bot.posters.session_store import SessionStore
from bot.posters.twitter import poster as twitter
from bot.redact import Redact
from tests.helpers.http_server import HttpServer, Reply, Request
from tests.helpers.poster_replies import NOW, json_reply
from tests.helpers.secret_forms import FORMS, shows

# Planted: each is looked for in everything. What makes a request is built of them, so a signature
# or a header that is shown shows one of them, or a word of theirs.
PLANTED = {
    "consumer key": "Planted-Consumer-Key-1111",
    "consumer secret": "Planted-Consumer-Secret-2222",
    "access token": "42-Planted-Access-Token-3333",
    "access token secret": "Planted-Access-Token-Secret-4444",
    "mastodon token": "Planted-Mastodon-Token-5555",
    "app password": "Planted-App-Password-6666",
    "access": "Planted-Access-Jwt-7777",
    "refresh": "Planted-Refresh-Jwt-8888",
    "new access": "Planted-New-Access-Jwt-9999",
    "new refresh": "Planted-New-Refresh-Jwt-0000",
}
MARK = "Planted"
SIGNED = ("oauth_signature", "Authorization", "Bearer ")
LOGGERS = (
    "",
    "tweepy",
    "tweepy.client",
    "requests_oauthlib",
    "requests_oauthlib.oauth1_auth",
    "oauthlib",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "urllib3",
    "urllib3.connectionpool",
    "mastodon",
    "requests",
)


def echo(request: Request) -> Reply:
    """What a careless gateway says: all that it was sent."""
    said = "\\n".join(f"{name}: {value}" for name, value in request.headers.items())
    said += f"\\nbody: {request.body.decode()}"
    said = said.replace('"', "'")
    return Reply(f'{{"detail": "{said}", "error": "{said}"}}'.encode(), 400)


def in_form(form: str, status: int) -> Callable[[Request], Reply]:
    """A server that knows them all, and says them in this form, in a body and in headers."""

    def say(_: Request) -> Reply:
        said = [FORMS[form](each[each.index(MARK) :]) for each in PLANTED.values()]
        value = json.dumps({"error": said[-1], "message": said[-2], "detail": " ".join(said)})
        one_line = " ".join(" ".join(said).split())
        return Reply(value.encode(), status, {"X-Said": one_line, "Location": f"/{one_line}"})

    return say


ANSWERS = {
    "echoed": echo,
    **{
        f"{form}, {status}": in_form(form, status)
        for form, status in zip(FORMS, cycle([401, 307, 422]), strict=False)
    },
    "echoed, as sent": lambda request: Reply(echo(request).body, 200),
    "lost": Reply(b"", raw=True),
    "cut": Reply(b"{", headers={"Content-Length": "9"}),
    "not HTTP": Reply(b"hello\r\n", raw=True),
    "redirect": Reply(b"", 301, {"Location": f"https://e.example/?t={PLANTED['access token']}"}),
    "sent": Reply(b'{"data": {"id": "1"}, "id": "1"}', 201),
}


METHODS = (
    "com.atproto.server.createSession",
    "com.atproto.server.refreshSession",
    "com.atproto.server.getSession",
    "com.atproto.repo.putRecord",
    "com.atproto.repo.deleteRecord",
    "com.atproto.repo.getRecord",
    "com.atproto.repo.listRecords",
)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


DID = "did:plc:4ylmn73gfraurawqf4wbmsh2"
SESSION = {"owner": "", "did": DID, "handle": "a.b"}
OLD = {"accessJwt": PLANTED["access"], "refreshJwt": PLANTED["refresh"]}
NEW = {"accessJwt": PLANTED["new access"], "refreshJwt": PLANTED["new refresh"]}


@pytest.fixture(params=["x", "mastodon", "bluesky", "bluesky, logged in"])
def poster(request: pytest.FixtureRequest, server: HttpServer) -> Iterator[Poster]:
    redact = Redact(*PLANTED.values())  # as settings of all of them make it
    if request.param == "x":
        key, secret, token, token_secret, *_ = PLANTED.values()
        account = Account("papers", Network.TWITTER)
        made = twitter.open_poster(
            account, key, secret, token, token_secret, server.url, 5.0, lambda: NOW, redact
        )
    elif str(request.param).startswith("bluesky"):
        kept = json.dumps(SESSION | OLD) if "logged in" in request.param else ""
        made = bluesky.open_poster(
            Account("papers", Network.BLUESKY),
            handle="a.b",
            app_password=PLANTED["app password"],
            base_url=server.url,
            timeout=30.0,
            clock=lambda: NOW,
            keeper=SessionStore("", lambda: kept),
            redact=redact,
        )
    else:
        account = Account("papers", Network.MASTODON)
        token = PLANTED["mastodon token"]
        made = mastodon.open_poster(account, server.url, token, 5.0, lambda: NOW, redact=redact)
    yield made
    made.close()


def everything(poster: Poster) -> list[str]:
    """Ask for everything, and return all that it says, in every way that it may be shown."""
    said = [repr(poster), str(poster), str(vars(poster))]
    uri = f"at://{DID}/{POST}/3mfyouuy62222"
    outcomes = [poster.publish(PostRequest("Hot papers", "key", parent)) for parent in ("", uri)]
    outcomes += [poster.delete("1"), poster.delete(uri)]
    said += map(repr, outcomes)
    for ask in (
        lambda: poster.look(NOW - timedelta(days=1)),
        lambda: poster.read("1"),
        lambda: poster.read(uri),
    ):
        try:
            said.append(repr(ask()))
        except CannotRead as error:
            said += [repr(error), str(error), "".join(traceback.format_exception(error))]
    try:
        said.append(repr(poster.profile()))
    except CannotRead as error:
        said += [repr(error), "".join(traceback.format_exception(error))]
    return said


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_secret_is_shown(
    server: HttpServer,
    poster: Poster,
    answer: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
    reply = ANSWERS[answer]
    for path in (
        "/2/tweets",
        "/2/tweets/1",
        "/2/users/42/tweets",
        "/2/users/me",
        "/api/v1/statuses",
        "/api/v1/statuses/1",
        "/api/v1/accounts/verify_credentials",
        *(f"/xrpc/{method}" for method in METHODS),
    ):
        server.route(path, reply)  # type: ignore[arg-type]
    said = everything(poster)
    shown = capfd.readouterr()
    all_of_it = "\n".join([*said, caplog.text, shown.out, shown.err])
    assert not shows(all_of_it, MARK)
    assert not [word for word in SIGNED if word in caplog.text]
    sent = "\n".join(f"{request.headers}{request.body!r}" for request in server.requests)
    assert MARK in sent  # they were planted indeed


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step", [1, -1])  # of a long message the beginning is quoted
def test_no_token_is_shown_that_a_server_of_bluesky_says_again(
    server: HttpServer, method: str, status: int, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for each in METHODS:
        server.route(f"/xrpc/{each}", json_reply({"error": "ExpiredToken"}, 400))
    for each in METHODS[:2]:
        server.route(f"/xrpc/{each}", json_reply(SESSION | NEW))

    def again(_: Request) -> Reply:
        issued = [*PLANTED.values()][5 : 10 if len(kept) > 1 else 8]
        held = json.dumps(issued[::step])
        return json_reply({"error": "Sorry", "message": held, "cid": held, "uri": held}, status)

    server.route(f"/xrpc/{method}", again)
    kept: list[str] = [json.dumps(SESSION | OLD)]
    poster = bluesky.open_poster(
        Account("papers", Network.BLUESKY),
        handle="a.b",
        app_password=PLANTED["app password"],
        base_url=server.url,
        timeout=30.0,
        clock=lambda: NOW,
        keeper=SessionStore("", lambda: kept[-1], kept.append),
    )
    said = "\n".join([*everything(poster), caplog.text, deep(poster)])
    poster.close()
    assert not [name for name in [*PLANTED][5:] if PLANTED[name] in said]


def deep(thing: object, most: int = 6) -> str:
    """All that a debugger would print of an object, but what it holds for the network itself."""
    shown = repr(thing)
    inner = getattr(thing, "__dict__", {}) if most else {}
    bare = ("_secrets", "_adapter", "adapters", "_line", "_cids")
    return shown + "".join(deep(each, most - 1) for name, each in inner.items() if name not in bare)


def test_where_nobody_keeps_them_back_they_are_logged(
    server: HttpServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, the test above might look in the wrong place."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    server.route("/", Reply(b"{}"))
    requests.post(server.url, auth=OAuth1(*[*PLANTED.values()][:4]), timeout=5)
    assert MARK in caplog.text
    assert "oauth_signature" in caplog.text


@pytest.mark.parametrize("form", ["as it is", "in lower case"])
def test_a_session_that_names_its_tokens_as_the_account_is_shown_without_them(form: str) -> None:
    tokens = {"accessJwt": f"{MARK}.access.token-1111", "refreshJwt": f"{MARK}.refresh.token-2222"}
    said = FORMS[form](tokens["refreshJwt"])
    value = {"did": DID, "handle": said, "active": False, "status": said, **tokens}
    session = session_in(value, None)
    assert session is not None
    assert session.handle == DID
    assert not shows(f"{session!r} {session.handle} {session.rest}", MARK)
