"""`bot run` as a process: what it refuses, how it stops, and what a second one may do."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import plan
from bot.cli import signals
from bot.cli.signals import LONGEST_STOP
from bot.model import Digest, Thread
from bot.sandbox.faults import HUNG_AFTER
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import Stage
from bot.sandbox.server import Sandbox
from bot.settings import load
from tests.helpers.fake_world import check_once, check_safe
from tests.helpers.paths import ROOT
from tests.helpers.worker_world import numbered_digest, publish_file

pytestmark = pytest.mark.slow

SECONDS = 120.0  # what hangs fails then


def now() -> datetime:
    return datetime.now(UTC)


class WorkerProcessWorld:
    """One Mastodon server, a folder of digests, and the settings for both."""

    def __init__(self, folder: Path, sandbox: Sandbox, rules: MastodonRules) -> None:
        self.folder, self.sandbox, self.rules = folder, sandbox, rules
        (folder / "posts").mkdir()
        self.settings = {
            "BOT_DIGESTS": "posts",
            "BOT_PAUSE": "0",
            "BOT_HTTP_TIMEOUT": "20",
            "MASTODON_API_BASE_URL": sandbox.url("mastodon"),
            "MASTODON_ACCESS_TOKEN": rules.token,
        }

    def publish(self, papers: int = 3) -> tuple[Digest, Thread]:
        source = numbered_digest(1, now() - timedelta(hours=1), papers)
        publish_file(self.folder / "posts", source)
        loaded = load(self.settings, self.folder)
        [thread] = plan.threads(loaded, source, loaded.accounts)
        return source, thread

    def start(
        self, program: Sequence[str] = (sys.executable, "-m", "bot", "run"), **more: str
    ) -> subprocess.Popen[str]:
        environ = self.settings | {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | more
        return subprocess.Popen(
            program,
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    assert process.stdout
    for line in process.stdout:
        found: dict[str, object] = json.loads(line)
        if found["event"] == event:
            return found
    raise AssertionError(f"it ended without {event}: {process.stderr and process.stderr.read()}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WorkerProcessWorld]:
    rules = MastodonRules(now)
    with Sandbox({"mastodon": rules}) as sandbox:
        yield WorkerProcessWorld(tmp_path, sandbox, rules)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_when_it_is_told_to(
    server: WorkerProcessWorld, number: signal.Signals
) -> None:
    _, thread = server.publish()
    with ended(server.start()) as process:
        until(process, "pass.ended")
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert process.stderr
        assert not process.stderr.read()
    check_once(server.rules.live(), thread)


def test_two_signals_at_once_stop_it_as_one_does(server: WorkerProcessWorld) -> None:
    for _ in range(3):  # the kernel gives each to any thread that takes it
        with ended(server.start()) as process:
            until(process, "pass.ended")
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0


def test_it_is_told_to_stop_though_the_main_thread_waits_for_the_ledger(tmp_path: Path) -> None:
    """SQLite waits in C, where Python calls no handler: who holds the ledger lets go when told."""
    path = tmp_path / "bot.db"
    here = threading.get_ident()
    with (
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
        closing(sqlite3.connect(path, isolation_level=None, timeout=SECONDS)) as ours,
    ):
        other.execute("BEGIN EXCLUSIVE")

        def press() -> None:
            while sys._current_frames()[here].f_code.co_name != "wait_for_it":
                threading.Event().wait(0.001)
            os.kill(os.getpid(), signal.SIGTERM)

        def wait_for_it() -> None:
            ours.execute("BEGIN IMMEDIATE")

        before = signal.getsignal(signal.SIGTERM)
        with signals.worker_signals() as received, received.calling(other.rollback, pytest.fail):
            pressing = threading.Thread(target=press)
            pressing.start()
            wait_for_it()
            pressing.join()
            assert received.stop_requested
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signal.signal(signal.SIGTERM, before)


def test_what_it_was_told_before_there_was_a_worker_is_not_forgotten() -> None:
    before = signal.getsignal(signal.SIGINT)
    told: list[str] = []
    with signals.worker_signals() as received:
        heard = threading.Event()
        with received.calling(heard.set, lambda: None):
            signal.raise_signal(signal.SIGINT)
            assert heard.wait(SECONDS)
        with received.calling(lambda: told.append("stop"), lambda: None):
            assert told == ["stop"]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, before)
    with signals.worker_signals():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_of_a_kind_ends_it_at_once(server: WorkerProcessWorld) -> None:
    _, _ = server.publish()
    server.sandbox.script(HUNG_AFTER, network="mastodon", when=lambda r: r.method == "POST")
    with ended(server.start()) as process:
        until(process, "worker.started")
        assert server.sandbox.wait(lambda log: any(each.stage is Stage.HELD for each in log))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        while process.poll() is None:  # the kernel makes one of two that it has not delivered yet
            process.send_signal(signal.SIGTERM)
        assert process.returncode == 128 + signal.SIGTERM


def test_a_log_that_nobody_can_read_is_no_reason_to_end_badly(server: WorkerProcessWorld) -> None:
    with ended(server.start()) as process:
        until(process, "pass.ended")
        assert process.stdout
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def test_a_request_in_flight_has_eight_seconds_and_the_rest_is_found_out(
    server: WorkerProcessWorld,
) -> None:
    _, thread = server.publish()
    server.sandbox.script(
        HUNG_AFTER,
        network="mastodon",
        when=lambda r: r.method == "POST" and b"2602.10011" in r.body,
    )
    assert LONGEST_STOP == 8.0
    with ended(server.start(BOT_HTTP_TIMEOUT="10m")) as process:
        while until(process, "post.sent")["position"] != 1:
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0, "it waited for the answer"
    check_safe(server.rules.live(), thread)
    with ended(server.start(BOT_SETTLE="1s", BOT_RETRY_WAIT="0.2")) as process:
        until(process, "thread.done")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    check_once(server.rules.live(), thread)


# A worker whose ledger is lost at once, and a signal before the next one hears.
BETWEEN_TWO = """
import os, signal, sys
from contextlib import contextmanager
from bot.cli import main
from bot.scheduler import start

whole, begun, number = start.started, [], signal.Signals[sys.argv.pop()]

@contextmanager
def started(*settings):
    with whole(*settings) as worker:
        begun.append(worker)
        worker.passes.lost = len(begun) == 1
        yield worker
    if len(begun) == 1:
        os.kill(os.getpid(), number)

start.started = started
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_two_workers_stops_the_second(
    server: WorkerProcessWorld, number: signal.Signals
) -> None:
    program = (sys.executable, "-c", BETWEEN_TWO, "run", number.name)
    with ended(server.start(program=program)) as process:
        said, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, error) == (0, "")
    assert said.count('"worker.started"') == said.count('"worker.stopped"') == 2


def test_two_of_them_on_one_ledger_post_once(server: WorkerProcessWorld) -> None:
    _, thread = server.publish(papers=6)
    with ended(server.start()) as one, ended(server.start()) as other:
        for process in (one, other):
            until(process, "pass.ended")
            process.send_signal(signal.SIGTERM)
        assert {one.wait(SECONDS), other.wait(SECONDS)} == {0}
    check_once(server.rules.live(), thread)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"BOT_DIGESTS": ""}, "BOT_DIGESTS is not set"),
        ({"BOT_DIGESTS": "nowhere"}, "there is no such path"),
        ({"MASTODON_ACCESS_TOKEN": ""}, "no account yet"),
        ({"BOT_SCHEDULE": "every hour"}, "BOT_SCHEDULE"),
        ({"BOT_TIMEZONE": "Mars"}, "BOT_TIMEZONE"),
        ({"BOT_NOTIFY_URLS": "nope://planted-secret"}, "BOT_NOTIFY_URLS"),
    ],
)
def test_settings_that_cannot_work_end_it_with_2(
    server: WorkerProcessWorld, more: dict[str, str], said: str
) -> None:
    with ended(server.start(**more)) as process:
        _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert said in error
    assert "Traceback" not in error
    assert "planted" not in error
