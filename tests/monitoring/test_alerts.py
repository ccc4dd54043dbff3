"""Alerts on their way: real processes, real HTTP, and receivers that fail in every manner."""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.ledger.rows import StoredProblem
from bot.ledger.store import Ledger
from bot.monitoring import alerts as module
from bot.monitoring import apprise_process as teller
from bot.monitoring.alert_once import AlertResult, report
from bot.monitoring.alerts import Alerts
from bot.monitoring.apprise_process import Ask, Line, serve
from bot.monitoring.problem import Problem
from bot.redact import Redact
from bot.settings.secret import Secret
from tests.helpers.http_server import HttpServer, Reply, ReplySource, Request, dripping
from tests.helpers.ledger_setup import MINUTE, T0, real_proc
from tests.helpers.paths import ROOT

PLANTED = "PLANTEDnotifytoken0001"
HELD = StoredProblem(
    key="held:mastodon:hot-papers",
    account="mastodon",
    what="held",
    subject="hot-papers",
    message="post 3 is held: @everyone, <!channel>, [look](https://evil.example)",
    fix="Decide with bot settle.",
    raised_at=T0,
)
KEYS = frozenset({HELD.key})
FAST = Reply(b"{}")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def address(server: HttpServer, path: str = "/take", *answers: ReplySource) -> str:
    """An address of Apprise's that posts JSON to the server, a token in it."""
    if answers:
        server.route(path, *answers)
    return f"json://user:{PLANTED}@127.0.0.1:{server.port}{path}"


def alerts(
    *addresses: str, seconds: float = 20.0, environment: dict[str, str] | None = None
) -> Alerts:
    return Alerts(Secret(", ".join(addresses)), environment or {}, str, seconds)


def taken(server: HttpServer) -> list[dict[str, str]]:
    return [json.loads(request.body) for request in server.requests]


# What arrives


def test_one_message_lists_what_is_new_and_what_is_over(server: HttpServer) -> None:
    source = replace(HELD, key="source", account="", what="source", subject="posts/", told_at=T0)
    told = alerts(address(server, "/take", FAST)).tell([HELD], [source])
    assert told == AlertResult(frozenset({HELD.key, "source"}))
    (message,) = taken(server)
    assert message["title"] == "bot: 1 new trouble, 1 over"
    assert message["type"] == "warning"
    assert message["message"] == (
        "New:\n"
        "- held: mastodon, hot-papers\n"
        "  post 3 is held: everyone, (!channel), [look] (evil.example)\n"
        "  Decide with bot settle.\n"
        "Over:\n"
        "- source: posts/, since 2021-06-23 10:00 UTC\n"
        "bot status shows all of it."
    )


def test_an_end_is_good_news(server: HttpServer) -> None:
    alerts(address(server, "/take", FAST)).tell([], [HELD])
    (message,) = taken(server)
    assert (message["type"], message["title"][:10]) == ("success", "bot: over:")


def test_where_there_is_nothing_to_tell_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert alerts("json://127.0.0.1").tell([], []) == AlertResult()


def test_chats_with_markup_get_plain_text_and_no_more_than_they_take(server: HttpServer) -> None:
    """Mattermost, Rocket.Chat (1,000 characters) and Misskey (512) on servers of one's own."""
    host = f"127.0.0.1:{server.port}"
    chats = {
        "/hooks/" + "a" * 26: f"mmost://{host}/{'a' * 26}",
        "/hooks/" + "b" * 17 + "/" + "c" * 24: f"rocket://{'b' * 17}%2F{'c' * 24}@{host}/#x",
        "/api/notes/create": f"misskey://{PLANTED}@{host}",
    }
    for path in chats:
        server.route(path, FAST)
    rows = [replace(HELD, key=str(number), message="@all " * 99) for number in range(9)]
    assert alerts(*chats.values()).tell(rows, []).reasons == ()
    assert {request.path for request in server.requests} == set(chats)
    for request in server.requests:
        assert b"@" not in request.body
        assert b"<!" not in request.body


def test_a_secret_of_ours_is_told_to_nobody(server: HttpServer) -> None:
    where = address(server, "/take", FAST)
    row = replace(HELD, message=f"401 for {PLANTED}, says {where}")
    assert Alerts(Secret(where), {}, Redact(where)).tell([row], []).keys == KEYS
    assert "401 for (secret), says (secret)\n" in taken(server)[0]["message"]


# Receivers that fail


FAILING: dict[str, tuple[Reply, str]] = {
    "500": (Reply(status=500), "answered 500"),
    "404": (Reply(status=404), "answered 404"),
    "moved": (Reply(status=302, headers={"location": "/elsewhere"}), "answered 302"),
    "reset": (Reply(raw=True, reset=True), "did not take the alert"),
    "no HTTP": (Reply(b"\x00" * 99, raw=True), "did not take the alert"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", FAILING)
def test_what_a_receiver_does_not_take_is_not_delivered(server: HttpServer, how: str) -> None:
    answer, reason = FAILING[how]
    server.route("/elsewhere", FAST)
    told = alerts(address(server, "/take", answer)).tell([HELD], [])
    where = "address 1 of 1 (json) of BOT_NOTIFY_URLS"
    assert told == AlertResult(frozenset(), (f"{where} {reason}",))
    assert server.requests[0].path == "/take"


def test_one_address_is_enough_and_the_others_are_named(server: HttpServer) -> None:
    slow = address(server, "/slow", Reply(dripping(b""))) + "?rto=0.2"
    told = alerts(slow, "nonsense://x", address(server, "/take", FAST)).tell([HELD], [])
    assert told.keys == KEYS
    assert told.reasons == (
        "address 1 of 3 (json) of BOT_NOTIFY_URLS did not take the alert",
        "address 2 of 3 (nonsense) of BOT_NOTIFY_URLS did not take the alert",
    )


@pytest.mark.slow
def test_a_receiver_that_hangs_is_left_when_the_time_is_up(server: HttpServer) -> None:
    hung = address(server, "/hang", Reply(dripping(b" ")))
    told = alerts(hung, seconds=2.0).tell([HELD], [])
    assert told.keys == frozenset()
    assert len(told.reasons) == 1


def test_a_program_that_must_end_leaves_at_once_and_sends_no_more(server: HttpServer) -> None:
    def stop(_: Request) -> Reply:
        told_by.stop()
        return Reply(dripping(b" "))

    told_by = alerts(address(server, "/hang", stop))
    told = told_by.tell([HELD], [])
    reason = "address 1 of 1 (json) of BOT_NOTIFY_URLS gave no answer in time"
    assert told == AlertResult(frozenset(), (reason,))
    assert told_by.tell([HELD], []) == AlertResult()
    assert len(server.requests) == 1


def test_a_stop_that_comes_while_the_process_starts_is_heeded(server: HttpServer) -> None:
    told_by = alerts(address(server, "/take", FAST))
    told_by.stop()
    assert told_by._run(b"{}", 20.0) == b""


SILENT = "import sys; sys.stdin.read()"
ODD = """
print("json://user:secret@host", [1, 1, "json", "told"], sep="\\n")
print('[1, 1, "json://user:secret", "told", 0]', '[1, 1, "json", "secret", 0]', sep="\\n")
print('{"position": 1}', '[true]', '"told"', sep="\\n")
"""


@pytest.mark.parametrize(
    ("script", "seconds"),
    [(SILENT, 20.0), (ODD, 20.0), ("import time; time.sleep(600)", 0.1), ("", 20.0)],
)
def test_a_process_that_says_nothing_of_use_has_told_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, seconds: float
) -> None:
    (tmp_path / "other.py").write_text(script)
    monkeypatch.setattr(module, "_TELLER", tmp_path / "other.py")
    told = alerts("json://127.0.0.1", seconds=seconds).tell([HELD], [])
    reason = f"Apprise does not run, or takes over {seconds:g} s to start"
    assert told == AlertResult(frozenset(), (reason,))


def test_a_system_without_room_for_a_process_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    told = alerts("json://127.0.0.1").tell([HELD], [])
    reason = "no process could be started to send an alert: No such file or directory"
    assert told == AlertResult(frozenset(), (reason,))
    assert alerts("json://127.0.0.1").check() == reason


# At start


def test_addresses_that_can_be_used_are_said_to_be_and_nothing_is_sent(server: HttpServer) -> None:
    commas = f"mailto://user:{PLANTED}@example.com?to=a@example.com,b@example.com"
    both = alerts(address(server), commas + "\n", "\tjsons://example.com/a,b;c")
    assert both.check() == ""
    assert server.requests == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "named"),
    [
        (f"slack://{PLANTED}", "address 1 of 1 (slack)"),
        (f"json://127.0.0.1 discord://{PLANTED}", "address 2 of 2 (discord)"),
        (f"{PLANTED} json://127.0.0.1", "address 1 of 2 of"),
        (f"json://127.0.0.1, slack:/{PLANTED}", "address 1 of 1 (json)"),
        (f"{PLANTED}/a", "address 1 of 1 of"),
        (f"nonsense://{PLANTED}", "address 1 of 1 (nonsense)"),
        (f"https://{PLANTED}.example/hook", "address 1 of 1 (https)"),
        ("slack://a discord://b", "address 1 of 2 (slack) of BOT_NOTIFY_URLS and address 2 of"),
        # these name files and pages of addresses, which are not read
        (f"file:///tmp/{PLANTED}.yml", "address 1 of 1 (file)"),
        (f"config://example.com/{PLANTED}", "address 1 of 1 (config)"),
        ("dbus://[", "address 1 of 1 (dbus)"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_by_place_and_scheme(
    written: str, named: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        alerts(written).check()
    assert f"Apprise cannot use {named}" in refused.value.message
    assert "BOT_NOTIFY_URLS" in refused.value.message
    assert "https://" in refused.value.fix
    assert PLANTED not in "".join(traceback.format_exception(refused.value))


def test_no_address_at_all_is_said(server: HttpServer) -> None:
    none = alerts(" ,;\n")
    with pytest.raises(SettingsError, match="holds no address"):
        none.check()
    assert none.tell([HELD], []) == AlertResult(frozenset(), ("BOT_NOTIFY_URLS holds no address",))
    assert server.requests == []


def test_without_apprise_it_is_said_how_to_install_it(tmp_path: Path) -> None:
    missing = tmp_path / "apprise"
    missing.mkdir()
    (missing / "__init__.py").write_text("raise ModuleNotFoundError('no apprise')")
    without = alerts("json://127.0.0.1", environment={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(SettingsError, match=r"not installed\n.*pip install apprise"):
        without.check()
    assert "not installed" in without.tell([HELD], []).reasons[0]


# Secrets


@pytest.mark.slow
@real_proc
def test_nothing_of_an_address_is_seen_anywhere(
    server: HttpServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[bytes] = []

    def look(_: Request) -> Reply:
        assert told_by._child is not None
        process = Path("/proc") / str(told_by._child.pid)
        seen.extend((process / name).read_bytes() for name in ("cmdline", "environ"))
        return Reply(status=500)

    server.route("/take", look)
    caplog.set_level(0)
    given = {"MASTODON_ACCESS_TOKEN": PLANTED, "NO_PROXY": "*", "https_proxy": "", "TZ": "UTC"}
    bad = f"slack://{PLANTED}"
    told_by = alerts(
        address(server), bad, address(server, "/gone", Reply(reset=True)), environment=given
    )
    with pytest.raises(SettingsError) as refused:
        told_by.check()
    told = told_by.tell([HELD], [])
    written = [repr(told_by), repr(told), repr(refused.value), str(vars(told_by)), caplog.text]
    for text in (*written, *capfd.readouterr(), *map(bytes.decode, seen)):
        assert PLANTED not in text
    assert set(seen[1].split(b"\0")) == {b"NO_PROXY=*", b"https_proxy=", b"TZ=UTC", b""}
    assert "authorization" in server.requests[0].headers


# A worker's life


@pytest.mark.slow
def test_each_trouble_is_told_once_over_restarts_and_failing_receivers(
    tmp_path: Path, server: HttpServer
) -> None:
    server.route("/take", Reply(status=503), FAST, FAST, Reply(status=500), FAST)
    held = Problem("held:mastodon:a", "mastodon", "held", "a", "post 3 is held", "Settle it.")
    refused = Problem("refused:twitter", "twitter", "refused", "", "401", "See bot check.")
    failures = []
    for found in ([held], [held], [held], [held, refused], [held, refused], [refused], [refused]):
        with Ledger.open(tmp_path / "bot.db") as ledger:
            said = report(ledger, alerts(address(server)), found, lambda _: True, T0 + MINUTE)
            failures.append(len(said.reasons))
    assert failures == [1, 0, 0, 0, 0, 1, 0]
    titles = [message["title"] for message in taken(server)]
    over = "bot: over: held: mastodon, a"
    first, second = "bot: held: mastodon, a", "bot: credentials refused: twitter"
    assert titles == [first, first, second, over, over]


# The process itself

# what Apprise loads is not ours to mend; the parent of a teller never sees it
in_process = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def asked(addresses: str, text: str = "It is held.") -> Ask:
    return Ask(addresses=addresses, title="bot: held", text=text, kind="warning", seconds=60)


@pytest.fixture
def said() -> Iterator[list[Line]]:
    """What a teller said in this process, where it leaves Apprise's logger as it was."""
    logger = logging.getLogger("apprise")
    before = logger.propagate, [*logger.handlers]
    yield []
    logger.propagate, logger.handlers = before


@in_process
def test_the_teller_says_how_each_address_fares(server: HttpServer, said: list[Line]) -> None:
    good, bad = address(server, "/take", FAST), address(server, "/bad", Reply(status=401))
    serve(asked(f"{good} {bad} nonsense://x dbus://["), said.append)
    assert {line for line in said if line[3] == "begun"} == {
        (position, 4, scheme, "begun", 0)
        for position, scheme in enumerate(("json", "json", "nonsense", "dbus"), 1)
    }
    assert sorted(line for line in said if line[3] != "begun") == [
        (1, 4, "json", "told", 0),
        (2, 4, "json", "refused", 401),
        (3, 4, "nonsense", "unusable", 0),
        (4, 4, "dbus", "refused", 0),
    ]
    assert {request.path for request in server.requests} == {"/take", "/bad"}


@in_process
def test_the_teller_only_looks_where_there_is_no_text(server: HttpServer, said: list[Line]) -> None:
    serve(asked(f"what? {address(server)} slack://x json://a,slack:/x", text=""), said.append)
    assert sorted(said) == [
        (1, 4, "", "unusable", 0),
        (2, 4, "json", "usable", 0),
        (3, 4, "slack", "unusable", 0),
        (4, 4, "json", "unusable", 0),
    ]
    said.clear()
    serve(asked(" , "), said.append)
    assert said == [(0, 0, "", "none", 0)]


@in_process
def test_the_teller_without_apprise_says_that(
    said: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise.utils.parse", None)
    serve(asked("json://127.0.0.1"), said.append)
    assert said == [(0, 0, "", "missing", 0)]


@in_process
def test_the_teller_is_a_script_that_ends_itself(
    server: HttpServer,
    said: list[Line],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ask = json.dumps(asked(address(server, "/take", FAST)))
    monkeypatch.setattr(sys, "stdin", io.StringIO(ask))
    try:
        runpy.run_path(teller.__file__, run_name="__main__")
    finally:
        left = signal.alarm(0)
    assert 0 < left <= 60
    said += [tuple(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert said == [(1, 1, "json", "begun", 0), (1, 1, "json", "told", 0)]


def test_a_teller_that_has_outlived_us_is_ended_by_its_own_clock(server: HttpServer) -> None:
    ask = asked(address(server, "/hang", Reply(dripping(b" ")))) | {"seconds": 1}
    done = subprocess.run(
        [sys.executable, "-P", teller.__file__],
        input=json.dumps(ask).encode(),
        env={},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGALRM


def test_the_worker_itself_never_loads_apprise() -> None:
    assert importlib.util.find_spec("apprise") is not None
    code = (
        "import sys; from bot.settings.secret import Secret;"
        "from bot.monitoring.alerts import Alerts;"
        "assert Alerts(Secret('json://127.0.0.1'), {}, str).check() == '';"
        "sys.exit('apprise' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, check=False)
    assert done.returncode == 0
