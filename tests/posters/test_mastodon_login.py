"""Logging in to Mastodon: the dance over real HTTP, with servers of every kind and every mood."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BotError, SettingsError, Unreachable
from bot.model import Account, Network
from bot.posters.login import GrantedTokens, OtherPage, PendingLogin, WrongCode, code_in
from bot.posters.mastodon import poster as posters
from bot.posters.mastodon.login import begin
from bot.posters.poster import OutcomeKind, PostRequest
from bot.sandbox import faults
from bot.sandbox.mastodon import answers as says
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    MASTODON,
    SERVERS,
    SNAC2,
    TAKAHE,
    MastodonBehaviour,
)
from bot.sandbox.script import RequestRecord
from bot.sandbox.wire import Response, reply
from tests.helpers import mastodon_logins as login
from tests.helpers.http_server import HttpServer, Reply, Request, dripping
from tests.helpers.mastodon_logins import BEFORE_4_3, BEHAVIOURS, PLEROMA, LoginBehaviour
from tests.helpers.mastodon_logins import SNAC2 as SNAC2_LOGIN
from tests.helpers.poster_replies import NOW
from tests.helpers.sandbox_clients import MastodonClient, mastodon_client

VERIFIER = "verifier-of-43-or-more-letters-digits-and-hyphens"
LEAST = "profile write:statuses write:media read:statuses"
WIDER = "read:accounts write:statuses write:media read:statuses"
ME = "/api/v1/accounts/verify_credentials"


@pytest.fixture
def start() -> Iterator[Callable[..., MastodonClient]]:
    with ExitStack() as stack:
        yield lambda *behaviour: stack.enter_context(mastodon_client(*behaviour))


@pytest.fixture
def it(start: Callable[..., MastodonClient]) -> MastodonClient:
    return start()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def opened(it: MastodonClient) -> PendingLogin:
    return begin(it.sandbox.url("mastodon"), 10.0, it.clock, VERIFIER)


def dance(it: MastodonClient) -> GrantedTokens:
    waiting = opened(it)
    return waiting.redeem(it.rules.authorize(waiting.page))


def asked(waiting: PendingLogin) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(waiting.page).query).items()}


def fail(it: MastodonClient, path: str, response: Response, times: int | None = 1) -> None:
    fault = faults.refusal("refused", response)
    it.sandbox.script(fault, when=lambda request: request.path == path, times=times)


def refused(it: MastodonClient, kind: type[BotError] = BotError) -> BotError:
    with pytest.raises(kind) as caught:
        dance(it)
    assert type(caught.value) is kind
    return caught.value


def paths(it: MastodonClient) -> list[str]:
    return [record.path for record in it.sandbox.requests]


# -- the way it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", [each for each in BEHAVIOURS if not each.whole_read], ids=str)
@pytest.mark.parametrize("behaviour", [MASTODON, GOTOSOCIAL, SNAC2], ids=lambda each: each.version)
def test_the_tokens_do_all_that_a_thread_needs(
    start: Callable[..., MastodonClient], behaviour: MastodonBehaviour, ways: LoginBehaviour
) -> None:
    it = start(behaviour)
    it.rules.logins.behaviour = ways
    granted = dance(it)
    assert granted.who == f"sandbox@{urlsplit(it.sandbox.url('mastodon')).netloc}"
    assert granted.remarks == ()
    base, token = granted.settings["base_url"], granted.settings["access_token"]
    assert base == it.sandbox.url("mastodon")
    account = Account("papers", Network.MASTODON)
    poster = posters.open_poster(account, base, token, 10.0, it.clock)
    sent = poster.publish(PostRequest("Hot papers", "key"))
    assert sent.sort is OutcomeKind.SENT
    assert [post.id for post in poster.look(NOW - timedelta(days=999)).posts] == [sent.id]
    assert poster.profile().handle == granted.who
    assert poster.delete(sent.id).sort is OutcomeKind.SENT
    poster.close()


@pytest.mark.parametrize(
    "behaviour", [each for each in SERVERS if each is not TAKAHE], ids=lambda each: each.version
)
def test_a_login_takes_four_requests_on_three_connections(
    start: Callable[..., MastodonClient], behaviour: MastodonBehaviour
) -> None:
    it = start(behaviour)
    dance(it)
    assert paths(it) == [login.METADATA, login.APPS, login.TOKEN, ME]
    assert it.sandbox.connections("mastodon") == 3 + behaviour.hangs_up


def test_a_server_that_wants_wider_scopes_is_asked_for_them_and_that_is_said(
    start: Callable[..., MastodonClient],
) -> None:
    it = start(TAKAHE)
    waiting = opened(it)
    with pytest.raises(OtherPage) as caught:
        waiting.redeem(it.rules.authorize(waiting.page))
    assert "asks for read and write" in str(caught.value)
    assert asked(caught.value.login)["scope"] == "read write"
    assert it.rules.logins.tokens == {}, "the token that is of no use is given back"
    granted = caught.value.login.redeem(it.rules.authorize(caught.value.login.page))
    assert granted.who.startswith("sandbox@")
    (remark,) = granted.remarks
    assert "may read and write all of the account" in remark
    poster = posters.open_poster(
        Account("papers", Network.MASTODON),
        granted.settings["base_url"],
        granted.settings["access_token"],
        10.0,
        it.clock,
    )
    assert poster.profile().server == "takahe"
    assert poster.publish(PostRequest("Hot papers", "key")).sort is OutcomeKind.SENT
    poster.close()


def test_wider_scopes_that_are_refused_too_end_the_login(
    start: Callable[..., MastodonClient],
) -> None:
    it = start(TAKAHE)
    waiting = opened(it)
    fail(it, ME, says.OUT_OF_SCOPE_IN_CODE, times=None)
    with pytest.raises(OtherPage) as caught:
        waiting.redeem(it.rules.authorize(waiting.page))
    again = caught.value.login
    with pytest.raises(BotError) as over:
        again.redeem(it.rules.authorize(again.page))
    assert type(over.value) is BotError


def test_no_more_is_asked_for_than_is_needed(it: MastodonClient) -> None:
    waiting = opened(it)
    assert asked(waiting)["scope"] == LEAST
    (app,) = it.rules.logins.apps.values()
    assert (app.name, " ".join(app.scopes)) == ("bot", LEAST)
    assert app.redirects == ("urn:ietf:wg:oauth:2.0:oob",)


def test_a_token_may_do_no_more_than_is_needed(it: MastodonClient) -> None:
    token = dance(it).settings["access_token"]
    held = it.rules.logins.tokens[token]
    assert " ".join(held.scopes) == LEAST


@pytest.mark.parametrize("ways", [BEFORE_4_3, PLEROMA, SNAC2_LOGIN], ids=str)
def test_where_profile_is_not_known_the_next_wider_scope_is_asked_for(
    it: MastodonClient, ways: LoginBehaviour
) -> None:
    it.rules.logins.behaviour = ways
    waiting = opened(it)
    assert asked(waiting)["scope"] == WIDER
    assert "code_challenge" not in asked(waiting)
    assert paths(it).count(login.APPS) == 1


@pytest.mark.parametrize("status", [400, 422])
def test_where_profile_is_not_taken_the_next_wider_scope_is_asked_for(
    it: MastodonClient, status: int
) -> None:
    fail(it, login.APPS, says.invalid("Scopes doesn't match configured", status))
    assert asked(opened(it))["scope"] == WIDER
    assert paths(it).count(login.APPS) == 2


def test_a_code_that_somebody_else_catches_is_of_no_use_to_them(it: MastodonClient) -> None:
    waiting = opened(it)
    challenge = asked(waiting)
    assert challenge["code_challenge_method"] == "S256"
    assert challenge["code_challenge"] not in VERIFIER
    other = begin(it.sandbox.url("mastodon"), 10.0, it.clock, VERIFIER[::-1])
    code = it.rules.authorize(waiting.page)
    with pytest.raises(WrongCode):
        other.redeem(code)
    assert waiting.redeem(code).who


def test_what_a_server_says_of_itself_may_be_nonsense(it: MastodonClient) -> None:
    for body in (b"[]", b"<html>", b'{"scopes_supported": 7}', b'{"scopes_supported": [7, null]}'):
        fail(it, login.METADATA, Response(200, body))
        assert asked(opened(it))["scope"] == WIDER


# -- the code --------------------------------------------------------------------------------------

CODE = "kq3-_Zx0"


@pytest.mark.parametrize(
    "pasted",
    [
        CODE,
        f"  {CODE}\t\n",
        f"{CODE[:3]} {CODE[3:]}",
        f"'{CODE}'",
        f'"{CODE}"',
        f"`{CODE}`",
        f"\x1b[200~{CODE}\x1b[201~",
        f"https://mastodon.example/oauth/authorize/native?code={CODE}",
        f"<https://mastodon.example/oauth/oob?state=&code={CODE}&x=y#top>",
        f"urn:ietf:wg:oauth:2.0:oob?code={CODE}",
        f"https://mastodon.example/oauth/authorize/native?code={CODE}#",
        f"code={CODE}",
    ],
)
def test_a_code_is_understood_however_it_was_pasted(pasted: str) -> None:
    assert code_in(pasted, "code") == CODE


@given(st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True), st.data())
def test_any_code_survives_blanks_and_addresses(code: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(code)))
    blank = data.draw(st.text(" \t\r\n\u00a0\u2028", max_size=5))
    assert code_in(code[:cut] + blank + code[cut:], "code") == code
    assert code_in(f"https://a.example/native?code={code}", "code") == code


@given(st.text(max_size=80))
def test_whatever_is_pasted_is_a_code_or_said_to_be_none(pasted: str) -> None:
    try:
        code = code_in(pasted, "code")
    except BotError as error:
        assert error.message
    else:
        assert code.isascii()
        assert code.isprintable()
        assert not set(code) & {*" \t\n"}


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "nothing was pasted"),
        ("   ", "nothing was pasted"),
        ("https://mastodon.example/oauth/authorize?client_id=a", "this is no code"),
        ("Здравствуйте", "this is no code"),
        ("\x00\x1b[31m", "this is no code"),
        ("x" * 2000, "this is no code"),
        ("https://a.example/native?code=a%0Ab", "this is no code"),
    ],
)
def test_what_is_no_code_is_never_sent(it: MastodonClient, pasted: str, words: str) -> None:
    waiting = opened(it)
    with pytest.raises(WrongCode, match=words):
        waiting.redeem(pasted)
    assert login.TOKEN not in paths(it)


def test_a_person_who_says_no_ends_it(it: MastodonClient) -> None:
    waiting = opened(it)
    with pytest.raises(BotError, match="not allowed") as caught:
        waiting.redeem("https://mastodon.example/oob?error=access_denied&error_description=x")
    assert not isinstance(caught.value, WrongCode)


def test_a_wrong_code_is_told_from_a_right_one(it: MastodonClient) -> None:
    waiting = opened(it)
    code = it.rules.authorize(waiting.page)
    with pytest.raises(WrongCode, match="does not take this code") as caught:
        waiting.redeem("another")
    assert "open the address again" in caught.value.fix
    assert waiting.redeem(code).settings["access_token"] in it.rules.logins.tokens
    with pytest.raises(WrongCode):
        waiting.redeem(code)


def test_a_code_that_is_too_old_is_wrong_and_a_new_one_of_the_same_page_is_right(
    it: MastodonClient,
) -> None:
    waiting = opened(it)
    code = it.rules.authorize(waiting.page)
    it.clock.advance(seconds=601)
    with pytest.raises(WrongCode):
        waiting.redeem(code)
    assert waiting.redeem(it.rules.authorize(waiting.page)).who


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_servers_refuse_codes_in_many_ways(it: MastodonClient, status: int) -> None:
    waiting = opened(it)
    for body in (b"", b"<h1>no</h1>", b'{"error": "Invalid credentials"}', b'{"error": 7}'):
        fail(it, login.TOKEN, Response(status, body))
        with pytest.raises(WrongCode):
            waiting.redeem("a")


def test_an_application_that_is_forgotten_meanwhile_is_not_the_code_s_fault(
    it: MastodonClient,
) -> None:
    waiting = opened(it)
    code = it.rules.authorize(waiting.page)
    it.rules.logins.apps.clear()
    with pytest.raises(BotError, match="does not know the application") as caught:
        waiting.redeem(code)
    assert not isinstance(caught.value, WrongCode)
    assert "again" in caught.value.fix


# -- servers that are none, or not now -------------------------------------------------------------

PAGE = b"<!DOCTYPE html><title>Welcome</title>"


@pytest.mark.parametrize(
    "answer",
    [
        Reply(PAGE, 404),
        Reply(PAGE, 405),
        Reply(b"", 410),
        Reply(PAGE),
        Reply(b"[]"),
        Reply(b'{"client_id": "a"}'),
        Reply(b'{"client_id": 7, "client_secret": {}}'),
        Reply(b'{"client_secret": "' + b"a" * 40 + b'"}'),
    ],
)
def test_what_is_no_server_of_this_kind_is_a_wrong_setting(
    server: HttpServer, answer: Reply
) -> None:
    server.route("/api/v1/apps", answer)
    with pytest.raises(SettingsError, match="not as a server with Mastodon's API does") as caught:
        begin(server.url, 10.0, lambda: NOW, VERIFIER)
    assert caught.value.fix.endswith("https://mastodon.social.")
    with pytest.raises(SettingsError) as caught:
        begin(f"{server.url}/@papers", 10.0, lambda: NOW, VERIFIER)
    assert caught.value.fix.endswith(f"is it {server.url}?")


@pytest.mark.parametrize("status", [401, 403, 406, 451])
def test_a_server_that_registers_nothing_is_named_with_the_other_way(
    server: HttpServer, status: int
) -> None:
    server.route("/api/v1/apps", Reply(b'{"error": "Nur mit Einladung."}', status))
    with pytest.raises(BotError, match=rf"{status} \(Nur mit Einladung\)") as caught:
        begin(server.url, 10.0, lambda: NOW, VERIFIER)
    assert not isinstance(caught.value, SettingsError | Unreachable)
    assert "by hand" in caught.value.fix


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_and_not_followed(server: HttpServer, status: int) -> None:
    there = {"Location": "https://elsewhere.example/api/v1/apps?t=secret"}
    server.route("/api/v1/apps", Reply(b"", status, there))
    with pytest.raises(SettingsError, match=r"https://elsewhere\.example, which") as caught:
        begin(server.url, 10.0, lambda: NOW, VERIFIER)
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 2


def test_a_redirect_without_a_host_is_told_too(server: HttpServer) -> None:
    server.route("/api/v1/apps", Reply(b"", 302, {"Location": "/login"}))
    with pytest.raises(SettingsError, match="another path of its own") as caught:
        begin(server.url, 10.0, lambda: NOW, VERIFIER)
    assert caught.value.fix == "Check the address."


def test_a_redirect_to_nowhere_is_no_server_of_this_kind(server: HttpServer) -> None:
    server.route("/api/v1/apps", Reply(b"", 304))
    with pytest.raises(BotError):
        begin(server.url, 10.0, lambda: NOW, VERIFIER)


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    with pytest.raises(Unreachable, match="does not answer: the connection is refused") as caught:
        begin("http://127.0.0.1:9", 10.0, lambda: NOW, VERIFIER)
    assert "again" in caught.value.fix


def test_a_server_that_keeps_us_waiting_is_worth_another_try(server: HttpServer) -> None:
    server.route("/.well-known/oauth-authorization-server", Reply(dripping(b" ")))
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.3 seconds"):
        begin(server.url, 0.3, lambda: NOW, VERIFIER)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("path", [login.APPS, login.TOKEN])
def test_a_server_that_is_broken_is_worth_another_try(
    it: MastodonClient, path: str, status: int
) -> None:
    fail(it, path, Response(status, PAGE), times=None)
    error = refused(it, Unreachable)
    assert f"it answers {status}" in error.message


@pytest.mark.parametrize("path", [login.APPS, login.TOKEN])
def test_a_connection_that_breaks_is_worth_another_try(it: MastodonClient, path: str) -> None:
    it.sandbox.script(faults.RESET_AFTER, when=lambda request: request.path == path, times=2)
    assert "does not answer" in refused(it, Unreachable).message


def test_five_registrations_in_ten_minutes_are_too_many_and_the_time_is_told(
    it: MastodonClient,
) -> None:
    for _ in range(5):
        opened(it)
    error = refused(it, Unreachable)
    assert "(Too many requests)" in error.message
    assert error.fix == "Run bot login again after 2026-03-01 12:10:00 UTC."
    it.clock.advance(seconds=600)
    assert dance(it).who


def test_a_limit_that_does_not_say_when_it_ends_is_a_matter_of_minutes(it: MastodonClient) -> None:
    fail(it, login.APPS, Response(429, b""))
    assert refused(it, Unreachable).fix == "Run bot login again in ten minutes."


def test_what_the_first_page_answers_decides_nothing(it: MastodonClient) -> None:
    for status in (301, 401, 403, 429, 500, 503):
        fail(it, login.METADATA, Response(status, PAGE))
        it.clock.advance(hours=1)
        assert dance(it).who


# -- tokens that are none, or not enough -----------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 7},
        {"access_token": "two words"},
        {"access_token": "line\nbreak"},
        {"access_token": "ключ"},
        {"access_token": "x" * 5000},
    ],
)
def test_an_answer_without_a_token_that_can_be_used_is_said_to_be_that(
    it: MastodonClient, said: dict[str, str]
) -> None:
    fail(it, login.TOKEN, reply(200, said))
    error = refused(it)
    assert "gave no token that can be used" in error.message
    assert "by hand" in error.fix
    assert ME not in paths(it)


@pytest.mark.parametrize("body", [b"", PAGE, b"[]", b"7"])
def test_an_answer_that_is_no_object_gives_no_token(it: MastodonClient, body: bytes) -> None:
    fail(it, login.TOKEN, Response(200, body))
    assert "gave no token" in refused(it).message


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        ("read", "may not write posts or upload pictures"),
        ("profile write:media read:statuses", "may not write posts"),
        ("profile write:statuses write:media", "may not read the account's posts"),
        ("follow", "may not write posts or upload pictures or read the account's posts"),
    ],
)
def test_a_token_for_less_is_refused_and_given_back(
    it: MastodonClient, scopes: str, words: str
) -> None:
    it.rules.logins.behaviour = LoginBehaviour(granted=scopes)
    error = refused(it)
    assert error.message.endswith(words)
    assert "allow all of it" in error.fix
    assert paths(it)[-1] == login.REVOKE
    assert it.rules.logins.tokens == {}


@pytest.mark.parametrize("scopes", ["read write follow push", f"{WIDER} push", "write read", LEAST])
def test_a_token_for_more_is_enough(it: MastodonClient, scopes: str) -> None:
    it.rules.logins.behaviour = LoginBehaviour(granted=scopes)
    assert dance(it).remarks == ()


def test_a_token_without_pictures_is_enough_and_that_is_told(it: MastodonClient) -> None:
    it.rules.logins.behaviour = LoginBehaviour(granted="profile write:statuses read:statuses")
    (remark,) = dance(it).remarks
    assert remark.endswith("gave a token that may not upload pictures")


@pytest.mark.parametrize("status", [401, 403, 422])
def test_a_token_that_does_not_say_who_it_is_is_refused_and_given_back(
    it: MastodonClient, status: int
) -> None:
    fail(it, ME, says.error(status, "insufficient scope"))
    error = refused(it)
    assert f"it answers {status} (insufficient scope)" in error.message
    assert it.rules.logins.tokens == {}


def test_a_token_that_cannot_be_given_back_is_no_second_error(it: MastodonClient) -> None:
    fail(it, ME, says.OUT_OF_SCOPE)
    fail(it, login.REVOKE, says.BROKEN)
    assert "does not accept it" in refused(it).message


@pytest.mark.parametrize(
    "answer", [Response(500, PAGE), Response(429, b""), Response(200, PAGE), Response(200, b"{}")]
)
def test_a_token_is_not_lost_because_who_it_is_cannot_be_said_now(
    it: MastodonClient, answer: Response
) -> None:
    fail(it, ME, answer)
    granted = dance(it)
    assert granted.settings["access_token"] in it.rules.logins.tokens
    assert granted.who == ""
    (remark,) = granted.remarks
    assert remark.endswith("did not say now who the account is")


@pytest.mark.parametrize("times", [1, 2])
def test_a_token_is_not_lost_because_the_line_breaks(it: MastodonClient, times: int) -> None:
    """Who it is is asked once more: then it is known, or that is remarked."""
    it.sandbox.script(faults.CLOSED_BEFORE, when=lambda request: request.path == ME, times=times)
    granted = dance(it)
    assert granted.settings["access_token"] in it.rules.logins.tokens
    assert bool(granted.who) is (times == 1)
    assert bool(granted.remarks) is (times == 2)
    assert [record.path for record in it.sandbox.requests].count(ME) == 2


@pytest.mark.parametrize(
    ("seconds", "days"), [(600, 0), (86_400 * 30, 30), (86_400 * 365, 365), (86_400 * 367, None)]
)
def test_a_token_that_ends_is_told_to(it: MastodonClient, seconds: int, days: int | None) -> None:
    it.rules.logins.behaviour = LoginBehaviour(expires_in=seconds)
    wanted = () if days is None else (f"the token ends after {days} days: then log in again",)
    assert dance(it).remarks == wanted


@pytest.mark.parametrize("expires_in", [-1, 0, 10**30])
def test_times_that_mean_nothing_are_passed_over(it: MastodonClient, expires_in: int) -> None:
    it.rules.logins.behaviour = LoginBehaviour(expires_in=expires_in)
    assert dance(it).remarks == ()


def test_names_that_servers_give_are_made_fit_to_print(it: MastodonClient) -> None:
    fail(it, ME, reply(200, {"id": "1", "username": "a\x1b[31m\nb", "url": "https://m.example/@a"}))
    assert dance(it).who == "a[31m b@m.example"


# -- secrets ---------------------------------------------------------------------------------------

MARK = "PLANTED"


def plant(it: MastodonClient) -> None:
    """Mark what is a secret: a code is none, it is good for nobody but its application."""
    numbers = iter(range(99))

    def mint(kind: str) -> str:
        return (
            f"{MARK if kind in {'secret', 'token'} else 'a'}-{kind}-{next(numbers)}-of-some-length"
        )

    it.rules.logins.mint = mint


def test_no_secret_shows_in_what_is_printed(it: MastodonClient) -> None:
    plant(it)
    verifier = f"{MARK}-{VERIFIER}"
    waiting = begin(it.sandbox.url("mastodon"), 10.0, it.clock, verifier)
    granted = waiting.redeem(it.rules.authorize(waiting.page))
    assert MARK in granted.settings["access_token"]
    assert MARK not in f"{granted!r} {granted} {waiting!r} {waiting}"


@pytest.mark.parametrize("path", [login.APPS, login.TOKEN, ME])
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_no_secret_is_told_by_a_server_that_repeats_what_it_was_sent(
    it: MastodonClient, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(logging.DEBUG, name)
    plant(it)
    verifier = f"{MARK}-{VERIFIER}"
    waiting = begin(it.sandbox.url("mastodon"), 10.0, it.clock, verifier)
    code = it.rules.authorize(waiting.page)

    def echo(record: RequestRecord) -> faults.Fault | None:
        said = f"{record.request.header('authorization')} {record.body.decode()}"
        fault = faults.refusal("echo", says.error(status, said))
        return fault if record.path == path else None

    it.sandbox.decide(echo)
    said: list[str] = []
    asks: list[Callable[[], GrantedTokens]] = [lambda: waiting.redeem(code), lambda: dance(it)]
    for ask in asks:
        try:
            said.append(repr(ask()))
        except BotError as error:
            said += [repr(error), str(error), "".join(traceback.format_exception(error))]
    everything = "\n".join(said)
    assert everything
    assert MARK not in everything
    assert MARK not in caplog.text
    assert any(MARK.encode() in record.body for record in it.sandbox.requests)


def test_only_the_header_bears_the_token(server: HttpServer) -> None:
    secret, token = "s" * 40, "t" * 40
    app = f'{{"client_id": "c", "client_secret": "{secret}"}}'
    server.route("/api/v1/apps", Reply(app.encode()))
    server.route("/oauth/token", Reply(f'{{"access_token": "{token}"}}'.encode()))
    me = b'{"id": "1", "username": "a", "url": "https://m.example/@a"}'
    server.route(ME, Reply(me))
    waiting = begin(server.url, 10.0, lambda: NOW, VERIFIER)
    assert secret not in waiting.page
    assert VERIFIER not in waiting.page
    assert waiting.redeem("a").who == "a@m.example"

    def bearers(request: Request) -> str:
        return request.headers.get("authorization", "")

    assert [bearers(request) for request in server.requests] == ["", "", "", f"Bearer {token}"]
    assert not [request for request in server.requests if token in request.path]
    assert not [request for request in server.requests if secret in request.path]
    assert {request.headers["accept"] for request in server.requests} == {"application/json"}
