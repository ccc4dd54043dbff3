"""Recognisable secrets in every variable that holds one, and a search of all that comes out."""

from __future__ import annotations

import io
import json
import logging
import os
import sqlite3
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from bot.cli import ProcessContext, run
from bot.model import Network
from bot.monitoring.http_server import page
from bot.posters.mastodon import answers as mastodon_answers
from bot.posters.twitter import answers as twitter_answers
from bot.sandbox import faults
from bot.sandbox.wire import Response, reply
from bot.sandbox.x import answers as x_answers
from bot.sandbox.x.oauth1 import OAuthKeys
from bot.scheduler.run_once import EVERYBODY
from bot.scheduler.start import started
from bot.settings import load
from tests.helpers.cli_world import SLUG, CliWorld, cli_world
from tests.helpers.http_server import HttpServer
from tests.helpers.http_server import Reply as HttpReply
from tests.helpers.secret_forms import FORMS, shows

X, TOOTS = Network.TWITTER, Network.MASTODON
MARK = "PLANTED"
KEYS = OAuthKeys(
    consumer_key=f"{MARK}consumerkey0001",
    consumer_secret=f"{MARK}consumersecret+/=0002",
    access_token=f"1000000000000000001-{MARK}accesstoken0003",
    access_token_secret=f"{MARK}accesstokensecret&=0004",
)
TOKEN = f"{MARK}mastodontoken0005"
MORE = {
    "GITHUB_TOKEN": f"ghp_{MARK}github0006",
    "BLUESKY_HANDLE": "someone.example",
    "BLUESKY_APP_PASSWORD": f"{MARK}-blue-sky-0007",
    "BOT_NOTIFY_URLS": f"discord://{MARK}notify0008/hook",
    "BOT_HEARTBEAT_URL": f"https://hc.example/{MARK}heartbeat0009",
    "SECOND_TOKEN": f"{MARK}second0010",
}
SECRETS = (
    KEYS.consumer_key,
    KEYS.consumer_secret,
    KEYS.access_token.partition("-")[2],
    KEYS.access_token_secret,
    TOKEN,
    *(value for name, value in MORE.items() if name != "BLUESKY_HANDLE"),
)
TALKATIVE = (
    *("", "tweepy", "tweepy.client", "urllib3", "urllib3.connectionpool", "requests"),
    *("requests_oauthlib", "requests_oauthlib.oauth1_auth", "oauthlib", "oauthlib.oauth1"),
    *("oauthlib.oauth1.rfc5849", "mastodon", "mastodon.Mastodon", "Mastodon", "asyncio"),
)


def shapes() -> Iterator[tuple[str, str]]:
    """Each secret, and it as it would look in a URL, a header and a cut-off line."""
    for secret in SECRETS:
        for shape in (secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")):
            yield secret, shape
        yield secret, b64encode(secret.encode()).decode().rstrip("=")[:-2]


def search(text: str, where: str) -> None:
    assert not shows(text, MARK), f"{where} shows a secret"
    found = sorted({secret for secret, shape in shapes() if shape in text})
    assert not found, f"{where} holds {found}"
    assert MARK not in text, f"{where} holds a piece of a secret: {around(text)}"


def around(text: str) -> str:
    at = text.index(MARK)
    return repr(text[max(at - 60, 0) : at + 40])


class RecordedCli:
    """Keeps all that a `CliWorld` prints: stdout, stderr, and the logs at their most verbose."""

    def __init__(self, bot: CliWorld, heard: io.StringIO) -> None:
        self.bot = bot
        self.heard = heard
        self.statuses: list[int] = []

    def __call__(self, *arguments: str, **more: str) -> int:
        # longer than its patience: what would have to wait is put off at once
        environ = self.bot.environ() | {"BOT_RETRY_WAIT": "2"} | MORE | more
        environ = {name: value for name, value in environ.items() if value}
        status = run(arguments, ProcessContext(environ, self.bot.folder))
        out, err = self.bot.screen.readouterr()
        search(out, f"stdout of {arguments}")
        search(err, f"stderr of {arguments}")
        assert "Traceback" not in err
        self.statuses.append(status)
        return status

    def search_what_is_left(self) -> None:
        search(self.heard.getvalue(), "the log")
        for path in self.bot.folder.rglob("*"):
            search(str(path), "the name of a file")
            if path.is_file():
                search(path.read_bytes().decode("latin-1"), str(path))


@pytest.fixture
def bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[RecordedCli]:
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    try:
        with cli_world(tmp_path, capsys, keys=KEYS, token=TOKEN) as made:
            listening = RecordedCli(made, heard)
            yield listening
            listening.search_what_is_left()
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def test_the_search_finds_what_it_is_to_find() -> None:
    for secret in SECRETS:
        for text in (secret, f"Bearer {secret}", quote(secret, safe="")):
            with pytest.raises(AssertionError):
                search(f"a line with {text} in it", "a text")
    with pytest.raises(AssertionError):
        search(b64encode(f"{TOKEN}".encode()).decode(), "a text")
    search("Nothing of the kind.", "a text")


def test_the_logs_are_heard_and_would_give_them_away(
    bot: RecordedCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what the posters do about it, the libraries' own DEBUG lines hold tokens."""
    monkeypatch.setattr(logging.Filterer, "addFilter", lambda *_: None)
    for name in TALKATIVE:
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    assert bot("post", BLUESKY_APP_PASSWORD="") == 0
    assert {"accesstoken0003", "consumerkey0001"} <= {
        secret
        for secret in ("accesstoken0003", "consumerkey0001")
        if secret in bot.heard.getvalue()
    }
    bot.heard.seek(0)
    bot.heard.truncate()


@pytest.mark.slow
def test_the_stand_ins_take_the_planted_secrets_and_nothing_of_them_is_left(
    bot: RecordedCli,
) -> None:
    assert bot("post", BLUESKY_APP_PASSWORD="") == 0
    assert len(bot.bot.live(X)) == len(bot.bot.live(TOOTS)) == 4
    for command in (
        ["post", "--json"],
        ["post", "--dry-run"],
        ["post", "--dry-run", "--json", "--verbose"],
        ["status"],
        ["status", SLUG, "--json"],
        ["check"],
        ["check", "--json"],
        ["retract", SLUG, "--account", "twitter"],
        ["settle", SLUG, "1", "--unsent", "--account", "mastodon"],
    ):
        bot(*command)


@pytest.mark.slow
def test_nothing_of_them_is_told_by_refusals(bot: RecordedCli) -> None:
    other = {
        "TWITTER_ACCESS_TOKEN_SECRET": f"{MARK}another0011",
        "MASTODON_ACCESS_TOKEN": f"{MARK}another0012",
    }
    for command in (["post"], ["post", "--json"], ["check"], ["check", "--json"], ["status"]):
        bot(*command, **other)
    assert 1 in bot.statuses
    assert 2 in bot.statuses
    bot("post", TWITTER_ACCESS_TOKEN=f"{MARK}nodigits")
    bot("check", TWITTER_ACCESS_TOKEN=f"{MARK}nodigits")


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        faults.CLOSED_BEFORE,
        faults.RESET_AFTER,
        faults.NOT_JSON,
        faults.cut_head(20),
        faults.server_error(502),
        faults.redirect(301),
        faults.redirect(308),
        faults.too_many(TOOTS, timedelta(minutes=5)),
    ],
    ids=lambda fault: fault.name,
)
def test_nothing_of_them_is_told_by_what_goes_wrong_on_the_way(
    bot: RecordedCli, fault: faults.Fault
) -> None:
    bot.bot.sandbox.script(fault, times=None)
    for command in (["post"], ["check"], ["post", "--json"]):
        assert bot(*command) != 0
    bot.bot.sandbox.fix()
    bot.bot.sandbox.script(fault, when=lambda request: request.method == "POST", times=2)
    bot("post", BLUESKY_APP_PASSWORD="")


def test_nothing_of_them_is_told_by_a_server_that_repeats_what_it_was_sent(
    bot: RecordedCli,
) -> None:
    """A refusal in words is shown to people, and some servers quote the request in it."""

    def echo(record: object) -> faults.Fault | None:
        request = getattr(record, "request")  # noqa: B009 - a Record, whatever its fields
        said = f"bad token: {request.header('authorization')}"
        return faults.refusal("echo", x_answers.problem(403, said, said))

    bot.bot.sandbox.decide(echo)
    for command in (["post"], ["check"], ["status"], ["post", "--json"]):
        bot(*command)


QUICK = ("percent in HTML in JSON", "base64 of a login")


def answers(said: str) -> Iterator[Response]:
    """Refusals that say it where a server may: in words, a page, a header, an address."""
    yield reply(401, {"error": said, "detail": said, "title": said, "errors": [said]})
    # so that what is cut before it is shown is cut within the secret
    yield reply(403, {"error": f"{'word ' * 37}{said}"})
    yield Response(403, f"<p>{said}</p>".encode(), (("content-type", "text/html"),))
    one_line = " ".join(said.split())
    for where in (f"https://{TOKEN.lower()}.example/", one_line):
        yield Response(307, b"", (("location", where), ("x-rate-limit-reset", one_line)))
    yield reply(200, {"id": said, "url": f"https://a.example/{said}", "data": {"id": said}})


# two of them at once, all of them in CI
@pytest.mark.parametrize(
    "form",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in FORMS],
)
def test_no_form_of_them_is_told_by_a_server_that_repeats_them(bot: RecordedCli, form: str) -> None:
    secrets = (KEYS.consumer_secret, KEYS.access_token_secret, KEYS.access_token, TOKEN)
    owned = [each[each.index(MARK) :] for each in secrets]
    for answer in answers(" and ".join(map(FORMS[form], owned))):
        bot.bot.sandbox.fix()
        bot.bot.sandbox.script(faults.refusal("echo", answer), times=None)
        for command in (["post"], ["check", "--json"]):
            bot(*command, BLUESKY_APP_PASSWORD="")
    with closing(sqlite3.connect(bot.bot.database)) as db:
        assert not shows("\n".join(db.iterdump()), MARK)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_them_is_told_by_the_worker(bot: RecordedCli, form: str) -> None:
    """Nor in its log, on its pages, in its alerts, or in its ledger."""
    out = io.StringIO()
    with HttpServer() as receiver:
        receiver.route("/take", HttpReply(b"{}"))
        more = {
            "PORT": "0",
            "BOT_LOG_FORMAT": "text",
            "BOT_NOTIFY_URLS": f"json://user:{MARK}notify0008@127.0.0.1:{receiver.port}/take",
        }
        settings = load(bot.bot.environ() | more, bot.bot.folder)
        said = FORMS[form](TOKEN)
        refusal = faults.refusal("echo", reply(401, {"error": said}))
        bot.bot.sandbox.script(refusal, network="mastodon", times=None)
        with started(settings, settings.accounts, os.environ, out) as worker:
            worker.passes.run(EVERYBODY)
            for _ in range(2):
                worker.reporter.tick()
            told = page("/healthz", worker.reporter.watch.snapshot()).text
            told += page("/metrics", worker.reporter.watch.snapshot()).text
        assert "answers 401" in out.getvalue()
        assert not shows(told, MARK)
        assert not shows(out.getvalue(), MARK)
        assert receiver.requests
        for request in receiver.requests:
            assert not shows(json.loads(request.body)["message"], MARK)
    with closing(sqlite3.connect(bot.bot.database)) as db:
        assert not shows("\n".join(db.iterdump()), MARK)


@pytest.mark.slow
def test_nothing_of_them_is_told_by_networks_that_are_not_there(bot: RecordedCli) -> None:
    nowhere = {
        "TWITTER_API_URL": "http://127.0.0.1:9",
        "MASTODON_API_BASE_URL": "http://127.0.0.1:9",
    }
    for command in (["post"], ["check"], ["post", "--dry-run"]):
        bot(*command, **nowhere)
    bot("post", MASTODON_API_BASE_URL="https://no-such-host.invalid")


@pytest.mark.slow
def test_nothing_of_them_is_told_by_the_source(bot: RecordedCli) -> None:
    for place in ("http://127.0.0.1:9", bot.bot.sandbox.url("mastodon")):
        for command in (["post"], ["post", "--dry-run"], ["check"]):
            bot(*command, BOT_DIGESTS="github:owner/repo/posts", BOT_GITHUB_API_URL=place)
    bot.bot.sandbox.script(faults.redirect(301), times=None)
    api = bot.bot.sandbox.url("mastodon")
    bot("post", "--dry-run", BOT_DIGESTS="github:owner/repo/posts", BOT_GITHUB_API_URL=api)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        {"BOT_TOP": "ten"},
        {"TWITTER_CONSUMER_SECRET": ""},
        {"MASTODON_API_BASE_URL": f"https://user:{MARK}password@example.social"},
        {"MASTODON_API_BASE_URL": f"ftp://user:{MARK}password@example.social"},
        {"BLUESKY_SERVICE_URL": f"http://user:{MARK}password@127.0.0.1"},
        {"BOT_DIGESTS": f"https://user:{MARK}password@example.org/a.md"},
        {"TWITTER_CONSUMER_KEY": f"{MARK} with a space"},
        {"MASTODON_ACCESS_TOKEN": f"{MARK}\nof two lines"},
        {"TWITTER_ACCESS_TOKEN_SECRETS": f"{MARK}misspelt"},
        {"MASTODON_TOKEN": f"{MARK}misspelt"},
        {"BOT_GITHUB_TOKEN": f"{MARK}misspelt"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_nothing_of_them_is_told_by_wrong_settings(bot: RecordedCli, wrong: dict[str, str]) -> None:
    for command in (["post", "--dry-run"], ["post", SLUG], ["check", "--offline"], ["status"]):
        bot(*command, **wrong)


def test_nothing_of_them_is_told_of_secrets_in_the_files(bot: RecordedCli) -> None:
    """What a person wrote into .env and bot.toml is theirs; it comes out nowhere else."""
    env = bot.bot.folder / ".env"
    env.write_text(f"SECOND_TOKEN={MARK}fromfile\nTWITTER_CONSUMER_SECRET={MARK}fromfile\n")
    toml = bot.bot.folder / "bot.toml"
    entry = '[[accounts]]\nname = "second"\nnetwork = "mastodon"\n'
    url = bot.bot.sandbox.url("mastodon")
    toml.write_text(f'{entry}base_url = "{url}"\naccess_token = "SECOND_TOKEN"\n')
    for command in (["post"], ["check"], ["status", "--json"]):
        bot(*command)
    toml.write_text(f'{entry}base_url = "{url}"\naccess_token = "{MARK}intheplaceofaname"\n')
    for command in (["post"], ["check"], ["status"]):
        assert bot(*command) in (0, 1, 2)
    env.unlink()
    toml.unlink()


@pytest.mark.parametrize("answers", [twitter_answers, mastodon_answers], ids=["x", "mastodon"])
def test_nothing_of_them_is_in_the_traceback_of_a_crash(
    bot: RecordedCli, monkeypatch: pytest.MonkeyPatch, answers: object
) -> None:
    """A mistake of our own, in the very place where a request has just been made."""

    def crash(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(answers, "published", crash)
    traces = crashed(lambda: bot("post", BLUESKY_APP_PASSWORD=""))
    search(traces, "the traceback")
    out, err = bot.bot.screen.readouterr()
    search(out + err, "what was printed")


def crashed(work: Callable[[], object]) -> str:
    """Whatever a crash prints: here it may end the run, or be one account's own result."""
    try:
        work()
    except RuntimeError:
        return "".join(traceback.format_exception(*sys.exc_info()))
    return ""
