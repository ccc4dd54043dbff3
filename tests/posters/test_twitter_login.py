"""Logging in to X with a PIN: the dance over real HTTP, every refusal sorted, no secret shown."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from bot.errors import BotError, SettingsError, Unreachable
from bot.model import Account, Network
from bot.posters.login import GrantedTokens, PendingLogin, WrongCode
from bot.posters.poster import OutcomeKind, PostRequest
from bot.posters.twitter import poster as posters
from bot.posters.twitter.login import BASE_URL, CONSOLE, begin
from bot.sandbox import faults, wire
from bot.sandbox.script import RequestRecord
from bot.sandbox.wire import Response
from bot.sandbox.x.answers import problem
from bot.sandbox.x.oauth1 import OAuthKeys
from tests.helpers.http_server import HttpServer, Reply, Request, dripping
from tests.helpers.poster_replies import NOW
from tests.helpers.sandbox_clients import XClient, x_client
from tests.helpers.x_logins import ACCESS_TOKEN, AUTHORIZE, REQUEST_TOKEN, XLogins

HTML = b"<!DOCTYPE html><title>X</title>"
KEY, SECRET = "a-consumer-key-of-some-length", "a-consumer-secret-of-some-length"


@pytest.fixture
def it() -> Iterator[XClient]:
    with x_client() as made:
        yield made


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def opened(it: XClient) -> PendingLogin:
    keys = it.rules.keys
    url = it.sandbox.url("twitter")
    return begin(keys.consumer_key, keys.consumer_secret, url, 10.0, it.clock)


def at(server: HttpServer, timeout: float = 10.0) -> PendingLogin:
    return begin(KEY, SECRET, server.url, timeout, lambda: NOW)


def dance(it: XClient) -> GrantedTokens:
    waiting = opened(it)
    return waiting.redeem(it.rules.authorize(waiting.page))


def fail(it: XClient, path: str, response: Response) -> None:
    fault = faults.refusal("refused", response)
    it.sandbox.script(fault, when=lambda request: request.path == path, times=None)


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


# -- the way it goes -------------------------------------------------------------------------------


def test_the_tokens_do_all_that_a_thread_needs(it: XClient) -> None:
    granted = dance(it)
    assert (granted.who, granted.remarks) == ("@sandbox on X", ())
    keys, tokens = it.rules.keys, granted.settings
    assert set(tokens) == {"access_token", "access_token_secret"}
    assert tokens["access_token"] != keys.access_token
    poster = posters.open_poster(
        Account("papers", Network.TWITTER),
        keys.consumer_key,
        keys.consumer_secret,
        tokens["access_token"],
        tokens["access_token_secret"],
        it.sandbox.url("twitter"),
        10.0,
        it.clock,
    )
    sent = poster.publish(PostRequest("Hot papers", "key"))
    assert sent.sort is OutcomeKind.SENT
    assert poster.read(sent.id) is not None
    assert [post.id for post in poster.look(NOW).posts] == [sent.id]
    poster.close()


def test_a_login_takes_two_requests_and_costs_nothing(it: XClient) -> None:
    dance(it)
    sent = [(record.method, record.path) for record in it.sandbox.requests]
    assert sent == [("POST", REQUEST_TOKEN), ("POST", ACCESS_TOKEN)]
    assert it.rules.spent == 0


def test_the_page_is_x_s_own_and_bears_no_secret(it: XClient) -> None:
    page = opened(it).page
    base, _, token = page.partition("?oauth_token=")
    assert base == it.sandbox.url("twitter") + AUTHORIZE
    assert token.startswith("sandbox-x-request-")
    assert it.rules.keys.consumer_secret not in page


def test_a_gateway_gets_what_is_signed_for_x(server: HttpServer) -> None:
    """Whoever stands in between passes the request on to X, which checks the signature."""
    logins = XLogins(OAuthKeys(KEY, SECRET), "somebody")

    def pass_on(request: Request) -> Reply:
        came = wire.Request(request.method, request.path, "", request.headers)
        answer = logins.answer(came, (BASE_URL,))
        assert answer is not None
        return Reply(answer.body, answer.status)

    server.route(REQUEST_TOKEN, pass_on)
    assert at(server).page.startswith(server.url + AUTHORIZE)


@pytest.mark.parametrize(
    "write",
    [
        lambda pin: f"  {pin} \n",
        lambda pin: f"{pin[:3]} {pin[3:]}",
        lambda pin: f"https://a.example/?oauth_token=a&oauth_verifier={pin}",
    ],
)
def test_a_pin_is_understood_however_it_was_typed(it: XClient, write: Callable[[str], str]) -> None:
    waiting = opened(it)
    assert waiting.redeem(write(it.rules.authorize(waiting.page))).who == "@sandbox on X"


def test_a_wrong_pin_is_told_from_a_right_one(it: XClient) -> None:
    waiting = opened(it)
    pin = it.rules.authorize(waiting.page)
    for wrong in ("0000000", "seven", pin[::-1]):
        with pytest.raises(WrongCode, match="X does not take this PIN: it answers 401") as caught:
            waiting.redeem(wrong)
        assert "run bot login again" in caught.value.fix
    with pytest.raises(WrongCode, match="nothing was pasted"):
        waiting.redeem(" ")
    assert waiting.redeem(pin).who


# -- what X refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys", [("another-consumer-key", ""), ("", "another-consumer-secret")], ids=["key", "secret"]
)
def test_an_application_that_x_does_not_know_is_a_wrong_setting(
    it: XClient, keys: tuple[str, str]
) -> None:
    key = keys[0] or it.rules.keys.consumer_key
    secret = keys[1] or it.rules.keys.consumer_secret
    with pytest.raises(SettingsError) as caught:
        begin(key, secret, it.sandbox.url("twitter"), 10.0, it.clock)
    assert "TWITTER_CONSUMER_KEY and TWITTER_CONSUMER_SECRET" in caught.value.message
    assert "(Could not authenticate you)" in caught.value.message
    assert CONSOLE in caught.value.fix


def test_an_application_that_may_log_nobody_in_is_a_wrong_setting(it: XClient) -> None:
    it.rules.logins.callbacks = frozenset()
    with pytest.raises(SettingsError, match=r"403 \(Callback URL not approved") as caught:
        opened(it)
    assert "User authentication settings" in caught.value.fix
    assert "Read and write" in caught.value.fix


@pytest.mark.parametrize(
    "answer", [Reply(HTML), Reply(b""), Reply(form(oauth_token="a")), Reply(b'{"oauth_token": 1}')]
)
def test_what_does_not_answer_as_x_does_is_a_wrong_setting(
    server: HttpServer, answer: Reply
) -> None:
    server.route(REQUEST_TOKEN, answer)
    with pytest.raises(SettingsError, match="not as X does") as caught:
        at(server)
    assert "TWITTER_API_URL" in caught.value.fix


@pytest.mark.parametrize("status", [402, 403, 404, 410])
def test_other_refusals_say_what_to_look_at(server: HttpServer, status: int) -> None:
    server.route(REQUEST_TOKEN, Reply(b"<?xml version='1.0'?><errors></errors>", status))
    with pytest.raises(SettingsError, match=f"it answers {status}"):
        at(server)


def test_tokens_that_may_only_read_are_no_use(it: XClient) -> None:
    only = faults.changed("only read", lambda own: own.having(("x-access-level", "read")))
    it.sandbox.script(only, when=lambda request: request.path == ACCESS_TOKEN)
    with pytest.raises(BotError, match="may only read") as caught:
        dance(it)
    assert not isinstance(caught.value, WrongCode)
    assert "Read and write" in caught.value.fix
    assert "again" in caught.value.fix


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        form(oauth_token="1-a"),
        form(oauth_token_secret="a"),
        form(oauth_token="1-a", oauth_token_secret="two words"),
        form(oauth_token="1-ключ", oauth_token_secret="a"),
        b"\xff\xfe&oauth_token=%ff",
    ],
)
def test_an_answer_without_tokens_that_can_be_used_is_said_to_be_that(
    it: XClient, body: bytes
) -> None:
    fail(it, ACCESS_TOKEN, Response(200, body))
    with pytest.raises(BotError, match="gave no tokens that can be used") as caught:
        dance(it)
    assert not isinstance(caught.value, WrongCode)


def test_an_answer_without_a_name_is_enough(it: XClient) -> None:
    fail(it, ACCESS_TOKEN, Response(200, form(oauth_token="1-a", oauth_token_secret="b")))
    granted = dance(it)
    assert granted.who == ""
    assert granted.settings == {"access_token": "1-a", "access_token_secret": "b"}


def test_names_are_made_fit_to_print(it: XClient) -> None:
    given = form(oauth_token="1-a", oauth_token_secret="b", screen_name="a\x1b[31m\nb")
    fail(it, ACCESS_TOKEN, Response(200, given))
    assert dance(it).who == "@a[31m b on X"


# -- not now ---------------------------------------------------------------------------------------


def test_x_that_is_not_there_is_worth_another_try() -> None:
    with pytest.raises(Unreachable, match="X does not answer: the connection is refused"):
        begin(KEY, SECRET, "http://127.0.0.1:9", 10.0, lambda: NOW)


def test_x_that_keeps_us_waiting_is_worth_another_try(server: HttpServer) -> None:
    server.route(REQUEST_TOKEN, Reply(dripping(b" ")))
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.3 seconds"):
        at(server, 0.3)


@pytest.mark.parametrize("path", [REQUEST_TOKEN, ACCESS_TOKEN])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_x_that_is_broken_is_worth_another_try(it: XClient, path: str, status: int) -> None:
    fail(it, path, problem(status, "Over capacity", "Over capacity"))
    with pytest.raises(Unreachable, match=rf"it answers {status} \(Over capacity\)"):
        dance(it)


@pytest.mark.parametrize("path", [REQUEST_TOKEN, ACCESS_TOKEN])
def test_a_connection_that_breaks_is_worth_another_try(it: XClient, path: str) -> None:
    it.sandbox.script(faults.RESET_AFTER, when=lambda request: request.path == path)
    with pytest.raises(Unreachable, match="does not answer"):
        dance(it)


def test_a_limit_tells_when_it_ends(it: XClient) -> None:
    reset = str(int(it.clock().timestamp()) + 900)
    full = problem(429, "Too Many Requests", "Too Many Requests")
    fail(it, REQUEST_TOKEN, full.having(("x-rate-limit-reset", reset)))
    with pytest.raises(Unreachable) as caught:
        dance(it)
    assert caught.value.fix.startswith("Run bot login again after 2026-03-01 12:")


@pytest.mark.parametrize("path", [REQUEST_TOKEN, ACCESS_TOKEN])
def test_a_redirect_is_told_and_not_followed(it: XClient, path: str) -> None:
    moved = Response(301, b"", (("location", "https://api.elsewhere.example/oauth"),))
    fail(it, path, moved)
    with pytest.raises(SettingsError, match=r"https://api\.elsewhere\.example, which is not"):
        dance(it)
    assert [record.path for record in it.sandbox.requests].count(path) == 1


# -- secrets ---------------------------------------------------------------------------------------

MARK = "PLANTED"
PLANTED = OAuthKeys(
    consumer_key=f"{MARK}-consumer-key-0001",
    consumer_secret=f"{MARK}-consumer-secret-+/=-0002",
)
TALKATIVE = (
    *("", "tweepy", "tweepy.auth", "requests_oauthlib", "requests_oauthlib.oauth1_auth"),
    *("requests_oauthlib.oauth1_session", "oauthlib", "oauthlib.oauth1.rfc5849"),
    *("oauthlib.oauth1.rfc5849.signature", "urllib3", "urllib3.connectionpool", "requests"),
)


@pytest.fixture
def planted(caplog: pytest.LogCaptureFixture) -> Iterator[XClient]:
    """X with marked secrets, every logger at its most talkative; nothing marked may be logged."""
    for name in TALKATIVE:
        caplog.set_level(logging.DEBUG, name)
    with x_client() as it:
        it.rules.keys = PLANTED
        it.rules.logins = XLogins(PLANTED, "sandbox")
        numbers = iter(range(99))

        def mint(kind: str) -> str:
            return f"{'' if kind == 'request' else MARK}{kind}-{next(numbers)}-of-some-length"

        it.rules.logins.mint = mint
        yield it
    assert MARK not in caplog.text


def test_no_secret_shows_in_what_is_printed(planted: XClient) -> None:
    waiting = opened(planted)
    granted = waiting.redeem(planted.rules.authorize(waiting.page))
    assert all(MARK in value for value in granted.settings.values())
    assert MARK not in f"{granted!r} {granted} {waiting!r} {waiting}"


@pytest.mark.parametrize("path", [REQUEST_TOKEN, ACCESS_TOKEN])
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_no_secret_is_told_by_an_x_that_repeats_what_it_was_sent(
    planted: XClient, path: str, status: int
) -> None:
    waiting = opened(planted)
    pin = planted.rules.authorize(waiting.page)

    def echo(record: RequestRecord) -> faults.Fault | None:
        said = record.request.header("authorization").replace('"', "")
        fault = faults.refusal("echo", problem(status, said, said))
        return fault if record.path == path else None

    planted.sandbox.decide(echo)
    said: list[str] = []
    asks: list[Callable[[], GrantedTokens]] = [lambda: waiting.redeem(pin), lambda: dance(planted)]
    for ask in asks:
        try:
            said.append(repr(ask()))
        except BotError as error:
            said += [repr(error), str(error), "".join(traceback.format_exception(error))]
    assert said
    assert MARK not in "\n".join(said)
    sent = [record.request.header("authorization") for record in planted.sandbox.requests]
    assert all(MARK in header for header in sent)
