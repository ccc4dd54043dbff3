"""`bot login` as a person meets it: what it says, what it asks, and what ends up in .env."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import ProcessContext, run
from bot.cli import cli as command
from bot.model import Network
from bot.sandbox import faults
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Response, reply
from bot.sandbox.x.oauth1 import OAuthKeys
from bot.settings import load
from bot.settings.files import parse_dotenv
from bot.terminal import setting
from tests.helpers.login_terminal import Answer, LoginProcess, TypingUser
from tests.helpers.mastodon_logins import APPS, LoginBehaviour, MastodonWithLogins
from tests.helpers.secret_forms import FORMS, shows
from tests.helpers.x_logins import XWithLogins

PAGE = re.compile(r"^http://\S+/oauth/authorize\?\S+$", re.MULTILINE)


def clock() -> datetime:
    """The networks' time: it stands still, so that no window of a rate limit ends by itself."""
    return datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@dataclass
class LoginWorld:
    """A folder, the networks, and a person before a screen."""

    folder: Path
    sandbox: Sandbox
    x: XWithLogins
    mastodon: MastodonWithLogins
    screen: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def allow(self, seen: str) -> str:
        """Open the address that stands on a line of its own, allow it, and type the code."""
        (page,) = PAGE.findall(seen)
        rules = self.x if page.startswith(self.sandbox.url("twitter")) else self.mastodon
        return f"{rules.authorize(page)}\n"

    def __call__(
        self, *arguments: str, answers: Sequence[Answer] = (), **environ: str
    ) -> tuple[int, str, str]:
        person = TypingUser(self.screen, answers)
        self.patch.setattr(sys, "stdin", person)
        status = run(["login", *arguments], ProcessContext(environ, self.folder))
        person.look()
        assert "Traceback" not in person.out + person.err
        return status, person.out, person.err

    def mastodon_with(self, *answers: Answer, **environ: str) -> tuple[int, str, str]:
        url = self.sandbox.url("mastodon")
        return self("mastodon", answers=answers, MASTODON_API_BASE_URL=url, **environ)

    def twitter_with(self, *answers: Answer, **environ: str) -> tuple[int, str, str]:
        keys = self.x.keys
        app = {
            "TWITTER_CONSUMER_KEY": keys.consumer_key,
            "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
            "TWITTER_API_URL": self.sandbox.url("twitter"),
        }
        return self("twitter", answers=answers, **app | environ)


@contextmanager
def networks(
    keys: OAuthKeys | None = None,
) -> Iterator[tuple[Sandbox, XWithLogins, MastodonWithLogins]]:
    rules, server = XWithLogins(clock, keys=keys), MastodonWithLogins(clock)
    with Sandbox({"twitter": rules, "mastodon": server}) as sandbox:
        yield sandbox, rules, server


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoginWorld]:
    with networks() as (sandbox, x, mastodon):
        yield LoginWorld(tmp_path, sandbox, x, mastodon, capsys, monkeypatch)


# -- as it should go -------------------------------------------------------------------------------


def test_mastodon_is_explained_step_by_step_and_ends_in_two_lines(cli: LoginWorld) -> None:
    status, out, err = cli.mastodon_with(cli.allow)
    (token,) = cli.mastodon.logins.tokens
    url = cli.sandbox.url("mastodon")
    assert status == 0
    assert out == f"MASTODON_API_BASE_URL={url}\nMASTODON_ACCESS_TOKEN={token}\n"
    assert [line[:2] for line in err.split("\n") if re.match(r"\d\.", line)] == ["1.", "2.", "3."]
    assert f"\nCode: Logged in as sandbox@{url.removeprefix('http://')}.\n" in err
    assert "These lines are secrets" in err
    assert err.endswith("Next step: bot check\n")
    assert token not in err


def test_twitter_is_explained_step_by_step_and_ends_in_two_lines(cli: LoginWorld) -> None:
    status, out, err = cli.twitter_with(cli.allow)
    (keys,) = cli.x.logins.granted
    assert status == 0
    assert out == (
        f"TWITTER_ACCESS_TOKEN={keys.access_token}\n"
        f"TWITTER_ACCESS_TOKEN_SECRET={keys.access_token_secret}\n"
    )
    assert "PIN: Logged in as @sandbox on X.\n" in err
    assert keys.access_token not in err
    assert keys.access_token_secret not in err


@pytest.mark.parametrize("network", ["mastodon", "twitter", "MASTODON"])
def test_the_lines_are_settings_that_work(cli: LoginWorld, network: str) -> None:
    ask = cli.twitter_with if network == "twitter" else cli.mastodon_with
    _, out, _ = ask(cli.allow)
    (cli.folder / ".env").write_text(out, encoding="utf-8")
    keys = cli.x.keys
    environ = {
        "TWITTER_CONSUMER_KEY": keys.consumer_key,
        "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
        "TWITTER_API_URL": cli.sandbox.url("twitter"),
    }
    settings = load(environ if network == "twitter" else {}, cli.folder)
    assert [account.network for account in settings.accounts] == [network.lower()]
    assert settings.warnings == ()
    status = run(["check"], ProcessContext(environ if network == "twitter" else {}, cli.folder))
    out, _ = cli.screen.readouterr()
    assert status == 0
    assert "posts as " in out


def test_the_server_is_asked_for_where_it_is_not_set(cli: LoginWorld) -> None:
    url = cli.sandbox.url("mastodon")
    status, out, err = cli("mastodon", answers=[f" {url}/ \n", cli.allow])
    assert status == 0
    assert out.startswith(f"MASTODON_API_BASE_URL={url}\n")
    assert err.startswith("The account's server, such as mastodon.social: 1. ")


def test_the_server_that_is_named_goes_before_the_one_that_is_set(cli: LoginWorld) -> None:
    url = cli.sandbox.url("mastodon")
    for other in ("http://127.0.0.1:9", "not an address"):
        environ = {"MASTODON_API_BASE_URL": other}
        status, _, err = cli("mastodon", "--base-url", f"{url}/", answers=[cli.allow], **environ)
        assert status == 0
        assert (
            "the environment has other values, which are used before .env: MASTODON_API_BASE_URL"
            in err
        )


@pytest.mark.parametrize(
    "written",
    ["papers@{host}", "@papers@{host}", "{host}", "{host}/@papers", "  https://{host}/ "],
)
def test_a_server_is_understood_however_it_is_named(cli: LoginWorld, written: str) -> None:
    # no such host: the message tells what was understood
    host = "no-such-host.invalid"
    status, out, err = cli("mastodon", "--base-url", written.format(host=host))
    assert (status, out) == (75, "")
    assert f"{host} does not answer: " in err


def test_what_is_set_alike_or_empty_hides_nothing(cli: LoginWorld) -> None:
    alike = {"MASTODON_API_BASE_URL": f" {cli.sandbox.url('mastodon')}/ "}
    empty = {"MASTODON_ACCESS_TOKEN": ""}
    status, _, err = cli("mastodon", answers=[cli.allow], **alike, **empty)
    assert status == 0
    assert "set otherwise" not in err


def test_settings_that_a_login_does_not_need_may_be_wrong(cli: LoginWorld) -> None:
    wrong = {"BOT_TOP": "many", "MASTODON_ACCESS_TOKEN": "your token here"}
    status, out, err = cli.mastodon_with(cli.allow, **wrong)
    assert status == 0
    assert "your token here" not in err
    assert (
        "the environment has other values, which are used before .env: MASTODON_ACCESS_TOKEN" in err
    )
    assert out.count("\n") == 2


def test_what_stands_in_env_files_is_taken(cli: LoginWorld) -> None:
    keys = cli.x.keys
    (cli.folder / ".env").write_text(
        f"TWITTER_CONSUMER_KEY={keys.consumer_key}\n"
        f"TWITTER_CONSUMER_SECRET={keys.consumer_secret}\n"
    )
    url = cli.sandbox.url("twitter")
    (cli.folder / "bot.toml").write_text(f'twitter_api_url = "{url}"\n')
    assert cli("twitter", answers=[cli.allow])[0] == 0


def test_remarks_are_warnings(cli: LoginWorld) -> None:
    cli.mastodon.logins.behaviour = LoginBehaviour(expires_in=86_400 * 30)
    status, out, err = cli.mastodon_with(cli.allow)
    assert (status, out.count("\n")) == (0, 2)
    assert "Warning: the token ends after 30 days: then log in again\n" in err


def test_a_name_that_is_not_known_does_not_lose_the_tokens(cli: LoginWorld) -> None:
    broken = faults.server_error(503)
    path = "/api/v1/accounts/verify_credentials"
    cli.sandbox.script(broken, when=lambda request: request.path == path)
    status, out, err = cli.mastodon_with(cli.allow)
    assert (status, out.count("\n")) == (0, 2)
    assert "Logged in.\nWarning: " in err


def test_click_s_own_runner_sees_settings_alone_on_standard_output(cli: LoginWorld) -> None:
    environ = {"MASTODON_API_BASE_URL": cli.sandbox.url("mastodon")}
    ran = CliRunner().invoke(
        command, ["login", "mastodon"], obj=ProcessContext(environ, cli.folder), input="a\nb\nc\n"
    )
    assert ran.stdout == ""
    assert ran.stderr.count("does not take this code") == 2


# -- codes -----------------------------------------------------------------------------------------


def test_a_wrong_code_is_said_and_asked_for_again(cli: LoginWorld) -> None:
    codes: list[str] = []

    def wrong(seen: str) -> str:
        codes.append(cli.allow(seen))
        return "another\n"

    status, out, err = cli.mastodon_with(wrong, "\n", lambda _: codes[0])
    assert (status, out.count("\n")) == (0, 2)
    assert err.count("Code: ") == 3
    assert err.count("does not take this code") == 1
    assert err.count("Warning: nothing was pasted") == 1


@pytest.mark.parametrize("network", ["mastodon", "twitter"])
def test_the_third_wrong_code_is_the_last(cli: LoginWorld, network: str) -> None:
    ask = cli.twitter_with if network == "twitter" else cli.mastodon_with
    status, out, err = ask("a\n", "b\n", "c\n", "d\n")
    assert (status, out) == (1, "")
    assert err.count("does not take this ") == 3
    assert err.count("Error: ") == 1
    assert len(re.findall(r"^(?:Code|PIN): ", err, re.MULTILINE)) == 3


def test_a_code_with_blanks_or_in_an_address_is_taken(cli: LoginWorld) -> None:
    url = "https://mastodon.example/oauth/authorize/native?code="
    assert cli.mastodon_with(lambda seen: url + cli.allow(seen))[0] == 0
    assert cli.twitter_with(lambda seen: f" {' '.join(cli.allow(seen))}")[0] == 0


def test_what_cannot_be_decoded_is_no_code(cli: LoginWorld) -> None:
    def undecodable(_: str) -> str:
        return b"\xff\n".decode("utf-8")

    status, _, err = cli.mastodon_with(undecodable, cli.allow)
    assert status == 0
    assert "nothing was pasted" in err


@pytest.mark.parametrize("network", ["mastodon", "twitter"])
def test_the_end_of_the_input_stops_it(cli: LoginWorld, network: str) -> None:
    ask = cli.twitter_with if network == "twitter" else cli.mastodon_with
    status, out, err = ask()
    assert (status, out) == (75, "")
    assert err.endswith(": \nStopped.\n")


def test_no_input_at_all_stops_it(cli: LoginWorld) -> None:
    cli.patch.setattr(sys, "stdin", None)
    surroundings = ProcessContext({}, cli.folder)
    assert run(["login", "mastodon"], surroundings) == 75
    assert cli.screen.readouterr().err.endswith(": \nStopped.\n")


def test_ctrl_c_stops_it(cli: LoginWorld) -> None:
    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    status, out, err = cli.mastodon_with(interrupt)
    assert (status, out) == (75, "")
    assert err.endswith("Code: \nStopped.\n")


# -- what is wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["friendica"], [], ["twitter", "--base-url", "https://a.b"]])
def test_wrong_usage_is_said(cli: LoginWorld, arguments: list[str]) -> None:
    status, out, err = cli(*arguments)
    assert (status, out) == (2, "")
    assert "Error: " in err


@pytest.mark.parametrize(
    "address",
    ["http://mastodon.example", "ftp://a.example", "https://u:hidden@a.example", "https://", "a b"],
)
def test_an_address_that_must_not_be_used_is_a_wrong_setting(cli: LoginWorld, address: str) -> None:
    status, out, err = cli("mastodon", "--base-url", address)
    assert (status, out) == (2, "")
    assert "Error: the server's address is not valid: " in err
    assert "hidden" not in err


def test_an_address_that_is_set_wrong_is_a_wrong_setting(cli: LoginWorld) -> None:
    status, _, err = cli("mastodon", MASTODON_API_BASE_URL="http://mastodon.example")
    assert status == 2
    assert "MASTODON_API_BASE_URL" in err
    assert "plain http to another machine" in err


@pytest.mark.parametrize(
    "keys",
    [{}, {"TWITTER_CONSUMER_KEY": "a"}, {"TWITTER_CONSUMER_SECRET": "a"}],
)
def test_without_an_app_it_is_said_how_to_get_one(cli: LoginWorld, keys: dict[str, str]) -> None:
    status, out, err = cli("twitter", **keys)
    assert (status, out) == (2, "")
    assert "TWITTER_CONSUMER_KEY and TWITTER_CONSUMER_SECRET must be set" in err
    assert "https://console.x.com" in err
    assert "Read and write" in err


def test_keys_that_cannot_be_sent_are_a_wrong_setting_and_not_shown(cli: LoginWorld) -> None:
    status, _, err = cli.twitter_with(TWITTER_CONSUMER_KEY="two words")
    assert status == 2
    assert "TWITTER_CONSUMER_KEY must be printable ASCII without white space; the value (not" in err
    assert "two words" not in err


def test_what_is_not_there_now_is_worth_another_try(cli: LoginWorld) -> None:
    status, _, err = cli("mastodon", "--base-url", "http://127.0.0.1:9")
    assert status == 75
    assert "127.0.0.1:9 does not answer: the connection is refused" in err
    assert cli.twitter_with(TWITTER_API_URL="http://127.0.0.1:9")[0] == 75


def test_too_many_registrations_are_worth_another_try_at_a_time_that_is_told(
    cli: LoginWorld,
) -> None:
    for _ in range(5):
        assert cli.mastodon_with()[0] == 75
    status, _, err = cli.mastodon_with()
    assert status == 75
    assert re.search(r"Run bot login again after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", err)


def test_what_is_no_mastodon_server_is_a_wrong_setting(cli: LoginWorld) -> None:
    page = Response(404, b"<!DOCTYPE html><title>Not found</title>")
    fault = faults.refusal("no such page", page)
    cli.sandbox.script(fault, when=lambda request: request.path == APPS)
    status, _, err = cli.mastodon_with()
    assert status == 2
    assert "not as a server with Mastodon's API does" in err


def test_a_token_for_less_ends_it_without_a_line(cli: LoginWorld) -> None:
    cli.mastodon.logins.behaviour = LoginBehaviour(granted="read")
    status, out, err = cli.mastodon_with(cli.allow)
    assert (status, out) == (1, "")
    assert "may not write posts" in err


def test_x_s_own_address_is_asked_unless_another_is_set(
    cli: LoginWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.posters.twitter import login as twitter_login

    asked: list[str] = []

    def begin(_key: str, _secret: str, base: str, *_: object) -> object:
        asked.append(base)
        raise KeyboardInterrupt

    monkeypatch.setattr(twitter_login, "begin", begin)
    for environ in ({}, {"TWITTER_API_URL": "https://api.x.com"}, {"TWITTER_API_URL": ""}):
        app = {"TWITTER_CONSUMER_KEY": "a", "TWITTER_CONSUMER_SECRET": "b"}
        assert cli("twitter", **app, **environ)[0] == 75
    (cli.folder / "bot.toml").write_text('twitter_api_url = ""\n')
    assert cli("twitter", **app)[0] == 75
    own = "https://api.twitter.com"
    assert asked == [own, "https://api.x.com", own, own]


@pytest.mark.parametrize("form", ["as it is", "in lower case", "base64 of a login"])
def test_a_new_token_that_the_server_repeats_is_printed_once(cli: LoginWorld, form: str) -> None:
    def repeating(answer: Response) -> Response:
        (token,) = cli.mastodon.logins.tokens
        account = answer.value()
        assert isinstance(account, dict)
        return reply(200, account | {"username": FORMS[form](token)})

    cli.sandbox.script(
        faults.changed("repeated", repeating),
        when=lambda asked: asked.path.endswith("_credentials"),
    )
    status, out, err = cli.mastodon_with(cli.allow)
    (token,) = cli.mastodon.logins.tokens
    assert status == 0
    assert f"MASTODON_ACCESS_TOKEN={token}\n" in out
    assert re.search(r"Logged in as \S*\*\*\*", err)
    assert not shows(err, token[:12])


# -- .env ------------------------------------------------------------------------------------------


@given(st.from_regex(r"[!-~]{1,60}", fullmatch=True))
def test_a_line_of_env_gives_back_any_token(value: str) -> None:
    text = f"BEFORE=1\n{setting('NAME', value)}\nAFTER=2\n"
    assert parse_dotenv(text) == ({"BEFORE": "1", "NAME": value, "AFTER": "2"}, ())


def test_usual_values_are_written_as_they_are() -> None:
    for value in ("ZA-Yj3aBD8U8Cm7lKUp_lm9O9B", "123-aB", "https://mastodon.example:8443/a"):
        assert setting("NAME", value) == f"NAME={value}"
    assert setting("NAME", "#'\\") == r"NAME='#\'\\'"


@pytest.mark.parametrize(
    ("before", "mode", "after"),
    [("", 0o600, "NAME"), ("A=1", 0o640, "A=1\nNAME"), ("A=1\n", 0o604, "A=1\n\nNAME")],
)
def test_a_line_before_ours_is_left_whole_and_readers_are_warned_of(
    cli: LoginWorld, before: str, mode: int, after: str
) -> None:
    env = cli.folder / ".env"
    env.write_text(before)
    env.chmod(mode)
    with env.open("a") as target:
        cli.patch.setattr(sys, "stdout", target)
        status, _, err = cli.mastodon_with(cli.allow)
        cli.patch.undo()
    assert status == 0
    assert env.read_text().startswith(after.replace("NAME", "MASTODON_API_BASE_URL="))
    assert parse_dotenv(env.read_text())[1] == ()
    assert ("chmod 600 .env" in err) == (mode != 0o600)
    assert "They are secrets. Anyone who has them can post." in err


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_at_a_terminal_the_lines_go_into_the_file_and_nothing_else_does(
    cli: LoginWorld, mode: int
) -> None:
    env = cli.folder / ".env"
    url = cli.sandbox.url("mastodon")
    env.write_text(f"BOT_HTTP_TIMEOUT=20\nMASTODON_ACCESS_TOKEN=old\nMASTODON_API_BASE_URL={url}")
    env.chmod(mode)
    with env.open("ab") as target:
        terminal = LoginProcess(cli.folder, target.fileno(), {})
    terminal.read(r"Code: $")
    os.write(terminal.screen, cli.allow(terminal.seen).encode())
    assert terminal.end() == 0
    (token,) = cli.mastodon.logins.tokens
    assert env.read_text() == (
        f"BOT_HTTP_TIMEOUT=20\nMASTODON_ACCESS_TOKEN=old\nMASTODON_API_BASE_URL={url}\n"
        f"MASTODON_API_BASE_URL={url}\nMASTODON_ACCESS_TOKEN={token}\n"
    )
    settings = load({}, cli.folder)
    assert settings.credentials["mastodon"].secrets["access_token"].reveal() == token
    assert settings.http_timeout == 20
    assert token not in terminal.seen
    assert "Written: MASTODON_API_BASE_URL, MASTODON_ACCESS_TOKEN." in terminal.seen
    assert ("chmod 600 .env" in terminal.seen) == (mode == 0o644)


def test_a_new_file_begins_with_the_first_line(cli: LoginWorld) -> None:
    environ = {"MASTODON_API_BASE_URL": cli.sandbox.url("mastodon")}
    with (cli.folder / "new.env").open("wb") as target:
        terminal = LoginProcess(cli.folder, target.fileno(), environ)
    terminal.read(r"Code: $")
    os.write(terminal.screen, cli.allow(terminal.seen).encode())
    assert terminal.end() == 0
    assert (cli.folder / "new.env").read_text().startswith("MASTODON_API_BASE_URL=")


def test_ctrl_c_at_a_terminal_leaves_the_file_as_it_was(cli: LoginWorld) -> None:
    environ = {"MASTODON_API_BASE_URL": cli.sandbox.url("mastodon")}
    env = cli.folder / ".env"
    env.write_text("BOT_TOP=3\n")
    with env.open("ab") as target:
        terminal = LoginProcess(cli.folder, target.fileno(), environ)
    terminal.read(r"Code: $")
    terminal.press_ctrl_c()
    assert terminal.end() == 75
    assert terminal.seen.endswith("Stopped.\n")
    assert "Traceback" not in terminal.seen
    assert env.read_text() == "BOT_TOP=3\n"


# -- secrets ---------------------------------------------------------------------------------------

MARK = "PLANTED"
PLANTED = OAuthKeys(
    consumer_key=f"{MARK}-consumer-key-0001",
    consumer_secret=f"{MARK}-consumer-secret-+/=-0002",
)
TALKATIVE = (
    *("", "tweepy", "tweepy.auth", "requests_oauthlib", "requests_oauthlib.oauth1_auth"),
    *("oauthlib", "oauthlib.oauth1.rfc5849", "oauthlib.oauth1.rfc5849.signature"),
    *("urllib3", "urllib3.connectionpool", "requests", "mastodon", "asyncio"),
)


@pytest.fixture
def planted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoginWorld]:
    """Networks that make marked secrets; whatever is logged is searched for them at the end."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [logger.level for logger in loggers]
    numbers = iter(range(999))

    def mint(kind: str) -> str:
        open_to_all = kind in {"id", "code", "request"}  # in the address, or typed
        return f"{kind if open_to_all else MARK}-{next(numbers)}-of-some-length"

    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    try:
        with networks(PLANTED) as (sandbox, x, mastodon):
            x.logins.mint = mastodon.logins.mint = mint
            yield LoginWorld(tmp_path, sandbox, x, mastodon, capsys, monkeypatch)
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
    assert MARK not in heard.getvalue()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_secrets_are_on_standard_output_and_nowhere_else(planted: LoginWorld) -> None:
    for ask in (planted.mastodon_with, planted.twitter_with):
        status, out, err = ask(planted.allow)
        assert status == 0
        assert MARK in out
        assert MARK not in err
        assert "error" not in out.lower()


FAULTS = (
    *(faults.CLOSED_BEFORE, faults.RESET_AFTER, faults.NOT_JSON, faults.EMPTY, faults.JSON_LIST),
    *(faults.cut_head(20), faults.cut_body(7), faults.server_error(502), faults.redirect(301)),
    faults.too_many(Network.MASTODON, None),
)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_whatever_goes_wrong_is_said_without_a_secret(
    planted: LoginWorld, fault: faults.Fault, at: int
) -> None:
    for network in ("mastodon", "twitter"):
        planted.sandbox.script(fault, network=network, at=at)
    for ask in (planted.mastodon_with, planted.twitter_with):
        status, out, err = ask(planted.allow, "b\n", "c\n")
        assert status in {0, 1, 2, 75}
        assert (MARK in out) == (status == 0)
        assert MARK not in err


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_network_that_repeats_what_it_was_sent_gives_nothing_away(
    planted: LoginWorld, status: int
) -> None:
    def echo(record: RequestRecord) -> faults.Fault | None:
        said = f"{record.request.header('authorization')} {record.body.decode()}".replace('"', "")
        answer = Response(status, f'{{"error": "{said}", "detail": "{said}"}}'.encode())
        return faults.refusal("echo", answer) if record.number >= 2 else None

    planted.sandbox.decide(echo)
    for ask in (planted.mastodon_with, planted.twitter_with):
        ended, out, err = ask(planted.allow, "b\n", "c\n")
        assert ended != 0
        assert MARK not in out + err
