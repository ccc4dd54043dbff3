"""The whole worker in this process: real timer, real threads, real pages; clocks that are told."""

from __future__ import annotations

import io
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.model import Network
from bot.sandbox.faults import refusal
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.scheduler.loop import Worker
from bot.scheduler.start import Clocks, started
from bot.settings import Secret, Settings
from tests.helpers.fake_world import FakeWorld, check_once, fake_world
from tests.helpers.worker_world import numbered_digest, publish_file, worker_settings

TOOTS = Network.MASTODON
SECONDS = 120.0  # what hangs fails then
HOUR = timedelta(hours=1)


class WaitableLog(io.StringIO):
    """A log that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._written = threading.Condition()

    def write(self, text: str) -> int:
        with self._written:
            self._written.notify_all()
            return super().write(text)

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def until(self, event: str, times: int = 1) -> dict[str, object]:
        def there() -> list[dict[str, object]]:
            return [line for line in self.lines() if line["event"] == event]

        with self._written:
            assert self._written.wait_for(lambda: len(there()) >= times, SECONDS), self.getvalue()
        return there()[-1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(world: FakeWorld, settings: Settings) -> Iterator[tuple[Worker, WaitableLog]]:
    """A worker at work in a thread, from `with` to its end."""
    out = WaitableLog()
    clocks = Clocks(world.clock, world.clock.monotonic)
    with started(settings, settings.accounts, {}, out, clocks) as worker:
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker, out
        finally:
            worker.stop()
            thread.join(SECONDS)
            assert not thread.is_alive()


def healthz(port: int) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_it_posts_is_rung_for_and_stops(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        world.add_history(settings)
        source = numbered_digest(1, world.clock.wall - HOUR)
        with running(world, settings) as (worker, out):
            out.until("pass.ended")
            publish_file(world.folder / "posts", source)
            worker.due.ring("mastodon")
            out.until("pass.ended", 2)
            assert len(world.live(TOOTS)) == 4
            assert world.live(Network.TWITTER) == [], "rung for one account alone"
            worker.timer.at(world.clock.wall, "twitter")
            out.until("pass.ended", 3)
        assert out.lines()[-1]["event"] == "worker.stopped"
        for network, thread in world.planned(source, settings).items():
            check_once(world.live(network), thread)


def test_a_timer_that_is_wedged_is_503_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        port, let_go = free_port(), threading.Event()
        settings = worker_settings(world, [TOOTS], PORT=str(port))
        with running(world, settings) as (worker, out):
            out.until("pass.ended")
            assert healthz(port)[0] == 200

            def wedged(_self: object, _moment: datetime) -> datetime:
                let_go.wait(SECONDS)
                return world.clock.wall + HOUR

            monkeypatch.setattr("bot.settings.schedule.Schedule.after", wedged)
            world.clock.sleep(3600)  # the next run is due, and what it asks for never comes
            worker.timer.at(world.clock.wall - HOUR, "")
            world.clock.sleep(301)
            status, body = healthz(port)
            # whoever has not yet been wedged has ticked meanwhile; then it takes five minutes more
            for _ in range(100):
                if status == 503:
                    break
                world.clock.sleep(301)
                status, body = healthz(port)
            assert status == 503, body
            assert "timer" in str(body["reasons"])
            let_go.set()


def test_a_pass_that_hangs_is_503_and_heard_of_in_every_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        port, let_go, entered = free_port(), threading.Event(), threading.Event()
        settings = worker_settings(world, [TOOTS], PORT=str(port))

        def hangs(_self: object) -> None:
            entered.set()
            let_go.wait(SECONDS)
            raise ZeroDivisionError

        with running(world, settings) as (worker, out):
            out.until("pass.ended")
            monkeypatch.setattr("bot.scheduler.poll_source.SourcePoller.ask", hangs)
            worker.due.ring("")
            assert entered.wait(SECONDS)
            world.clock.sleep(15 * 60 + 5 * 60 + 1)
            worker.reporter.tick()
            worker.reporter.tick()
            status, body = healthz(port)
            assert (status, body["status"]) == (503, "stuck")
            assert len([line for line in out.lines() if line["event"] == "worker.stuck"]) == 1
            let_go.set()
            out.until("pass.ended", 2)
            worker.reporter.tick()
            assert out.until("worker.unstuck")
            assert healthz(port)[0] == 200


def test_refused_tokens_are_told_and_are_no_503(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        port = free_port()
        settings = worker_settings(world, [TOOTS], PORT=str(port))
        world.sandbox.script(
            refusal("401", mastodon_answers.UNAUTHORIZED), network="mastodon", times=1000
        )
        with running(world, settings) as (_, out):
            out.until("pass.ended")
            status, body = healthz(port)
        assert status == 200
        accounts = body["accounts"]
        assert isinstance(accounts, list)
        assert accounts[0]["able"] is False
        assert accounts[0]["next_step"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["BOT_HEARTBEAT_URL", "BOT_NOTIFY_URLS", "MASTODON_ACCESS_TOKEN"])
def test_no_secret_is_in_the_log(tmp_path: Path, name: str) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        planted = "https://hc.test/planted-secret-1234"
        if name == "BOT_HEARTBEAT_URL":
            settings = replace(settings, heartbeat_url=Secret(planted))
        elif name == "BOT_NOTIFY_URLS":
            settings = replace(settings, notify_urls=Secret("json://127.0.0.1:1/planted-secret-1"))
        publish_file(world.folder / "posts", numbered_digest(1, world.clock.wall), "no digest")
        with running(world, settings) as (_, out):
            out.until("pass.ended")
        assert "planted-secret" not in out.getvalue()
        assert world.mastodon.token not in out.getvalue()


def test_a_heartbeat_is_told_of_each_pass(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        port = free_port()
        settings = worker_settings(world, [TOOTS])
        # the stand-in answers anything: a 404 is a beat that failed, and is told in the log
        url = f"http://127.0.0.1:{port}/beat"
        settings = replace(settings, heartbeat_url=Secret(url))
        with running(world, settings) as (_, out):
            line = out.until("heartbeat.failed")
        assert "beat" not in str(line["reason"]).replace("heartbeat", "")


def test_settings_that_cannot_work_end_it_before_the_first_pass(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        templates = tmp_path / "mine" / "default"
        templates.mkdir(parents=True)
        (templates / "entry.txt.j2").write_text("{{ nonsense }}")
        settings = worker_settings(world, [TOOTS], BOT_TEMPLATES=str(tmp_path / "mine"))
        with (
            pytest.raises(SettingsError, match="nonsense"),
            started(settings, settings.accounts, {}, io.StringIO()),
        ):
            raise AssertionError
        assert not world.sandbox.requests


def test_what_may_mend_itself_is_a_line_in_the_log(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        publish_file(world.folder / "posts", numbered_digest(1, world.clock.wall), "no digest")
        with running(world, settings) as (_, out):
            assert out.until("check.warning")
            out.until("pass.ended")


def test_an_address_that_apprise_cannot_use_ends_it(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = replace(
            worker_settings(world, [TOOTS]), notify_urls=Secret("nope://planted-secret")
        )
        with pytest.raises(SettingsError) as caught, running(world, settings):
            raise AssertionError
        assert "planted" not in str(caught.value)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world, socket.create_server(("", 0)) as taken:
        settings = worker_settings(world, [TOOTS], PORT=str(taken.getsockname()[1]))
        with pytest.raises(SettingsError, match="PORT"), running(world, settings):
            raise AssertionError


def test_its_pages_are_where_bot_bind_says(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], PORT="0", BOT_BIND="127.0.0.2")
        with running(world, settings) as (_, out):
            began = out.until("worker.started")
            assert began["bind"] == "127.0.0.2"
            port = int(str(began["port"]))
            with socket.create_connection(("127.0.0.2", port), SECONDS):
                pass
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port), SECONDS)


@pytest.mark.parametrize(("network", "answers"), [(TOOTS, 2), (Network.BLUESKY, 8)])
def test_the_watch_waits_as_long_as_one_post_may_take(
    tmp_path: Path, network: Network, answers: int
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [network], BOT_HTTP_TIMEOUT="600")
        clocks = Clocks(world.clock, world.clock.monotonic)
        with started(settings, settings.accounts, {}, WaitableLog(), clocks) as worker:
            watch = worker.reporter.watch
            watch.begun([network.value])
            worker.passes.service.around.clock()
            work = watch.snapshot().at_work
            assert work
            assert work.due - world.clock.monotonic() == answers * 600
