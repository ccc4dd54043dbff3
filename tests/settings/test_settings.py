"""Settings: what is read from where, how every mistake is named, and that no secret is seen."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from textwrap import dedent

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.http.urls import is_loopback
from bot.model import Account, Links, Network, Style, Visibility
from bot.settings import CatchUp, LogFormat, Secret, Settings, load, offered, same_papers, table
from bot.settings.options import TABLE
from bot.settings.parsers import InvalidValue, duration
from bot.settings.sources import shown

NAMES = [option.name for option in TABLE]
TWITTER = {
    "TWITTER_CONSUMER_KEY": "planted-consumer-key",
    "TWITTER_CONSUMER_SECRET": "planted-consumer-secret",
    "TWITTER_ACCESS_TOKEN": "planted-access-token",
    "TWITTER_ACCESS_TOKEN_SECRET": "planted-token-secret",
}
MASTODON = {
    "MASTODON_API_BASE_URL": "https://social.example",
    "MASTODON_ACCESS_TOKEN": "planted-mastodon-token",
}
BLUESKY = {
    "BLUESKY_HANDLE": "papers.example.org",
    "BLUESKY_APP_PASSWORD": "planted-app-password",
}
EVERYTHING = (
    TWITTER
    | MASTODON
    | BLUESKY
    | {
        "GITHUB_TOKEN": "planted-github-token",
        "BOT_NOTIFY_URLS": "slack://planted/notify/url",
        "BOT_HEARTBEAT_URL": "https://hc.example/planted-heartbeat",
    }
)


def failure(environ: Mapping[str, str], folder: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(environ, folder)
    return caught.value


def problems(environ: Mapping[str, str], folder: Path) -> list[str]:
    return failure(environ, folder).message.splitlines()


def write(folder: Path, toml: str, name: str = "bot.toml") -> Path:
    path = folder / name
    path.write_text(dedent(toml), encoding="utf-8")
    return path


def with_locals(error: Exception) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def account(name: str, network: str, options: Mapping[str, object] | None = None) -> str:
    values = {"name": name, "network": network, **(options or {})}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(["[[accounts]]", *lines, ""])


def by_name(settings: Settings) -> dict[str, Account]:
    return {account.name: account for account in settings.accounts + settings.drafts}


# Values


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings == Settings(
        digests=None,
        templates=None,
        database=tmp_path / "state/bot.db",
        top=10,
        timezone="UTC",
        max_age=timedelta(days=3),
        catch_up=CatchUp.LATEST,
        http_timeout=30.0,
        retry_wait=2.0,
        patience=timedelta(minutes=15),
        settle=timedelta(minutes=2),
        pause=timedelta(seconds=2),
        repeat_days=0,
        twitter_reads=True,
        skip=(),
        digest_url=None,
        github_token=None,
        github_api_url="https://api.github.com",
        huggingface_url="https://huggingface.co",
        arxiv_rss_url="https://rss.arxiv.org",
        notify_urls=None,
        log_format=None,
        heartbeat_url=None,
        port=None,
        bind="127.0.0.1",
        accounts=(),
        credentials={},
        incomplete={},
        drafts=(),
        defaults=(
            Account("twitter", Network.TWITTER, max_characters=280),
            Account("mastodon", Network.MASTODON, max_characters=500),
            Account("bluesky", Network.BLUESKY, max_characters=300),
        ),
        config=None,
        warnings=(),
    )


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("BOT_DIGESTS", "https://example.org/a.md?x=1", "digests", "https://example.org/a.md?x=1"),
        ("BOT_DIGESTS", "http://127.0.0.1:8080/feed", "digests", "http://127.0.0.1:8080/feed"),
        ("BOT_DIGESTS", "github:o/r/a/b.c@v1", "digests", "github:o/r/a/b.c@v1"),
        ("BOT_DIGESTS", "github:o/r", "digests", "github:o/r"),
        ("BOT_DIGESTS", "/srv/digests", "digests", "/srv/digests"),
        ("BOT_TOP", "0", "top", 0),
        ("BOT_TOP", "007", "top", 7),
        ("BOT_TOP", " 12 ", "top", 12),
        ("BOT_TOP", "", "top", 10),
        ("BOT_TOP", " \t", "top", 10),
        ("BOT_MAX_AGE", "90s", "max_age", timedelta(seconds=90)),
        ("BOT_MAX_AGE", "15m", "max_age", timedelta(minutes=15)),
        ("BOT_MAX_AGE", "2h", "max_age", timedelta(hours=2)),
        ("BOT_MAX_AGE", "3650d", "max_age", timedelta(days=3650)),
        ("BOT_TIMEZONE", "Europe/Berlin", "timezone", "Europe/Berlin"),
        ("BOT_CATCH_UP", "ALL", "catch_up", CatchUp.ALL),
        ("BOT_LOG_FORMAT", "json", "log_format", LogFormat.JSON),
        ("PORT", "8080", "port", 8080),
        ("PORT", "0", "port", 0),
        ("PORT", "8080", "bind", "0.0.0.0"),  # noqa: S104 - it is what is tested
        ("BOT_BIND", "127.0.0.2", "bind", "127.0.0.2"),
        ("BOT_BIND", "0.0.0.0", "bind", "0.0.0.0"),  # noqa: S104 - (the same)
        ("BOT_BIND", "::", "bind", "::"),
        ("BOT_BIND", "[::1]", "bind", "::1"),
        ("BOT_BIND", " 0:0:0:0:0:0:0:1 ", "bind", "::1"),
        ("BOT_NOTIFY_URLS", "json://a, mailto://b", "notify_urls", Secret("json://a, mailto://b")),
        ("BOT_HEARTBEAT_URL", "https://hc.test/x", "heartbeat_url", Secret("https://hc.test/x")),
        ("BOT_HTTP_TIMEOUT", "2.5", "http_timeout", 2.5),
        ("BOT_HTTP_TIMEOUT", "45s", "http_timeout", 45.0),
        ("BOT_HTTP_TIMEOUT", "2m", "http_timeout", 120.0),
        ("BOT_RETRY_WAIT", "0.5", "retry_wait", 0.5),
        ("BOT_PATIENCE", "0", "patience", timedelta()),
        ("BOT_SETTLE", "90s", "settle", timedelta(seconds=90)),
        ("BOT_PAUSE", "0", "pause", timedelta()),
        ("BOT_REPEAT_DAYS", "7", "repeat_days", 7),
        ("TWITTER_READ_BACK", "OFF", "twitter_reads", False),
        ("BOT_DATABASE", "/srv/bot.db", "database", Path("/srv/bot.db")),
        ("BOT_SKIP", "a, b ,,a", "skip", ("a", "b")),
        (
            "BOT_DIGEST_URL",
            "https://example.org/{slug}/?a=1#top",
            "digest_url",
            "https://example.org/{slug}/?a=1#top",
        ),
        ("BOT_GITHUB_API_URL", "https://git.example/api/v3/", "github_api_url", None),
        ("BOT_GITHUB_API_URL", "http://[::1]:8080", "github_api_url", "http://[::1]:8080"),
        ("GITHUB_TOKEN", " abc ", "github_token", Secret("abc")),
    ],
)
def test_a_good_value_is_typed(
    name: str, text: str, field: str, value: object, tmp_path: Path
) -> None:
    expected = "https://git.example/api/v3" if value is None else value
    assert getattr(load({name: text}, tmp_path), field) == expected


@pytest.mark.parametrize(
    ("environ", "dotenv", "bind"),
    [
        ({"PORT": "80"}, "", "0.0.0.0"),  # noqa: S104 - it is what is tested
        ({"PORT": "80"}, "PORT=81", "0.0.0.0"),  # noqa: S104 - (the same)
        ({}, "PORT=81", "127.0.0.1"),
        ({"PORT": " "}, "PORT=81", "127.0.0.1"),
        ({"PORT": "80"}, "BOT_BIND=::1", "::1"),
        ({"PORT": "80", "BOT_BIND": "127.0.0.1"}, "BOT_BIND=::1", "127.0.0.1"),
        ({"BOT_BIND": "::"}, "PORT=81", "::"),
    ],
)
def test_a_port_of_the_environment_is_for_others_and_one_of_dotenv_is_not(
    environ: dict[str, str], dotenv: str, bind: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(dotenv)
    assert load(environ, tmp_path).bind == bind


HTTPS = "an https:// address without user, password or query (http:// only for this machine)"
ALLOWED = {
    "BOT_TOP": "a whole number from 0 (all papers) to 1000000",
    "BOT_MAX_AGE": "a duration such as 90s, 15m, 2h or 3d, up to 3650d",
    "BOT_HTTP_TIMEOUT": "a number of seconds above 0, up to 600, such as 30 or 2.5",
    "BOT_SKIP": "slugs with commas between them",
    "BOT_SCHEDULE": "five fields of cron, such as */30 * * * * or 0 9 * * 1-5",
    "BOT_TIMEZONE": "a time zone such as UTC or Europe/Berlin",
    "BOT_CATCH_UP": "latest or all",
    "BOT_LOG_FORMAT": "text or json",
    "BOT_PICTURE": "on or off",
    "PORT": "a whole number from 0 to 65535",
    "BOT_BIND": "an IP address of this machine, such as 127.0.0.1, 0.0.0.0, ::1 or ::",
    "BOT_HEARTBEAT_URL": "an https:// address (http:// only for this machine)",
    "BOT_DIGESTS": "a folder, a file, an https:// address without user or password (http:// only "
    "for this machine), github:owner/repo/folder[@ref], huggingface, or arxiv:cs.CL+cs.LG",
    "BOT_TEMPLATES": "a folder that exists",
    "BOT_DIGEST_URL": "an https:// address with {slug} in it (http:// only for this machine)",
    "TWITTER_API_URL": HTTPS,
    "TWITTER_STYLE": "thread or single",
    "TWITTER_LINKS": "every, closing or none",
    "TWITTER_MONTHLY_BUDGET": "0 or more US dollars, such as 25 or 7.50",
    "MASTODON_VISIBILITY": "public, unlisted, private or direct",
    "MASTODON_MAX_CHARACTERS": "a whole number from 100 to 100000",
    "MASTODON_API_BASE_URL": HTTPS,
    "BLUESKY_HANDLE": "a handle such as name.bsky.social, or a DID",
    "BLUESKY_APP_PASSWORD": "printable ASCII without white space",
}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("BOT_TOP", "ten", ', not "ten"'),
        ("BOT_TOP", "1.5", ', not "1.5"'),
        ("BOT_TOP", "٣", ', not "٣"'),
        ("BOT_TOP", "-1", ', not "-1"'),
        ("BOT_TOP", "9" * 40, f', not "{"9" * 40}"'),
        ("BOT_TOP", "9" * 9000, f', not "{"9" * 200}…"'),
        ("BOT_TOP", "\x1b[31m\ud800\u202e", ', not "\\x1b[31m\\ud800\\u202e"'),
        ("BOT_MAX_AGE", "3", ', not "3"'),
        ("BOT_MAX_AGE", "-3d", ', not "-3d"'),
        ("BOT_MAX_AGE", "٣d", ', not "٣d"'),
        ("BOT_MAX_AGE", "3w", ', not "3w"'),
        ("BOT_MAX_AGE", "0d", '; "0d" is too short'),
        ("BOT_MAX_AGE", "3651d", '; "3651d" is too long'),
        ("BOT_MAX_AGE", f"{'9' * 30}d", f'; "{"9" * 30}d" is too long'),
        ("BOT_MAX_AGE", f"{'9' * 5000}d", f'; "{"9" * 200}…" is too long'),
        (
            "BOT_SCHEDULE",
            "60 * * * *",
            (
                '; "60 * * * *" is not a cron line, '
                "since the minute '60' has 60, but allows only 0 to 59"
            ),
        ),
        ("BOT_TIMEZONE", "berlin", '; "berlin" is not a time zone (did you mean Europe/Berlin?)'),
        ("BOT_PICTURE", "maybe", ', not "maybe"'),
        ("BOT_CATCH_UP", "some", ', not "some"'),
        ("BOT_LOG_FORMAT", "xml", ', not "xml"'),
        ("PORT", "http", ', not "http"'),
        ("PORT", "65536", ', not "65536"'),
        ("BOT_BIND", "localhost", ', not "localhost"'),
        ("BOT_BIND", "127.0.0.1:80", ', not "127.0.0.1:80"'),
        ("BOT_BIND", "[127.0.0.1]", ', not "[127.0.0.1]"'),
        ("BOT_BIND", "127.0.0.01", ', not "127.0.0.01"'),
        ("BOT_BIND", "[::1", ', not "[::1"'),
        ("BOT_BIND", "*", ', not "*"'),
        ("BOT_BIND", "fe80::1%eth0", '; "fe80::1%eth0" names a network interface'),
        ("BOT_BIND", ":" * 9000, f', not "{":" * 200}…"'),
        (
            "BOT_HEARTBEAT_URL",
            "http://hc.example/hidden",
            "; the value (not shown) is plain http to another machine",
        ),
        ("BOT_HTTP_TIMEOUT", "soon", ', not "soon"'),
        ("BOT_HTTP_TIMEOUT", "601", ', not "601"'),
        ("BOT_HTTP_TIMEOUT", "0", ', not "0"'),
        ("BOT_SKIP", "a b,c", '; "a b" is not a slug'),
        ("BOT_DIGESTS", "ftp://a.example/b", '; "ftp://a.example/b" is not a web address'),
        ("BOT_DIGESTS", "github:o", '; "github:o" is not github:owner/repo/folder[@ref]'),
        ("BOT_DIGESTS", "~/a", '; "~/a" begins with ~, which only a shell replaces'),
        ("BOT_DIGESTS", "a\0b", '; "a\\x00b" has a character that cannot be printed'),
        (
            "BOT_DIGESTS",
            "https://me:hidden@a.example/?key=hidden",
            '; "https://***@a.example/?***" has a user name or password',
        ),
        ("BOT_TEMPLATES", "missing", ', not "missing"'),
        ("BOT_DIGEST_URL", "https://a.example/", '; "https://a.example/" has no {slug}'),
        (
            "BOT_DIGEST_URL",
            "https://a.example/{slug}/{day}",
            '; "https://a.example/{slug}/{day}" has other braces than {slug}',
        ),
        ("TWITTER_API_URL", "http://x.com", '; "http://x.com" is plain http to another machine'),
        ("TWITTER_STYLE", "threads", ', not "threads"'),
        ("TWITTER_LINKS", "all", ', not "all"'),
        ("TWITTER_MONTHLY_BUDGET", "-1", ', not "-1"'),
        ("TWITTER_MONTHLY_BUDGET", "NaN", ', not "NaN"'),
        ("MASTODON_VISIBILITY", "all", ', not "all"'),
        ("MASTODON_MAX_CHARACTERS", "99", ', not "99"'),
        ("MASTODON_MAX_CHARACTERS", "100001", ', not "100001"'),
        ("MASTODON_API_BASE_URL", "a.example", '; "a.example" is not a web address'),
        ("MASTODON_API_BASE_URL", "me:hidden@a.example", '; "***@a.example" is not a web address'),
        ("BLUESKY_HANDLE", "papers", '; "papers" is not a handle'),
        (
            "BLUESKY_APP_PASSWORD",
            "two words",
            "; the value (not shown) has white space or a character outside ASCII",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    assert problems({name: text}, tmp_path) == [f"{name} must be {ALLOWED[name]}{said}"]


@pytest.mark.parametrize("text", ["0", "0.0", "601", "11m", "-1", "inf", "1e3", "٣", "1" * 5000])
def test_a_timeout_is_more_than_nothing_and_at_most_ten_minutes(text: str, tmp_path: Path) -> None:
    assert problems({"BOT_HTTP_TIMEOUT": text}, tmp_path)[0].startswith("BOT_HTTP_TIMEOUT must ")


@pytest.mark.parametrize(
    "text",
    [
        "https://",
        "https://:443",
        "https://example.org:port",
        "https://[::1",
        "https://exa mple.org",
        "https://good.example\\@evil.example",
        "https://user@example.org",
        "https://example.org/?a=1",
        "https://example.org/#a",
        "https://example.org?",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0x7f.1",
        "http://10.0.0.1",
        "//example.org",
        "https:example.org",
        "javascript:alert(1)",
        "https://exam\u200bple.org",
        "https://example.org/\u200b",
        "https://example.org/\x01",
        "https://{slug}.example.org",
    ],
)
def test_an_address_that_is_not_safe_to_ask_is_refused(text: str, tmp_path: Path) -> None:
    assert len(problems({"MASTODON_API_BASE_URL": text}, tmp_path)) == 1


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("127.999.1.1", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(host: str, own: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_loopback(host) is own


def test_a_duration_may_be_nothing_where_that_makes_sense(tmp_path: Path) -> None:
    kind = duration(zero=True)
    assert kind.allowed.startswith("0 or a duration")
    assert kind.read("0", tmp_path) == kind.read("0m", tmp_path) == timedelta()
    assert kind.read("2s", tmp_path) == timedelta(seconds=2)
    with pytest.raises(InvalidValue):
        duration().read("0", tmp_path)


def test_what_follows_a_name_too_long_for_the_disk_is_an_error_too(tmp_path: Path) -> None:
    lines = problems({"BOT_TEMPLATES": "x" * 5000, "BOT_CONFIG": "y" * 5000}, tmp_path)
    assert [line.split()[0] for line in lines] == ["BOT_CONFIG:", "BOT_TEMPLATES"]


def test_every_wrong_value_is_reported_at_once_with_a_mend(tmp_path: Path) -> None:
    write(tmp_path, "digest_url = 'x'\n[[accounts]]\nname = 'A'\nnetwork = 'x'\ntop = 'y'\n")
    (tmp_path / ".env").write_text("BOT_MAX_AGE=old\nnonsense here\n", encoding="utf-8")
    error = failure({"BOT_TOP": "ten", "TWITTER_LINKS": "many"}, tmp_path)
    assert [re.split(": | must", line)[0] for line in error.message.splitlines()] == [
        f"{tmp_path}/.env:2",
        "BOT_TOP",
        f"BOT_MAX_AGE in {tmp_path}/.env",
        f"{tmp_path}/bot.toml",
        "TWITTER_LINKS",
        f"{tmp_path}/bot.toml, account 1",
        f"{tmp_path}/bot.toml, account 1",
    ]
    assert error.fix == "Correct the value, or leave it empty for the default."


# Where values stand


def test_the_environment_goes_before_dotenv_and_dotenv_before_the_file(tmp_path: Path) -> None:
    write(tmp_path, "top = 3\nmax_age = '3h'\nhttp_timeout = 3\n")
    (tmp_path / ".env").write_text("BOT_TOP=2\nBOT_MAX_AGE=2h\n", encoding="utf-8")
    settings = load({"BOT_TOP": "1"}, tmp_path)
    assert (settings.top, settings.max_age, settings.http_timeout) == (1, timedelta(hours=2), 3.0)
    assert load({"BOT_TOP": " "}, tmp_path).top == 2
    assert settings.config == tmp_path / "bot.toml"


def test_an_empty_name_in_the_environment_is_nothing(tmp_path: Path) -> None:
    assert load({"": "de"}, tmp_path).defaults[0].language == "en"


def test_dotenv_is_read_as_people_write_it(tmp_path: Path) -> None:
    lines = ["\ufeff# ours", "export BOT_TOP = 4 # few", "", "BOT_SKIP='a, b'", "BOT_MAX_AGE="]
    text = "\r\n".join([*lines, 'GITHUB_TOKEN="x${HOME}$y"'])
    (tmp_path / ".env").write_bytes(text.encode())
    settings = load({"HOME": "/home"}, tmp_path)
    assert (settings.top, settings.skip, settings.max_age) == (4, ("a", "b"), timedelta(days=3))
    assert settings.github_token == Secret("x${HOME}$y")


def test_a_wrong_value_in_dotenv_says_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BOT_TOP=ten\n", encoding="utf-8")
    assert problems({}, tmp_path) == [
        f'BOT_TOP in {tmp_path}/.env must be {ALLOWED["BOT_TOP"]}, not "ten"'
    ]


def test_malformed_lines_of_dotenv_are_counted_and_not_shown(tmp_path: Path) -> None:
    lines = ["BOT_TOP=4", "", "", "planted-half-of-a-token", "# fine"]
    text = "\n".join([*lines, 'GITHUB_TOKEN="planted-open', "planted two = 3", ""])
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert problems({}, tmp_path) == [
        f"{tmp_path}/.env:{line}: this line is not NAME=value "
        "(it is not shown, since it may hold a secret)"
        for line in (4, 6, 7)
    ]


def test_a_folder_called_dotenv_is_someone_elses(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    (tmp_path / "bot.toml").mkdir()
    elsewhere = load({}, tmp_path / "missing")
    assert load({}, tmp_path) == replace(elsewhere, database=tmp_path / "state/bot.db")


@pytest.mark.parametrize("name", [".env", "bot.toml"])
def test_a_file_that_cannot_be_used_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"# one\n# two\n# \xff three\n")
    assert problems({}, tmp_path) == [f"{path}:3: this line is not UTF-8"]
    path.write_bytes(b"#" * 1_000_001)
    assert problems({}, tmp_path) == [
        f"{path} is larger than 1 MB, the limit for a file of settings"
    ]
    path.unlink()
    path.symlink_to(path)
    assert problems({}, tmp_path)[0].startswith(f"{path} cannot be read (")


def test_bot_config_names_another_file(tmp_path: Path) -> None:
    write(tmp_path, "top = 1\n")
    (tmp_path / "deep" / "templates").mkdir(parents=True)
    (tmp_path / "templates").mkdir()
    other = write(
        tmp_path / "deep", "top = 2\ntemplates = 'templates'\ndigests = 'in'\n", "other.toml"
    )
    for named in ("deep/other.toml", str(other)):
        settings = load({"BOT_CONFIG": named}, tmp_path)
        assert (settings.top, settings.config) == (2, other)
        assert settings.templates == tmp_path / "deep" / "templates"
        assert settings.digests == str(tmp_path / "deep" / "in")
    (tmp_path / ".env").write_text("BOT_CONFIG=deep/other.toml\nBOT_DIGESTS=in\n", encoding="utf-8")
    settings = load({"BOT_TEMPLATES": "templates"}, tmp_path)
    assert (settings.top, settings.digests) == (2, str(tmp_path / "in"))
    assert settings.templates == tmp_path / "templates"


@pytest.mark.parametrize("name", ["missing.toml", ".", "bot.toml/x"])
def test_a_named_file_that_is_not_there_is_an_error(name: str, tmp_path: Path) -> None:
    write(tmp_path, "")
    expected = f'BOT_CONFIG must be a file that exists, not "{tmp_path / name}"'
    assert problems({"BOT_CONFIG": name}, tmp_path) == [expected]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("top = 1\ntop = 2\n", ":2: Cannot overwrite a value"),
        ("top = planted-secret\n", ":1: Invalid value"),
        ("top = 1\nskip = [", ":2: Invalid value"),
        ("top = 1\nskip", ":2: Expected '=' after a key in a key/value pair"),
        ("a = " + "[" * 100_000, " is nested too deeply, or has a number that is too long"),
        ("a = " + "9" * 5000, " is nested too deeply, or has a number that is too long"),
    ],
)
def test_bad_toml_is_named_with_file_and_line(text: str, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    assert problems({}, tmp_path) == [f"{path}{problem}"]
    named = problems({"BOT_CONFIG": "bot.toml"}, tmp_path)
    assert named == [f"BOT_CONFIG: {path}{problem}"]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_bytes(b"\xef\xbb\xbftop = 3\r\n")
    assert load({}, tmp_path).top == 3


def test_bot_toml_may_say_all_that_is_no_secret(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        digests = "https://example.org/feed.xml"
        templates = "."
        top = 0
        max_age = "1d"
        http_timeout = 2.5
        skip = ["a", " b "]
        digest_url = "https://example.org/{slug}"
        github_api_url = "https://git.example/api"
        twitter_api_url = "https://gateway.example"
        twitter_style = "single"
        twitter_links = "none"
        twitter_monthly_budget = 12.5
        mastodon_api_base_url = " "
        mastodon_visibility = "Unlisted"
        mastodon_max_characters = 1000
        """,
    )
    settings = load({}, tmp_path)
    assert (settings.top, settings.http_timeout, settings.skip) == (0, 2.5, ("a", "b"))
    assert settings.templates == tmp_path
    twitter, mastodon, bluesky = settings.defaults
    assert (twitter.style, twitter.links) == (Style.SINGLE, Links.NONE)
    assert twitter.monthly_budget == Decimal("12.5")
    assert (mastodon.visibility, mastodon.max_characters) == (Visibility.UNLISTED, 1000)
    assert bluesky == Account(
        "bluesky", Network.BLUESKY, top=0, max_characters=300, templates=tmp_path
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("true", "true or false"),
        ("[1, 2]", "a list with values other than text"),
        ("{ a = 'planted-secret' }", "a table or a date"),
        ("2021-06-22", "a table or a date"),
        ("['a']", "a list"),
        ("inf", "a number that large"),
        ("nan", "a number that large"),
        ("0x" + "f" * 5000, "a number that large"),
        ("1.5", '"1.5"'),
        ("'ten'", '"ten"'),
    ],
)
def test_what_toml_can_say_and_a_setting_cannot(value: str, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"top = {value}\n")
    assert problems({}, tmp_path) == [f"{path}: top must be {ALLOWED['BOT_TOP']}, not {problem}"]


def test_secrets_are_refused_in_the_file_and_not_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "github_token = 'planted'\nTWITTER_ACCESS_TOKEN = 'planted'\n")
    assert problems({}, tmp_path) == [
        f"{path}: {key} is a secret and does not belong in this file; put {name} into the "
        "environment or .env"
        for key, name in [
            ("github_token", "GITHUB_TOKEN"),
            ("TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_TOKEN"),
        ]
    ]


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    path = write(tmp_path, "tpo = 1\nBOT_TOP = 2\nconfig = 'x'\npassword = 'planted'\n'' = 1\n")
    assert problems({}, tmp_path) == [
        f'{path}: "tpo" is not a setting; did you mean top?',
        f'{path}: "BOT_TOP" is not a setting; did you mean top?',
        f'{path}: "config" is not a setting',
        f'{path}: "password" is not a setting',
        f'{path}: "" is not a setting',
    ]


# Names


def test_a_misspelled_variable_is_a_warning_without_its_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("mastodon_visibilty=planted\nBOT_EMPTY=\n", encoding="utf-8")
    names = [
        "BOT_TPO",
        "BOT_DATABSE",
        "TWITTER_ACCES_TOKEN",
        "BLUESKY_" + "X" * 3000,
        "EDITOR",
        "GITHUB_ACTOR",
    ]
    settings = load(dict.fromkeys(names, "planted"), tmp_path)
    assert settings.warnings == (
        f'"BLUESKY_{"X" * 192}…" is not a setting',
        '"BOT_DATABSE" is not a setting; did you mean BOT_DATABASE?',
        '"BOT_TPO" is not a setting; did you mean BOT_TOP?',
        '"TWITTER_ACCES_TOKEN" is not a setting; did you mean TWITTER_ACCESS_TOKEN?',
        '"mastodon_visibilty" is not a setting; did you mean MASTODON_VISIBILITY?',
    )


def test_the_table_names_every_variable_once() -> None:
    lines = table().splitlines()
    assert lines[:2] == ["| variable | default | meaning |", "| --- | --- | --- |"]
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| `{name}`" for name in NAMES]
    assert all(line.count("|") == 4 for line in lines)
    assert len({*NAMES}) == len(NAMES) == 45


def test_the_defaults_in_the_table_are_the_defaults(tmp_path: Path) -> None:
    written = {option.name: option.written.strip("`") for option in TABLE if option.default}
    assert len(written) > 8
    written.pop("BOT_SKIP", None)
    assert load(written, tmp_path) == load({}, tmp_path)


# Secrets


def test_a_secret_shows_itself_as_stars() -> None:
    secret = Secret("planted")
    assert secret.reveal() == "planted"
    views = [repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret]  # noqa: UP031 - the old way must be safe too
    views += [json.dumps({"a": secret}, default=str), repr([secret]), f"{secret:}"]
    assert {view.replace("***", "") for view in views} == {"", '{"a": ""}', "[]"}
    assert f"{secret:>5}" == "  ***"
    assert "planted" not in repr(getattr(secret, "__dict__", {}))


def test_a_secret_is_a_value() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a")
    assert not Secret("")
    secret = Secret("a")
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


def test_a_secret_is_not_serialised() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret("planted"))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(Secret("planted"), protocol)
    with pytest.raises(TypeError, match="cannot be pickled"):
        Secret("planted").__getstate__()


def test_no_view_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    settings = load(EVERYTHING, tmp_path)
    assert (
        settings.credentials["twitter"].secrets["consumer_key"].reveal() == "planted-consumer-key"
    )
    views = [repr(settings), f"{settings}", repr(dataclasses.asdict(settings))]
    views += [repr(copy.copy(settings)), repr(copy.deepcopy(settings))]
    views += [repr(getattr(settings, field.name)) for field in dataclasses.fields(settings)]
    views += [json.dumps(dataclasses.asdict(settings), default=str)]
    for view in views:
        assert "planted" not in view
    assert "***" in views[0]
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(settings)
    with pytest.raises(TypeError):
        vars(settings)


def test_a_traceback_with_its_locals_shows_no_secret(tmp_path: Path) -> None:
    def fail(settings: Settings) -> None:
        raise ValueError(settings.top)

    try:
        fail(load(EVERYTHING, tmp_path))
    except ValueError as error:
        report = with_locals(error)
    assert "github_token=***" in report
    assert "planted" not in report


def test_an_error_of_loading_shows_no_secret_nor_its_locals(tmp_path: Path) -> None:
    try:
        load({**EVERYTHING, "BOT_TOP": "ten"}, tmp_path)
    except SettingsError as error:
        report = with_locals(error)
    assert "BOT_TOP" in report
    assert "planted" not in report


def test_a_secret_in_the_wrong_variable_is_blotted_out(tmp_path: Path) -> None:
    token = TWITTER["TWITTER_ACCESS_TOKEN"]
    wrong = {"BOT_TOP": token, f"BOT_{token}": "1", "BOT_MAX_AGE": f"x{token}x"}
    lines = problems(TWITTER | wrong, tmp_path)
    assert [line.rpartition(", not ")[2] for line in lines] == ['"***"', '"x***x"']
    settings = load(TWITTER | {f"BOT_{token}": "1", "GITHUB_TOKEN": "BOT"}, tmp_path)
    assert settings.warnings == ('"BOT_***" is not a setting',)


@given(
    st.text(), st.sampled_from(["", "a", "https://", "x://y:"]), st.sampled_from(["", "@h", "@"])
)
def test_what_is_shown_is_printable_and_short(text: str, before: str, after: str) -> None:
    quoted = shown(before + text + after)
    assert quoted.isprintable()
    assert quoted[0] == quoted[-1] == '"'
    assert len(quoted) < 2200


@given(st.from_regex(r"[a-zA-Z0-9!%&*+./:@?#-]{1,40}", fullmatch=True))
def test_a_password_in_an_address_is_never_shown(password: str) -> None:
    assert shown(f"https://me:{password}\t@example.org/a?k=v") == '"https://***@example.org/a?***"'


def test_a_token_in_quotes_is_named_and_not_shown(tmp_path: Path) -> None:
    """They were meant for a shell, and came along from where it was copied."""
    for name, value in (TWITTER | MASTODON | BLUESKY).items():
        if name in {"MASTODON_API_BASE_URL", "BLUESKY_HANDLE"}:
            continue
        for quote in "\"'":
            (line,) = problems(
                TWITTER | MASTODON | BLUESKY | {name: quote + value + quote}, tmp_path
            )
            assert line.startswith(f"{name} must be printable ASCII")
            assert line.endswith("; the value (not shown) is in quotes, which are not part of it")
            assert "planted" not in line
    odd = {"MASTODON_ACCESS_TOKEN": "planted'token\"", "GITHUB_TOKEN": '"'}
    assert load(MASTODON | odd, tmp_path).credentials["mastodon"].secrets["access_token"] == Secret(
        "planted'token\""
    )


def test_dotenv_takes_quotes_off_as_shells_do(tmp_path: Path) -> None:
    lines = [f'{name}="{value}"' for name, value in MASTODON.items()]
    write(tmp_path, "\n".join(lines), ".env")
    secrets = load({}, tmp_path).credentials["mastodon"].secrets
    assert secrets["access_token"] == Secret("planted-mastodon-token")


# X's own names of the app's key and secret

API = {"TWITTER_API_KEY": "planted-api-key", "TWITTER_API_SECRET": "planted-api-secret"}
TOKENS = {
    "TWITTER_ACCESS_TOKEN": "42-planted-access-token",
    "TWITTER_ACCESS_TOKEN_SECRET": "planted-token-secret",
}


def app_of(settings: Settings) -> tuple[str, str]:
    secrets = settings.credentials["twitter"].secrets
    return secrets["consumer_key"].reveal(), secrets["consumer_secret"].reveal()


def test_the_names_of_x_s_console_stand_for_the_consumer_key_and_secret(tmp_path: Path) -> None:
    settings = load(API | TOKENS, tmp_path)
    assert app_of(settings) == ("planted-api-key", "planted-api-secret")
    assert (settings.warnings, settings.incomplete) == ((), {})
    assert "planted" not in repr(settings)
    write(tmp_path, "\n".join(f"{name}={value}" for name, value in API.items()), ".env")
    assert app_of(load(TOKENS, tmp_path)) == ("planted-api-key", "planted-api-secret")


def test_the_consumer_names_go_before_them(tmp_path: Path) -> None:
    settings = load(API | TWITTER, tmp_path)
    assert app_of(settings) == ("planted-consumer-key", "planted-consumer-secret")
    assert settings.warnings == ()
    consumer = [f"{name}={value}" for name, value in TWITTER.items() if "CONSUMER" in name]
    write(tmp_path, "\n".join(consumer), ".env")
    assert app_of(load(API | TOKENS, tmp_path)) == (
        "planted-consumer-key",
        "planted-consumer-secret",
    )


def test_one_of_them_alone_leaves_the_other_missing(tmp_path: Path) -> None:
    settings = load(TOKENS | {"TWITTER_API_KEY": "planted-api-key"}, tmp_path)
    assert settings.incomplete == {"twitter": ("TWITTER_CONSUMER_SECRET",)}
    assert settings.warnings == ()


def test_what_is_wrong_with_one_of_them_names_it_and_shows_nothing(tmp_path: Path) -> None:
    (line,) = problems(API | TOKENS | {"TWITTER_API_KEY": "planted api key"}, tmp_path)
    assert line.startswith("TWITTER_CONSUMER_KEY (set as TWITTER_API_KEY) must be ")
    assert "planted" not in line
    (line,) = problems(API | TOKENS | {"BOT_TOP": API["TWITTER_API_SECRET"]}, tmp_path)
    assert line.startswith("BOT_TOP must be ")
    assert line.endswith(', not "***"')
    write(tmp_path, 'twitter_api_secret = "planted-api-secret"\n')
    (line,) = problems({}, tmp_path)
    assert "twitter_api_secret is a secret and does not belong in this file" in line
    assert "planted" not in line


# What requests takes from the environment

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named(name: str, tmp_path: Path) -> None:
    for missing in (str(tmp_path / "company.pem"), f"/{'x' * 5000}"):
        (line,) = problems({name: missing}, tmp_path)
        assert line.startswith(f"{name} must be a file of certificates, but ")
    (tmp_path / "company.pem").write_text("", encoding="utf-8")
    for there in (str(tmp_path / "company.pem"), str(tmp_path), ""):
        load({name: there}, tmp_path)


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize(
    "proxy",
    [
        *("http://", "http://:3128", "://proxy.example:3128", "htp://proxy.example:3128"),
        *("http://proxy.example:port", "http://proxy.example:0", "http://proxy.example:99999"),
        *("http://[::1", "ftp://proxy.example", "http://me:planted@proxy.example:port"),
        *("me:planted@proxy.example:port", "http://me:pl/anted@proxy.example:3128"),
        *("'http://proxy.example:3128'", "me:planted@"),
    ],
)
def test_a_malformed_proxy_is_named_and_its_password_not_shown(
    name: str, proxy: str, tmp_path: Path
) -> None:
    (line,) = problems({name: proxy}, tmp_path)
    assert line.startswith(f"{name} must be a proxy such as http://host:3128, not ")
    assert "planted" not in line
    assert "pl/anted" not in line


@pytest.mark.parametrize(
    "proxy",
    ["proxy:3128", "localhost:3128", "http:/proxy.example:3128", "http://proxy example:3128"],
)
def test_a_proxy_that_requests_would_refuse_at_every_request_is_named(
    proxy: str, tmp_path: Path
) -> None:
    """Without `http://`, requests takes a host without a dot for a scheme."""
    with pytest.raises((requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidURL)):
        requests.get("http://127.0.0.1:9/", proxies={"http": proxy}, timeout=10)
    (line,) = problems({"HTTPS_PROXY": proxy}, tmp_path)
    assert line.startswith("HTTPS_PROXY must be a proxy such as ")


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://proxy.example:3128", "https://proxy.example", "proxy.example:3128", ""),
        *("http://me:planted@proxy.example:3128/", "http://[::1]:3128", "HTTP://PROXY.EXAMPLE:1"),
    ],
)
def test_a_proxy_as_people_write_one_is_taken(proxy: str, tmp_path: Path) -> None:
    for name in PROXIES:
        load({name: proxy}, tmp_path)


def test_a_proxy_of_dotenv_is_nobody_s(tmp_path: Path) -> None:
    """What requests reads is the environment alone."""
    write(tmp_path, "HTTPS_PROXY=://\nREQUESTS_CA_BUNDLE=nowhere.pem\n", ".env")
    load({}, tmp_path)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a"])
def test_a_socks_proxy_needs_its_library(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"https_proxy": f"{scheme}://me:planted@proxy.example:1080"}
    there: list[object] = []
    monkeypatch.setattr("bot.settings.sources.find_spec", lambda _: there[0] if there else None)
    (line,) = problems(environ, tmp_path)
    assert line.startswith("https_proxy names a SOCKS proxy, which needs PySocks")
    assert "pip install pysocks" in line
    assert "planted" not in line
    there.append(object())
    load(environ, tmp_path)


# Accounts of the variables


def test_each_network_makes_an_account_when_its_secrets_are_set(tmp_path: Path) -> None:
    options = {
        "BOT_TOP": "5",
        "TWITTER_MONTHLY_BUDGET": "0",
        "TWITTER_LINKS": "closing",
        "MASTODON_MAX_CHARACTERS": "5000",
        "BLUESKY_HANDLE": "@Papers.Example.org",
        "BLUESKY_SERVICE_URL": "https://pds.example/",
    }
    settings = load(EVERYTHING | options, tmp_path)
    assert settings.accounts == settings.defaults
    assert [account.name for account in settings.accounts] == ["twitter", "mastodon", "bluesky"]
    assert [account.max_characters for account in settings.accounts] == [280, 5000, 300]
    assert {account.top for account in settings.accounts} == {5}
    assert settings.accounts[0].monthly_budget == Decimal(0)
    assert settings.accounts[0].links is Links.CLOSING
    twitter, mastodon, bluesky = settings.credentials.values()
    assert (twitter.network, twitter.base_url, twitter.handle) == (
        Network.TWITTER,
        "https://api.x.com",
        "",
    )
    assert {role: secret.reveal() for role, secret in twitter.secrets.items()} == {
        "consumer_key": "planted-consumer-key",
        "consumer_secret": "planted-consumer-secret",
        "access_token": "planted-access-token",
        "access_token_secret": "planted-token-secret",
    }
    assert (mastodon.base_url, mastodon.handle) == ("https://social.example", "")
    assert mastodon.secrets == {"access_token": Secret("planted-mastodon-token")}
    assert (bluesky.base_url, bluesky.handle) == ("https://pds.example", "papers.example.org")
    assert bluesky.secrets == {"app_password": Secret("planted-app-password")}
    assert settings.incomplete == {}


def test_a_did_is_a_handle(tmp_path: Path) -> None:
    settings = load(BLUESKY | {"BLUESKY_HANDLE": "did:plc:abc123"}, tmp_path)
    assert settings.credentials["bluesky"].handle == "did:plc:abc123"


@pytest.mark.parametrize(
    "text", ["\u202a@name.bsky.social\u202c", " @Name.bsky.social", "name.bsky.social\u200e"]
)
def test_a_handle_is_read_as_it_is_copied_from_a_page(text: str, tmp_path: Path) -> None:
    settings = load(BLUESKY | {"BLUESKY_HANDLE": text}, tmp_path)
    assert settings.credentials["bluesky"].handle == "name.bsky.social"


def test_half_set_secrets_are_incomplete_and_say_what_is_missing(tmp_path: Path) -> None:
    settings = load(
        {"TWITTER_ACCESS_TOKEN": "a", "TWITTER_CONSUMER_KEY": "b", "BLUESKY_APP_PASSWORD": "c"}
        | {"MASTODON_API_BASE_URL": "https://social.example", "TWITTER_STYLE": "single"},
        tmp_path,
    )
    assert (settings.accounts, settings.credentials, settings.drafts) == ((), {}, ())
    assert settings.incomplete == {
        "twitter": ("TWITTER_CONSUMER_SECRET", "TWITTER_ACCESS_TOKEN_SECRET"),
        "mastodon": ("MASTODON_ACCESS_TOKEN",),
        "bluesky": ("BLUESKY_HANDLE",),
    }


def test_options_alone_begin_no_account(tmp_path: Path) -> None:
    options = {"TWITTER_API_URL": "https://a.example", "BLUESKY_SERVICE_URL": "https://b.example"}
    settings = load(options | {"MASTODON_VISIBILITY": "private"}, tmp_path)
    assert (settings.accounts, settings.incomplete) == ((), {})


# Accounts of bot.toml

SCIENCE = account(
    "science",
    "mastodon",
    {"access_token": "SCIENCE_TOKEN", "base_url": "https://science.example"},
)
TWIN = SCIENCE.replace('"science"', '"twin"')


def test_an_account_of_the_file_has_its_own_taste_and_secrets(tmp_path: Path) -> None:
    (tmp_path / "taste").mkdir()
    write(
        tmp_path,
        """
        top = 20

        [[accounts]]
        name = "nlp-1"
        network = "Twitter"
        consumer_key = "NLP_KEY"
        consumer_secret = "NLP_KEY_SECRET"
        access_token = "NLP_TOKEN"
        access_token_secret = "NLP_TOKEN_SECRET"
        api_url = "http://localhost:8080/"
        top = 5
        style = "single"
        links = "none"
        monthly_budget = 12
        templates = "taste"
        categories = ["cs.cl", "STAT.ml", "cond-mat.Soft", "hep-th"]
        exclude = ["2102.05644", "Smith, J.", "covid"]
        language = "pt-BR"
        hashtags = ["ArXiv", "Größe_1"]
        """,
    )
    names = ["NLP_KEY", "NLP_KEY_SECRET", "NLP_TOKEN", "NLP_TOKEN_SECRET"]
    settings = load(
        {name: f"planted-{name}" for name in names} | {"TWITTER_LINKS": "closing"}, tmp_path
    )
    assert settings.accounts == (
        Account(
            "nlp-1",
            Network.TWITTER,
            top=5,
            style=Style.SINGLE,
            links=Links.NONE,
            monthly_budget=Decimal(12),
            templates=tmp_path / "taste",
            categories=("cs.CL", "stat.ML", "cond-mat.soft", "hep-th"),
            exclude=("2102.05644", "Smith, J.", "covid"),
            language="pt-BR",
            hashtags=("ArXiv", "Größe_1"),
        ),
    )
    credentials = settings.credentials["nlp-1"]
    assert credentials.base_url == "http://localhost:8080"
    assert credentials.secrets["access_token_secret"] == Secret("planted-NLP_TOKEN_SECRET")
    assert settings.defaults[0].links is Links.CLOSING
    assert settings.top == 20


def test_general_settings_are_the_defaults_of_an_account_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE + "hashtags = []\n")
    environ = {"BOT_TOP": "4", "MASTODON_MAX_CHARACTERS": "900", "MASTODON_VISIBILITY": "unlisted"}
    settings = load(environ | {"SCIENCE_TOKEN": "planted"}, tmp_path)
    assert settings.accounts == (
        Account(
            "science",
            Network.MASTODON,
            top=4,
            max_characters=900,
            visibility=Visibility.UNLISTED,
            hashtags=(),
        ),
    )
    assert settings.credentials["science"].base_url == "https://science.example"
    assert settings.warnings == ()


def test_an_account_of_the_file_without_its_secrets_is_a_draft(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE + "[[accounts]]\nname = 'sky'\nnetwork = 'bluesky'\n")
    settings = load({"SCIENCE_TOKEN": " "}, tmp_path)
    assert (settings.accounts, settings.credentials) == ((), {})
    assert [account.name for account in settings.drafts] == ["science", "sky"]
    assert settings.incomplete == {
        "science": ("SCIENCE_TOKEN",),
        "sky": ("BLUESKY_HANDLE", "BLUESKY_APP_PASSWORD"),
    }


def test_the_variables_of_a_network_can_be_an_account_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "[[accounts]]\nname = 'main'\nnetwork = 'mastodon'\ncategories = ['cs.CL']\n")
    settings = load(MASTODON, tmp_path)
    assert [account.name for account in settings.accounts] == ["main"]
    assert settings.credentials["main"].secrets["access_token"].reveal() == "planted-mastodon-token"
    assert settings.incomplete == {}


def test_a_token_that_the_file_takes_makes_no_other_account(tmp_path: Path) -> None:
    write(tmp_path, account("main", "twitter", {"consumer_key": "OWN_KEY"}))
    settings = load(TWITTER | {"OWN_KEY": "planted"}, tmp_path)
    assert [account.name for account in settings.accounts] == ["main"]
    assert settings.credentials["main"].secrets["consumer_key"] == Secret("planted")
    assert settings.incomplete == {}


def test_an_app_shared_by_accounts_of_the_file_begins_no_other_account(tmp_path: Path) -> None:
    tokens = {"access_token": "ONE_T", "access_token_secret": "TWITTER_ONE_S"}
    one = account("one", "twitter", tokens)
    write(tmp_path, one + one.replace("one", "two").replace("ONE", "TWO"))
    environ = {name: TWITTER[name] for name in ("TWITTER_CONSUMER_KEY", "TWITTER_CONSUMER_SECRET")}
    own = {name: name for name in ("ONE_T", "TWITTER_ONE_S", "TWO_T", "TWITTER_TWO_S")}
    settings = load(environ | own, tmp_path)
    assert [account.name for account in settings.accounts] == ["one", "two"]
    assert (settings.incomplete, settings.warnings) == ({}, ())
    settings = load(TWITTER | own, tmp_path)
    assert [account.name for account in settings.accounts] == ["twitter", "one", "two"]


def test_a_server_shared_by_accounts_of_the_file_begins_no_other_account(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE.replace("base_url", "# base_url"))
    environ = {"MASTODON_API_BASE_URL": "https://social.example", "SCIENCE_TOKEN": "planted"}
    settings = load(environ, tmp_path)
    assert settings.credentials["science"].base_url == "https://social.example"
    assert settings.incomplete == {}


SAME = {
    "MASTODON_API_BASE_URL": "https://science.example/",
    "MASTODON_ACCESS_TOKEN": "planted-science",
}


@pytest.mark.parametrize(
    ("more", "environ"),
    [
        (TWIN, {}),
        (TWIN.replace("SCIENCE", "TWIN"), {"TWIN_TOKEN": "planted-science"}),
        ("", SAME),
    ],
)
def test_two_accounts_that_are_one_are_refused(
    more: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    write(tmp_path, SCIENCE + more)
    (line,) = problems({"SCIENCE_TOKEN": "planted-science", **environ}, tmp_path)
    assert "are the same account on mastodon, and would publish everything twice" in line
    assert '"science"' in line
    assert "planted" not in line


def test_one_handle_is_one_account_whatever_its_passwords(tmp_path: Path) -> None:
    one = account("one", "bluesky", {"app_password": "ONE", "handle": "a.example"})
    write(tmp_path, one + one.replace('"one"', '"two"').replace("ONE", "TWO"))
    (line,) = problems({"ONE": "1", "TWO": "2"}, tmp_path)
    assert "are the same account on bluesky" in line


def test_one_user_of_x_is_one_account_whatever_the_app_of_its_token(tmp_path: Path) -> None:
    roles = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    tables = [
        account(name, "twitter", {role: f"{name}_{role}".upper() for role in roles})
        for name in ("one", "two")
    ]
    write(tmp_path, "".join(tables))
    environ = {
        f"{name}_{role}".upper(): f"{name}-{role}" for name in ("one", "two") for role in roles
    }
    tokens = {"ONE_ACCESS_TOKEN": "1234-planted", "TWO_ACCESS_TOKEN": "1234-other"}
    (line,) = problems(environ | tokens, tmp_path)
    assert "are the same account on twitter" in line
    assert "1234" not in line
    load(environ | tokens | {"TWO_ACCESS_TOKEN": "12345-planted"}, tmp_path)


TABLES = ": accounts must be tables; write [[accounts]] for each account"
NETWORKS = "twitter, mastodon or bluesky"
NAME = "1 to 40 characters of a to z, 0 to 9 and -"


def test_names_are_unique(tmp_path: Path) -> None:
    other = SCIENCE.replace("SCIENCE_TOKEN", "OTHER_TOKEN")
    path = write(tmp_path, SCIENCE + other)
    assert problems({}, tmp_path) == [f'{path}: two accounts have the name "science"']
    path = write(tmp_path, SCIENCE.replace('"science"', '"mastodon"'))
    assert problems(MASTODON, tmp_path) == [f'{path}: two accounts have the name "mastodon"']
    assert by_name(load({}, tmp_path)).keys() == {"mastodon"}


@pytest.mark.parametrize(
    ("toml", "lines"),
    [
        ("accounts = 3", [TABLES]),
        ("[accounts]\nname = 'a'", [TABLES]),
        ("accounts = ['a']", [TABLES]),
        ("[[accounts]]", [", account 1: name is missing", ", account 1: network is missing"]),
        (
            SCIENCE + account(" ", "myspace"),
            [
                ", account 2: name is missing",
                f', account 2: network must be {NETWORKS}, not "myspace"',
            ],
        ),
        (
            account("Ab", "twitter"),
            [f', account 1: name must be {NAME}, not "Ab"'],
        ),
        (
            account("twitter", "bluesky"),
            [', account "twitter": the name is the name of another network; choose another name'],
        ),
    ],
)
def test_a_mistake_in_the_list_of_accounts_is_named(
    toml: str, lines: list[str], tmp_path: Path
) -> None:
    path = write(tmp_path, toml)
    assert problems({}, tmp_path) == [f"{path}{line}" for line in lines]


CATEGORIES = 'a list of arXiv categories, such as ["cs.CL"]'
LANGUAGE = "a language tag such as en or pt-BR"
HASHTAGS = "a list of words of letters, digits and _, without #"


@pytest.mark.parametrize(
    ("network", "key", "value", "said"),
    [
        (
            "bluesky",
            "style",
            "single",
            "style is an option of twitter, but this account is on bluesky",
        ),
        (
            "twitter",
            "visibility",
            "x",
            "visibility is an option of mastodon, but this account is on twitter",
        ),
        (
            "mastodon",
            "handle",
            "a.b",
            "handle is an option of bluesky, but this account is on mastodon",
        ),
        (
            "twitter",
            "base_url",
            "x",
            "base_url is an option of mastodon, but this account is on twitter",
        ),
        (
            "twitter",
            "catagories",
            [],
            '"catagories" is not an option of an account; did you mean categories?',
        ),
        ("twitter", "zzz", "planted", '"zzz" is not an option of an account'),
        ("twitter", "top", "ten", f'top must be {ALLOWED["BOT_TOP"]}, not "ten"'),
        ("twitter", "top", [], f"top must be {ALLOWED['BOT_TOP']}, not a list"),
        (
            "twitter",
            "categories",
            "cs.CL",
            f'categories must be {CATEGORIES}, not "cs.CL"',
        ),
        (
            "twitter",
            "categories",
            ["cs.CL", "a b"],
            f'categories must be {CATEGORIES}; "a b" is not a category',
        ),
        (
            "twitter",
            "hashtags",
            ["#ArXiv"],
            f'hashtags must be {HASHTAGS}; "#ArXiv" is not a hashtag',
        ),
        (
            "twitter",
            "hashtags",
            ["2021"],
            f'hashtags must be {HASHTAGS}; "2021" is not a hashtag',
        ),
        (
            "twitter",
            "language",
            "English",
            f'language must be {LANGUAGE}, not "English"',
        ),
        (
            "bluesky",
            "handle",
            "a.example",
            "handle and app_password belong together; write both or neither",
        ),
        (
            "twitter",
            "access_token",
            "ONE",
            "access_token and access_token_secret belong together; write both or neither",
        ),
        ("mastodon", "base_url", "a", f'base_url must be {HTTPS}; "a" is not a web address'),
    ],
)
def test_a_mistake_in_an_account_is_named(
    network: str, key: str, value: object, said: str, tmp_path: Path
) -> None:
    path = write(tmp_path, account("a", network, {key: value}))
    assert problems({}, tmp_path) == [f'{path}, account "a": {said}']


@pytest.mark.parametrize(
    "value",
    [
        "'hJ3kPlanted0aZq9vT2xW8'",
        "'abcd-efgh-ijkl-mnop'",
        "'PLANTEDPLANTEDPLANTED22'",
        "'two WORDS'",
        "'9TOKEN'",
        "'TOKEN_'",
        "'" + "A_" * 60 + "A'",
        "['TOKEN']",
        "42",
    ],
)
def test_a_secret_in_place_of_a_variables_name_is_refused_unseen(
    value: str, tmp_path: Path
) -> None:
    path = write(tmp_path, SCIENCE.replace('"SCIENCE_TOKEN"', value))
    (line,) = problems({}, tmp_path)
    assert line == (
        f'{path}, account "science": access_token must be the name, in capitals, of the variable '
        "that holds the secret, such as SCIENCE_MASTODON_ACCESS_TOKEN (the value is not shown, "
        "since it may be a secret)"
    )


def test_a_wrong_secret_of_an_account_names_its_variable(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE)
    (line,) = problems({"SCIENCE_TOKEN": "planted two"}, tmp_path)
    assert line.startswith(
        "SCIENCE_TOKEN must be printable ASCII without white space; the value (not"
    )


def test_an_accounts_secret_in_the_wrong_variable_is_blotted_out_too(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE)
    (line,) = problems({"SCIENCE_TOKEN": "planted-science", "BOT_TOP": "planted-science"}, tmp_path)
    assert line == f'BOT_TOP must be {ALLOWED["BOT_TOP"]}, not "***"'


# The picture of the digest


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        *[(word, True) for word in ("on", "yes", "true", "1", "ON", "Yes")],
        *[(word, False) for word in ("off", "no", "false", "0", "False", "")],
    ],
)
def test_a_picture_is_for_every_network(
    written: str,
    wanted: bool,  # noqa: FBT001 - a table's column
    tmp_path: Path,
) -> None:
    settings = load(EVERYTHING | {"BOT_PICTURE": written}, tmp_path)
    assert settings.warnings == ()
    pictures = {account.network: account.picture for account in settings.accounts}
    assert pictures == dict.fromkeys(Network, wanted)


def test_there_is_no_picture_unasked(tmp_path: Path) -> None:
    assert not any(account.picture for account in load(EVERYTHING, tmp_path).accounts)


def test_a_picture_is_on_or_off(tmp_path: Path) -> None:
    for written in ("true", "'yes'", "1"):
        write(tmp_path, f"picture = {written}\n")
        assert load({}, tmp_path).defaults[0].picture
    for written in ("false", "'no'", "0"):
        write(tmp_path, f"twitter_read_back = {written}\n")
        assert not load({}, tmp_path).twitter_reads
    path = write(tmp_path, "picture = ['on']\n")
    assert problems({}, tmp_path) == [f"{path}: picture must be on or off, not a list"]


def test_an_accounts_own_word_on_pictures_counts_more(tmp_path: Path) -> None:
    write(tmp_path, "picture = 'on'\n" + SCIENCE + "picture = 'off'\n")
    assert not by_name(load({}, tmp_path))["science"].picture
    write(tmp_path, SCIENCE + "picture = 'on'\n")
    assert by_name(load({}, tmp_path))["science"].picture


@pytest.mark.parametrize("network", Network)
def test_an_account_of_any_network_may_ask_for_one(network: Network, tmp_path: Path) -> None:
    write(tmp_path, f"[[accounts]]\nname = 'one'\nnetwork = '{network}'\npicture = 'on'\n")
    settings = load(EVERYTHING, tmp_path)
    assert {each.name: each.picture for each in settings.accounts}["one"]


# Choosing accounts


def chosen(settings: Settings, networks: str = "", names: str = "") -> list[str]:
    asked = [Network(network) for network in networks.split()]
    return [account.name for account in offered(settings, asked, names.split())]


def test_without_accounts_a_dry_run_shows_all_networks(tmp_path: Path) -> None:
    settings = load({"BOT_TOP": "3"}, tmp_path)
    assert offered(settings, (), ()) == settings.defaults
    assert chosen(settings, "bluesky twitter") == ["twitter", "bluesky"]
    assert chosen(settings, "", "mastodon") == ["mastodon"]
    half = load({"BLUESKY_HANDLE": "a.example"}, tmp_path)
    assert offered(half, (), ()) == half.defaults


def test_with_accounts_a_dry_run_shows_those(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE)
    settings = load(MASTODON | {"BLUESKY_HANDLE": "a.example"}, tmp_path)
    assert chosen(settings) == ["mastodon", "science"]
    assert chosen(settings, "mastodon") == ["mastodon", "science"]
    assert chosen(settings, "mastodon", "science") == ["science"]
    assert chosen(settings, "", "science mastodon") == ["mastodon", "science"]
    assert chosen(settings, "twitter") == ["twitter"]
    assert chosen(settings, "twitter mastodon") == ["mastodon", "science", "twitter"]
    assert chosen(settings, "", "bluesky") == ["bluesky"]


def test_an_unknown_account_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, SCIENCE)
    settings = load({}, tmp_path)
    with pytest.raises(SettingsError) as caught:
        offered(settings, (), ("science", "fiction", "twitter"))
    assert caught.value.message == 'no account has the name "fiction", "twitter"'
    assert caught.value.fix == "Known accounts: science."
    with pytest.raises(SettingsError) as caught:
        offered(settings, (Network.TWITTER,), ("science",))
    assert caught.value.message == "science is on mastodon, not on twitter"


def test_accounts_of_x_that_would_publish_the_same_papers_are_found() -> None:
    x = Network.TWITTER
    every = Account("every", x)
    nlp = Account("nlp", x, categories=("cs.CL", "cs.AI"), exclude=("vision",))
    vision = Account("vision", x, categories=("cs.CV",), exclude=("language",))
    both = Account("both", x, categories=("cs.CV", "cs.CL"))
    elsewhere = Account("elsewhere", Network.MASTODON)
    assert same_papers([nlp, vision, elsewhere]) == ()
    assert same_papers([every, elsewhere, nlp]) == (("every", "nlp"),)
    assert same_papers([nlp, vision, both]) == (("nlp", "both"), ("vision", "both"))
    assert same_papers([every, dataclasses.replace(every, name="twin")]) == (("every", "twin"),)


@given(st.lists(st.tuples(st.sampled_from(Network), st.frozensets(st.sampled_from("abc")))))
def test_pairs_left_unnamed_share_no_paper(drawn: list[tuple[Network, frozenset[str]]]) -> None:
    accounts = [
        Account(str(number), network, categories=tuple(sorted(categories)))
        for number, (network, categories) in enumerate(drawn)
    ]
    named = {*same_papers(accounts)}
    for one, other in combinations(accounts, 2):
        if one.network == other.network == Network.TWITTER:
            taken = [{*(account.categories or "abc")} for account in (one, other)]
            assert ((one.name, other.name) in named) == bool(taken[0] & taken[1])
        else:
            assert (one.name, other.name) not in named


# The whole


def test_importing_the_settings_loads_nothing_heavy() -> None:
    heavy = ["dotenv", "tomllib", "difflib", "requests", "urllib3", "jinja2", "click", "logging"]
    code = f"import sys, bot.settings; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_that_are_not_there_load_no_parser(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, bot.settings; "
        f"bot.settings.load({{}}, pathlib.Path({str(tmp_path)!r})); "
        "print([name for name in ('dotenv', 'tomllib', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_what_is_handed_in_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_TOP", "ten")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bot.toml").write_text("top = 3", encoding="utf-8")
    assert load({}, tmp_path / "elsewhere").top == 10


LIKELY = st.sampled_from(
    [
        *("10", "0", "-1", "3d", "ten", "single", "none", "public", "a.b", ".", " ", "two words"),
        *("https://a.example", "https://a.example/{slug}", "http://localhost", "https://u:p@a.b"),
    ]
)
VALUES = st.dictionaries(st.sampled_from(NAMES), LIKELY | st.text(max_size=30))


@given(environ=VALUES)
def test_any_environment_gives_settings_or_an_error_that_names_each_wrong_variable(
    environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "nothing-here"
    wrong = set()
    for name, text in environ.items():
        try:
            load({name: text}, folder)
        except SettingsError:
            wrong.add(name)
    try:
        settings = load(environ, folder)
    except SettingsError as error:
        lines = error.message.splitlines()
        assert {re.split("[: ]", line)[0] for line in lines} == wrong
        assert len(lines) == len(wrong)
    else:
        assert wrong == set()
        assert settings.accounts == tuple(map(settings.defaults.__getitem__, _configured(settings)))


def _configured(settings: Settings) -> list[int]:
    return [list(Network).index(Network(name)) for name in settings.credentials]


TOML = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["top", "name", "network", "style", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([option.key for option in TABLE if option.key] + ["accounts", "wrong", "é"])


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


@given(drawn=st.dictionaries(KEYS, TOML, max_size=4))
def test_any_toml_gives_settings_or_an_error_with_the_file(
    drawn: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    path.write_text(
        "".join(f"{_toml(key)} = {_toml(value)}\n" for key, value in drawn.items()),
        encoding="utf-8",
        newline="",
    )
    try:
        load({"BOT_CONFIG": str(path)}, path.parent)
    except SettingsError as error:
        assert all(str(path) in line for line in error.message.splitlines())
        assert "Invalid" not in error.message


@pytest.mark.parametrize(
    ("sign", "database", "wiped_by"),
    [
        ("DYNO", "", "Heroku"),
        ("RENDER", "state/other.db", "Render"),
        ("FLY_APP_NAME", "/data/bot.db", ""),
        ("HOME", "", ""),
    ],
)
def test_a_ledger_that_a_deploy_wipes_is_known(
    sign: str, database: str, wiped_by: str, tmp_path: Path
) -> None:
    assert load({sign: "1", "BOT_DATABASE": database}, tmp_path).wiped_by == wiped_by
