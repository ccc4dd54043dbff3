"""Tokens are nowhere but in the request: not in logs, messages, errors, or what is printed."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from answering import NOW
from loopback import Reply, Request, Server
from requests_oauthlib import OAuth1  # type: ignore[import-untyped]

from bot.model import Account, Network
from bot.posters import mastodon, twitter
from bot.posters.poster import CannotRead, Outgoing, Poster

# Planted: each is looked for in everything. What makes a request is built of them, so a signature
# or a header that is shown shows one of them, or a word of theirs.
PLANTED = {
    "consumer key": "Planted-Consumer-Key-1111",
    "consumer secret": "Planted-Consumer-Secret-2222",
    "access token": "42-Planted-Access-Token-3333",
    "access token secret": "Planted-Access-Token-Secret-4444",
    "mastodon token": "Planted-Mastodon-Token-5555",
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
    said = said.replace('"', "'")
    return Reply(f'{{"detail": "{said}", "error": "{said}"}}'.encode(), 400)


ANSWERS = {
    "echoed": echo,
    "echoed, as sent": lambda request: Reply(echo(request).body, 200),
    "lost": Reply(b"", raw=True),
    "cut": Reply(b"{", headers={"Content-Length": "9"}),
    "not HTTP": Reply(b"hello\r\n", raw=True),
    "redirect": Reply(b"", 301, {"Location": f"https://e.example/?t={PLANTED['access token']}"}),
    "sent": Reply(b'{"data": {"id": "1"}, "id": "1"}', 201),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(params=["x", "mastodon"])
def poster(request: pytest.FixtureRequest, server: Server) -> Iterator[Poster]:
    if request.param == "x":
        key, secret, token, token_secret, _ = PLANTED.values()
        account = Account("papers", Network.TWITTER)
        made = twitter.open_poster(
            account, key, secret, token, token_secret, server.url, 5.0, lambda: NOW
        )
    else:
        account = Account("papers", Network.MASTODON)
        token = PLANTED["mastodon token"]
        made = mastodon.open_poster(account, server.url, token, 5.0, lambda: NOW)
    yield made
    made.close()


def everything(poster: Poster) -> list[str]:
    """Ask for everything, and return all that it says, in every way that it may be shown."""
    said = [repr(poster), str(poster), str(vars(poster))]
    outcomes = [poster.publish(Outgoing("Hot papers", "key")), poster.delete("1")]
    said += map(repr, outcomes)
    for ask in (lambda: poster.look(NOW - timedelta(days=1)), lambda: poster.read("1")):
        try:
            said.append(repr(ask()))
        except CannotRead as error:
            said += [repr(error), str(error), "".join(traceback.format_exception(error))]
    try:
        said.append(repr(poster.profile()))
    except CannotRead as error:
        said += [repr(error), "".join(traceback.format_exception(error))]
    return said


@pytest.mark.parametrize("answer", ANSWERS)
def test_no_secret_is_shown(
    server: Server,
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
    ):
        server.route(path, reply)  # type: ignore[arg-type]
    said = everything(poster)
    shown = capfd.readouterr()
    all_of_it = "\n".join([*said, caplog.text, shown.out, shown.err])
    assert MARK not in all_of_it
    assert not [word for word in SIGNED if word in caplog.text]
    sent = "\n".join(str(request.headers) for request in server.requests)
    assert MARK in sent  # they were planted indeed


def test_where_nobody_keeps_them_back_they_are_logged(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, the test above might look in the wrong place."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, name)
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    server.route("/", Reply(b"{}"))
    requests.post(server.url, auth=OAuth1(*[*PLANTED.values()][:4]), timeout=5)
    assert MARK in caplog.text
    assert "oauth_signature" in caplog.text
