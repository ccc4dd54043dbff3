"""Logging in to Bluesky: an app password is tried once, and nothing is left behind or shown."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import sys
import termios
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from bot.cli import ProcessContext, run
from bot.cli.prompt import ask, ask_unseen
from bot.errors import BotError, SettingsError, Unreachable
from bot.posters.bluesky import login as bluesky_login
from bot.posters.bluesky.login import BASE_URL, begin
from bot.posters.login import GrantedTokens, PendingLogin, WrongCode
from bot.sandbox import faults
from bot.sandbox.bluesky.behaviour import SERVERS, BlueskyBehaviour, Standing
from bot.sandbox.bluesky.rules import APP_PASSWORD, HANDLE
from bot.settings import load
from tests.helpers.health_checks import SHARED_FIXTURE
from tests.helpers.http_server import HttpServer, Reply, Request, dripping
from tests.helpers.login_terminal import Answer, LoginProcess, TypingUser
from tests.helpers.poster_replies import NOW, json_reply, raw_reply
from tests.helpers.reply_strategies import any_json
from tests.helpers.sandbox_clients import BlueskyClient
from tests.helpers.sandbox_clients import bluesky_client as standing_in

CREATE = "/xrpc/com.atproto.server.createSession"
DELETE = "/xrpc/com.atproto.server.deleteSession"
DID = "did:plc:4ylmn73gfraurawqf4wbmsh2"
# of the scopes com.atproto.access and com.atproto.appPassPrivileged
OWN = "e30.eyJzY29wZSI6ICJjb20uYXRwcm90by5hY2Nlc3MifQ.c2ln"
PRIVILEGED = "e30.eyJzY29wZSI6ICJjb20uYXRwcm90by5hcHBQYXNzUHJpdmlsZWdlZCJ9.c2ln"


def session(**more: object) -> dict[str, object]:
    return {"did": DID, "handle": "a.example", "accessJwt": "aaa", "refreshJwt": "rrr", **more}


@pytest.fixture
def it() -> Iterator[BlueskyClient]:
    with standing_in() as made:
        yield made


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        running.route(DELETE, json_reply({}))
        yield running


def opened(it: BlueskyClient, handle: str = HANDLE) -> PendingLogin:
    return begin(handle, it.sandbox.url("bluesky"), 10.0, it.clock)


def paths(it: BlueskyClient) -> list[str]:
    return [record.path for record in it.sandbox.requests]


def tried(server: HttpServer, reply: Reply, timeout: float = 10.0) -> GrantedTokens:
    server.route(CREATE, reply)
    return begin("a.example", server.url, timeout, lambda: NOW).redeem("abcd-efgh-ijkl-mnop")


# -- the way it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", SERVERS)
def test_an_app_password_is_tried_with_one_login_that_is_closed_again(
    behaviour: BlueskyBehaviour,
) -> None:
    with standing_in(behaviour) as it:
        before = it.rules.sessions.known()
        granted = opened(it).redeem(APP_PASSWORD)
        assert granted.settings == {
            "handle": HANDLE,
            "app_password": APP_PASSWORD,
            "service_url": it.sandbox.url("bluesky"),
        }
        assert (granted.who, granted.remarks) == (f"{HANDLE} on Bluesky", ())
        assert paths(it) == [CREATE, DELETE]
        assert it.rules.sessions.known() == before


def test_nothing_is_sent_before_there_is_something_to_try(it: BlueskyClient) -> None:
    waiting = opened(it)
    assert waiting.page == ""
    for nothing in ("", "  ", "\n", "''"):
        with pytest.raises(WrongCode, match="nothing was pasted"):
            waiting.redeem(nothing)
    assert paths(it) == []


@pytest.mark.parametrize(
    "pasted",
    [
        f" {APP_PASSWORD}\n",
        f'"{APP_PASSWORD}"',
        APP_PASSWORD.replace("-", "- "),
        f"`{APP_PASSWORD}`",
    ],
)
def test_a_password_is_understood_however_it_was_pasted(it: BlueskyClient, pasted: str) -> None:
    assert opened(it).redeem(pasted).settings["app_password"] == APP_PASSWORD


def test_where_most_accounts_are_no_address_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with standing_in() as it:
        monkeypatch.setattr(bluesky_login, "BASE_URL", it.sandbox.url("bluesky"))
        assert "service_url" not in opened(it).redeem(APP_PASSWORD).settings
    assert BASE_URL == "https://bsky.social"


def test_a_session_that_cannot_be_closed_does_no_harm(it: BlueskyClient) -> None:
    broken = faults.server_error(503)
    it.sandbox.script(broken, when=lambda request: request.path == DELETE)
    assert opened(it).redeem(APP_PASSWORD).settings["app_password"] == APP_PASSWORD


def test_a_password_with_more_rights_than_needed_is_taken(server: HttpServer) -> None:
    assert tried(server, json_reply(session(accessJwt=PRIVILEGED))).remarks == ()


# -- what is refused -------------------------------------------------------------------------------


def test_the_account_s_own_password_is_refused_and_its_session_closed(server: HttpServer) -> None:
    with pytest.raises(
        WrongCode, match="the account's own password, which can do everyth"
    ) as caught:
        tried(server, json_reply(session(accessJwt=OWN)))
    assert "App passwords" in caught.value.fix
    assert [request.path for request in server.requests] == [CREATE, DELETE]
    assert server.requests[-1].headers["authorization"] == "Bearer rrr"


@pytest.mark.parametrize(
    ("status", "name", "kind", "words"),
    [
        (
            401,
            "AuthenticationRequired",
            WrongCode,
            "does not accept this app password for a.example",
        ),
        (400, "InvalidRequest", WrongCode, "does not accept this app password"),
        (403, "Forbidden", WrongCode, "does not accept this app password"),
        (401, "AuthFactorTokenRequired", WrongCode, "the account's own password"),
        (401, "AccountTakedown", BotError, "does not let the account log in"),
        (404, "XRPCNotSupported", SettingsError, "not as a server of Bluesky's does"),
        (429, "RateLimitExceeded", Unreachable, "was asked too often from here"),
        (500, "InternalServerError", Unreachable, "cannot do it now: it answers 500"),
    ],
)
def test_every_refusal_says_what_to_do(
    server: HttpServer, status: int, name: str, kind: type[BotError], words: str
) -> None:
    with pytest.raises(BotError) as caught:
        tried(server, json_reply({"error": name, "message": "So it is"}, status))
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert caught.value.fix
    assert [request.path for request in server.requests] == [CREATE]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (raw_reply(200, b"<!DOCTYPE html>"), SettingsError),
        (json_reply([]), SettingsError),
        (json_reply(session(did="7")), SettingsError),
        (json_reply(session(accessJwt="two\nlines")), SettingsError),
        (
            raw_reply(301, b"", {"location": "https://e.example/?t=abcd-efgh-ijkl-mnop"}),
            SettingsError,
        ),
        (Reply(b"", raw=True), Unreachable),
        (Reply(dripping(b" ")), Unreachable),
    ],
)
def test_what_is_no_answer_is_a_wrong_address_or_worth_another_try(
    server: HttpServer, reply: Reply, kind: type[BotError]
) -> None:
    with pytest.raises(BotError) as caught:
        tried(server, reply, 0.5 if kind is Unreachable else 30.0)
    assert type(caught.value) is kind
    assert "abcd" not in str(caught.value)


def test_a_wrong_password_and_a_revoked_one_may_be_tried_again(it: BlueskyClient) -> None:
    waiting = opened(it)
    with pytest.raises(WrongCode, match="Invalid identifier or password"):
        waiting.redeem("abcd-efgh-ijkl-mnop")
    assert waiting.redeem(APP_PASSWORD).who
    it.rules.revoke()
    with pytest.raises(WrongCode):
        waiting.redeem(APP_PASSWORD)
    with pytest.raises(WrongCode, match="Is the handle right"):
        opened(it, "nobody.example").redeem(APP_PASSWORD)


def test_too_many_logins_end_at_a_time_that_is_told(it: BlueskyClient) -> None:
    waiting = opened(it)
    for _ in range(30):
        waiting.redeem(APP_PASSWORD)
    with pytest.raises(Unreachable, match="asked too often") as caught:
        waiting.redeem(APP_PASSWORD)
    assert caught.value.fix.startswith("Run bot login again after 2026-03-01 12:0")
    it.clock.now += timedelta(minutes=6)
    assert waiting.redeem(APP_PASSWORD).who


def test_an_account_at_rest_may_log_in_and_is_told_of(it: BlueskyClient) -> None:
    it.rules.behaviour = replace(it.rules.behaviour, standing=Standing.DEACTIVATED)
    remarks = opened(it).redeem(APP_PASSWORD).remarks
    assert remarks == ("the account is deactivated: it can log in, and not post",)


@settings(max_examples=30, suppress_health_check=SHARED_FIXTURE)
@given(value=any_json, status=...)
def test_an_answer_of_any_shape_grants_or_is_an_error_of_ours(
    server: HttpServer, value: object, *, status: bool
) -> None:
    for shape in (value, session(active=value, status=value), session(accessJwt=value)):
        try:
            granted = tried(server, json_reply(shape, 200 if status else 401))
        except BotError as error:
            assert error.message
        else:
            assert granted.settings["app_password"] == "abcd-efgh-ijkl-mnop"


# -- secrets ---------------------------------------------------------------------------------------

PLANTED = "plan-tedp-assw-ord1"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("path", [CREATE, DELETE])
def test_neither_the_password_nor_a_token_is_shown(
    server: HttpServer, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    held = {"accessJwt": "Planted-Access-1", "refreshJwt": "Planted-Refresh-2"}

    def echo(request: Request) -> Reply:
        said = f"{dict(request.headers)} {request.body.decode()}"
        return json_reply({"error": said, "message": said}, status)

    server.route(CREATE, json_reply(session(**held)))
    server.route(path, echo)
    waiting = begin("a.example", server.url, 5.0, lambda: NOW)
    said = [repr(waiting)]
    try:
        said.append(repr(waiting.redeem(PLANTED)))
    except BotError as error:
        said += [repr(error), str(error), "".join(traceback.format_exception(error))]
    shown = "\n".join([*said, caplog.text])
    assert not [secret for secret in (PLANTED, *held.values()) if secret in shown]
    assert PLANTED in server.requests[0].body.decode()


# -- as a person meets it --------------------------------------------------------------------------


@pytest.fixture
def bot(
    it: BlueskyClient,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str, str]]:
    def call(
        *arguments: str, answers: Sequence[Answer] = (), **environ: str
    ) -> tuple[int, str, str]:
        person = TypingUser(capsys, answers)
        monkeypatch.setattr(sys, "stdin", person)
        base = {"BLUESKY_SERVICE_URL": it.sandbox.url("bluesky")}
        status = run(arguments, ProcessContext(base | environ, tmp_path))
        person.look()
        assert "Traceback" not in person.out + person.err
        return status, person.out, person.err

    return call


Bot = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("typed", [HANDLE, f"@{HANDLE}", f"https://bsky.app/profile/{HANDLE}"])
def test_it_is_explained_step_by_step_and_ends_in_lines_that_work(
    it: BlueskyClient, bot: Bot, tmp_path: Path, typed: str
) -> None:
    status, out, err = bot("login", "bluesky", answers=[f"{typed}\n", f"{APP_PASSWORD}\n"])
    assert status == 0
    url = it.sandbox.url("bluesky")
    assert out == (
        f"BLUESKY_HANDLE={HANDLE}\nBLUESKY_APP_PASSWORD={APP_PASSWORD}\nBLUESKY_SERVICE_URL={url}\n"
    )
    assert re.findall(r"(\d)\. [A-Z]", err) == ["1", "2", "3"]
    assert f"App password: Logged in as {HANDLE} on Bluesky.\n" in err
    assert APP_PASSWORD not in err
    assert err.endswith("Next step: bot check\n")
    (tmp_path / ".env").write_text(out, encoding="utf-8")
    assert [account.network for account in load({}, tmp_path).accounts] == ["bluesky"]
    status, out, _ = bot("check")
    assert (status, f"posts as {HANDLE} (https://bsky.app/profile/{HANDLE})" in out) == (0, True)
    assert "self-label `bot`" in out


def test_three_passwords_may_be_tried_and_each_costs_one_login(it: BlueskyClient, bot: Bot) -> None:
    answers = [f"{HANDLE}\n", "a\n", "b\n", f"{APP_PASSWORD}\n"]
    status, out, err = bot("login", "bluesky", answers=answers)
    assert (status, out.count("\n")) == (0, 3)
    assert err.count("does not accept this app password") == 2
    assert paths(it) == [CREATE, CREATE, CREATE, DELETE]
    status, out, err = bot("login", "bluesky", answers=[f"{HANDLE}\n", "a\n", "b\n", "c\n"])
    assert (status, out) == (1, "")
    assert paths(it).count(CREATE) == 6


@pytest.mark.parametrize("typed", ["papers", "", "me@example.org!", "a b.c"])
def test_what_is_no_handle_is_said_so_before_anything_is_sent(
    it: BlueskyClient, bot: Bot, typed: str
) -> None:
    status, out, err = bot("login", "bluesky", answers=[f"{typed}\n"])
    assert (status, out) == (2, "")
    assert "the account's handle is not valid: " in err
    assert "Write the full handle, such as name.bsky.social." in err
    assert paths(it) == []


def test_the_server_that_is_named_goes_before_the_one_that_is_set(
    it: BlueskyClient, bot: Bot
) -> None:
    url = it.sandbox.url("bluesky")
    answers = [f"{HANDLE}\n", f"{APP_PASSWORD}\n"]
    wrong = {"BLUESKY_SERVICE_URL": "http://127.0.0.1:9"}
    status, out, err = bot("login", "bluesky", "--base-url", f"{url}/", answers=answers, **wrong)
    assert (status, f"BLUESKY_SERVICE_URL={url}\n" in out) == (0, True)
    assert (
        "the environment has other values, which are used before .env: BLUESKY_SERVICE_URL" in err
    )
    assert bot("login", "bluesky", answers=answers, **wrong)[0] == 75
    not_one = {"BLUESKY_SERVICE_URL": "http://bsky.example"}
    status, _, err = bot("login", "bluesky", **not_one)
    assert (status, "BLUESKY_SERVICE_URL" in err) == (2, True)


def test_the_end_of_the_input_stops_it(it: BlueskyClient, bot: Bot) -> None:
    for answers in ((), (f"{HANDLE}\n",)):
        status, out, err = bot("login", "bluesky", answers=answers)
        assert (status, out) == (75, "")
        assert err.endswith(": \nStopped.\n")
    assert paths(it) == []


THERE = "https://morel.example"


def at_rest(server: str = THERE) -> dict[str, object]:
    """A session of an account that has moved, as its old server gives it."""
    pds = {"id": "#atproto_pds", "serviceEndpoint": server}
    return session(active=False, status="deactivated", didDoc={"id": DID, "service": [pds]})


def test_an_account_that_has_moved_is_told_at_the_login_and_by_check(
    bot: Bot, server: HttpServer
) -> None:
    server.route(CREATE, json_reply(at_rest()))
    answers = ["a.example\n", "abcd-efgh-ijkl-mnop\n"]
    status, out, err = bot("login", "bluesky", answers=answers, BLUESKY_SERVICE_URL=server.url)
    assert status == 0
    assert "the account is deactivated: it can log in, and not post" in err
    assert f"it is on another server: BLUESKY_SERVICE_URL={THERE}" in err
    assert f"BLUESKY_SERVICE_URL={THERE}" not in out.splitlines()
    own = {"BLUESKY_HANDLE": "a.example", "BLUESKY_APP_PASSWORD": "abcd-efgh-ijkl-mnop"}
    status, out, _ = bot("check", BLUESKY_SERVICE_URL=server.url, **own)
    assert status == 2
    assert "error    bluesky    Bluesky: the account is deactivated" in out
    assert f"set BLUESKY_SERVICE_URL={THERE}" in out


def test_an_account_at_rest_where_it_belongs_is_told_of_no_server(server: HttpServer) -> None:
    for home in (server.url, ""):
        (remark,) = tried(server, json_reply(at_rest(home))).remarks
        assert "the account is deactivated" in remark
        assert "BLUESKY_SERVICE_URL" not in remark


def test_check_says_that_a_password_is_the_account_s_own(bot: Bot, server: HttpServer) -> None:
    server.route(CREATE, json_reply(session(accessJwt=OWN)))
    server.route("/xrpc/com.atproto.repo.getRecord", json_reply({"error": "RecordNotFound"}, 400))
    own = {"BLUESKY_HANDLE": "a.example", "BLUESKY_APP_PASSWORD": "my-own-password"}
    status, out, _ = bot("check", BLUESKY_SERVICE_URL=server.url, **own)
    assert status == 0
    assert "warning  bluesky    BLUESKY_APP_PASSWORD is the account's own password" in out
    assert "my-own-password" not in out


@pytest.mark.parametrize(
    ("password", "status", "words"),
    [("abcd-efgh-ijkl-mnop", 2, "Invalid identifier or password"), (APP_PASSWORD, 0, "posts as")],
)
def test_check_tries_the_password(
    it: BlueskyClient, bot: Bot, password: str, status: int, words: str
) -> None:
    own = {"BLUESKY_HANDLE": HANDLE, "BLUESKY_APP_PASSWORD": password}
    found, out, _ = bot("check", **own)
    assert (found, words in out) == (status, True)
    assert paths(it).count(CREATE) == 1
    assert password not in out


def test_at_a_terminal_the_password_is_not_shown(it: BlueskyClient, tmp_path: Path) -> None:
    target = tmp_path / ".env"
    with target.open("ab") as file:
        environ = {"BLUESKY_SERVICE_URL": it.sandbox.url("bluesky")}
        terminal = LoginProcess(tmp_path, file.fileno(), environ, "bluesky")
    terminal.read(r"name\.bsky\.social: $")
    os.write(terminal.screen, f"{HANDLE}\n".encode())
    terminal.read(r"App password: $")
    os.write(terminal.screen, b"abcd-efgh-ijkl-mnop\n")
    terminal.read(r"(?s)Warning.*App password: $")
    os.write(terminal.screen, f"{APP_PASSWORD}\n".encode())
    assert terminal.end() == 0
    assert HANDLE in terminal.seen
    assert APP_PASSWORD not in terminal.seen
    assert "mnop" not in terminal.seen
    assert f"BLUESKY_APP_PASSWORD={APP_PASSWORD}\n" in target.read_text()
    assert json.loads(it.sandbox.requests[0].body)["password"] == "abcd-efgh-ijkl-mnop"


def test_what_is_typed_unseen_is_not_echoed_and_the_terminal_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, keys = pty.openpty()

    def type_once_it_is_quiet() -> None:
        while termios.tcgetattr(screen)[3] & termios.ECHO:
            os.sched_yield()
        os.write(screen, b"unseen\n")

    with os.fdopen(keys) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        person = threading.Thread(target=type_once_it_is_quiet)
        person.start()
        assert ask_unseen("Password: ") == "unseen"
        person.join()
        os.write(screen, b"seen\n")
        assert ask("Name: ") == "seen"
        assert os.read(screen, 100) == b"seen\r\n"
    os.close(screen)
