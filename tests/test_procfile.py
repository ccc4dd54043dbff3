"""The Procfile, started by a real Procfile runner from a checkout of its own.

A digest appears, the worker is told to stop in the middle of a thread, is started again, and loses
its disk. BOT_TEST_PYTHON names another Python for it than that of the tests, such as one with the
locked requirements alone.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import plan
from bot.model import Network, Thread
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.server import Sandbox
from bot.sandbox.service import Stored
from bot.sandbox.x.rules import XRules
from bot.settings import load
from tests.helpers.fake_world import check_once, check_safe
from tests.helpers.paths import ROOT
from tests.helpers.worker_world import numbered_digest, publish_file

pytestmark = pytest.mark.slow

PYTHON = Path(os.environ.get("BOT_TEST_PYTHON") or sys.executable)
SECONDS = 180.0  # what hangs fails then; the minute of cron is waited for


def now() -> datetime:
    return datetime.now(UTC)


class HonchoRun:
    """The Procfile's processes under honcho, and what they say."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._lines: queue.Queue[str] = queue.Queue()
        self._said: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def until(self, event: str, **fields: object) -> None:
        """Wait for an event of the worker's log."""
        while True:
            try:
                line = self._lines.get(timeout=SECONDS)
            except queue.Empty:
                raise AssertionError(f"no {event}: {''.join(self._said)}") from None
            self._said.append(line)
            with suppress(ValueError):
                found = json.loads(line[line.index("{") :])
                if found["event"] == event and fields.items() <= found.items():
                    return

    def terminate(self) -> None:
        """Tell the worker to stop, as a platform does; honcho ends when it has.

        The runner itself is not told: of 2.0.0, a signal while it prints is the end of it.
        """
        [worker] = [pid for pid in _processes() if self._is_worker(pid)]
        os.kill(worker, signal.SIGTERM)
        self.until("worker.stopped")
        assert self._process.wait(SECONDS) == 0

    def _is_worker(self, pid: int) -> bool:
        with suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            here = Path(f"/proc/{pid}/cwd").readlink() == self._folder
            return here and command[1:4] == [b"-m", b"bot", b"run"]
        return False

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


@contextmanager
def honcho(folder: Path, environ: dict[str, str], port: int) -> Iterator[HonchoRun]:
    """The Procfile's processes, from `with` to its end, when the worker is told to stop."""
    command = [sys.executable, "-m", "honcho", "--no-prefix", "start", "-p", str(port)]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        running = HonchoRun(process, folder)
        try:
            yield running
            running.terminate()
        finally:
            for pid in _processes():  # honcho gives each process a session of its own
                if running._is_worker(pid):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            running.reader.join()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a push brings to a platform: no more than the commit holds."""
    folder = tmp_path / "checkout"
    for name in ("bot", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Procfile", folder)
    (folder / "state").mkdir()
    return folder


def test_it_posts_by_itself_and_survives_what_a_platform_does(checkout: Path) -> None:
    x, toots = XRules(now), MastodonRules(now)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Sandbox({"twitter": x, "mastodon": toots}) as sandbox:
        keys = x.keys
        settings = {
            "BOT_DIGESTS": "posts",
            "BOT_SCHEDULE": "* * * * *",
            "BOT_PAUSE": "1s",
            "BOT_SETTLE": "0",
            "TWITTER_CONSUMER_KEY": keys.consumer_key,
            "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
            "TWITTER_ACCESS_TOKEN": keys.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": keys.access_token_secret,
            "TWITTER_API_URL": sandbox.url("twitter"),
            "MASTODON_API_BASE_URL": sandbox.url("mastodon"),
            "MASTODON_ACCESS_TOKEN": toots.token,
        }
        environ = settings | {"PATH": f"{PYTHON.parent}:{os.environ['PATH']}"}
        source = numbered_digest(1, now() - timedelta(hours=1), papers=4)

        def live() -> dict[Network, list[Stored]]:
            with sandbox.lock:
                both = {Network.TWITTER: x, Network.MASTODON: toots}
                return {network: [*rules.live()] for network, rules in both.items()}

        (checkout / "posts").mkdir()
        loaded = load(settings, checkout)
        threads: dict[Network, Thread] = {
            thread.account.network: thread
            for thread in plan.threads(loaded, source, loaded.accounts)
        }

        with honcho(checkout, environ, port) as worker:
            worker.until("pass.ended")
            page = f"http://127.0.0.1:{port}/healthz"
            with urllib.request.urlopen(page, timeout=SECONDS) as answer:
                assert json.load(answer)["status"] == "ok"
            publish_file(checkout / "posts", source)
            worker.until("post.sent", account="mastodon", position=1)
        for network, posts in live().items():
            assert 0 < len(posts) < len(threads[network].posts), "told to stop in the middle"
            check_safe(posts, threads[network])

        with honcho(checkout, environ, port) as worker:
            worker.until("thread.done")
            worker.until("pass.ended")
        for network, posts in live().items():
            check_once(posts, threads[network])

        shutil.rmtree(checkout / "state")
        (checkout / "state").mkdir()
        with honcho(checkout, environ, port) as worker:
            worker.until("pass.ended")
        for network, posts in live().items():
            check_once(posts, threads[network])
