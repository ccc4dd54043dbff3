"""`bot` as processes of its own, of which one at a time sends for an account."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.delivery.publish import AccountPublisher, AccountResult
from bot.ledger.store import Ledger
from bot.model import Network, State
from bot.sandbox.faults import HUNG_BEFORE
from bot.sandbox.wire import Request
from tests.helpers.crash_trials import Flaws, flaws_on_networks
from tests.helpers.fake_world import check_once, digest, fake_world
from tests.helpers.ledger_setup import real_proc
from tests.helpers.process_world import HANG_SECONDS, ProcessWorld, process_world

pytestmark = pytest.mark.slow

STOPS_ITSELF = """
import signal, sys, threading
from bot.cli import main
from bot.ledger.store import Ledger
begin = Ledger.begin

def stop_after(*arguments, **more):
    begun = begin(*arguments, **more)
    Ledger.begin = begin
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    return begun

Ledger.begin = stop_after
sys.argv = ["bot", "post", "digest.md"]
main()
"""
AN_HOUR_LATER = """
import sys
from datetime import timedelta
from bot.cli import main, serving
now = serving.now
serving.now = lambda: now() + timedelta(hours=1)
sys.argv = ["bot", *sys.argv[1:]]
main()
"""
X = Network.TWITTER


@pytest.fixture(params=[X, Network.MASTODON, Network.BLUESKY])
def at(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ProcessWorld]:
    with process_world(tmp_path, (request.param,)) as set_up:
        yield set_up


@contextmanager
def stopped(at: ProcessWorld) -> Iterator[subprocess.Popen[str]]:
    """`bot post`, stopped between its first record and its request."""
    with subprocess.Popen(
        [sys.executable, "-c", STOPS_ITSELF],
        cwd=at.world.folder,
        env=at.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            yield process
        finally:
            process.kill()


def bot(
    at: ProcessWorld, *arguments: str, how: tuple[str, str] = ("-m", "bot"), **more: str
) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *how, *arguments],
        cwd=at.world.folder,
        env=at.environ | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_process_that_is_stopped_before_its_request_sends_alone(at: ProcessWorld) -> None:
    (network,) = at.networks
    with stopped(at) as process:
        asked = len(at.world.sandbox.requests)
        for how in (("-m", "bot"), ("-c", AN_HOUR_LATER)):
            status, said = bot(at, "post", "digest.md", how=how, BOT_HTTP_TIMEOUT="0.1")
            assert status == 75
            assert f"{network}: not finished: process {process.pid} on " in said
        assert len(at.world.sandbox.requests) == asked
        status, said = bot(at, "status")
        assert (status, f"  process {process.pid} on " in said) == (0, True)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0, said
    assert flaws_on_networks(at.world, at.planned(), at.networks) == Flaws()
    assert not list(at.settings.database.parent.glob("*.lock"))


def test_a_smaller_time_limit_takes_no_account_over(tmp_path: Path) -> None:
    """The holder waits 45 s for one answer, and may wait for ten minutes."""
    ends = []
    with fake_world(tmp_path) as world:
        hurried = world.settings([X], BOT_HTTP_TIMEOUT="0.1")

        def meet(request: Request) -> bool:
            if request.method == "POST":
                for seconds in (0, 45):
                    world.clock.sleep(seconds)
                    ends.append(world.post(digest(2), hurried)[X].end)
            return False

        world.sandbox.script(HUNG_BEFORE, network="twitter", when=meet)
        settings = world.settings([X], BOT_HTTP_TIMEOUT="600")
        assert world.post(digest(2), settings)[X].end == "done"
        assert ends == ["later"] * 8
        check_once(world.live(X), world.planned(digest(2), settings)[X])


def test_a_stopped_process_that_is_killed_leaves_the_account_free_at_once(at: ProcessWorld) -> None:
    with stopped(at) as process:
        process.kill()
        process.wait()
        # the first of its runs finds the post in doubt, and not another sender
        status, said = at.run()
        assert "sends for it" not in said
        assert status in (0, 75)
    assert not at.run_until_done()
    assert flaws_on_networks(at.world, at.planned(), at.networks) == Flaws()


@pytest.mark.parametrize("at", [X], indirect=True)
def test_settle_and_retract_wait_for_the_process_that_sends(at: ProcessWorld) -> None:
    slug = at.source.slug
    with stopped(at) as process:
        who = rf"process {process.pid} on \S+ sends for"
        for wish in (("--unsent",), ("--sent", "1234567890123456789")):
            status, said = bot(at, "settle", slug, "1", *wish)
            assert status == 75
            assert re.search(rf"Error: {who} twitter at this moment\n  Wait until that", said), said
        status, said = bot(at, "retract", slug)
        assert status == 75
        assert re.search(
            rf"twitter: not finished: process {process.pid} on \S+ is already posting", said
        ), said
        with Ledger.open(at.settings.database) as ledger:
            thread = ledger.thread("twitter", slug)
            assert thread
            assert [post.state for post in thread.posts] == [State.SENDING, *[State.PLANNED] * 3]
    status, said = bot(at, "settle", slug, "1", "--unsent")
    assert (status, "is sending, so there is nothing to settle" in said) == (1, True)


@pytest.mark.parametrize("at", [X], indirect=True)
def test_what_only_reads_takes_no_lock_and_leaves_no_file(at: ProcessWorld) -> None:
    assert at.run()[0] == 0
    folder = at.settings.database.parent
    before = {each.name: each.stat().st_mtime_ns for each in folder.iterdir()}
    for command in (["status"], ["check", "--offline"], ["post", "digest.md", "--dry-run"]):
        status, said = bot(at, *command)
        assert status == 0, said
    assert {each.name: each.stat().st_mtime_ns for each in folder.iterdir()} == before
    with Ledger.open(at.settings.database) as ledger, ledger.sending("twitter", at.world.clock()):
        for command in (["status"], ["check", "--offline"], ["post", "digest.md", "--dry-run"]):
            assert bot(at, *command)[0] == 0


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("at", [X], indirect=True)
def test_a_lock_file_that_is_none_is_an_error_for_people(at: ProcessWorld, kind: str) -> None:
    file = at.settings.database.with_name("bot.db.twitter.lock")
    file.parent.mkdir(exist_ok=True)
    make = {"link": lambda: file.symlink_to("x"), "pipe": lambda: os.mkfifo(file)}
    make.get(kind, file.mkdir)()
    status, said = at.run()
    assert (status, "Traceback" in said) == (1, False)
    assert f"the lock {file} cannot be used: it is not a regular file" in said
    assert "Delete it" in said
    assert at.world.sandbox.requests == ()
    assert bot(at, "status")[0] == 0


@real_proc
def test_an_account_that_is_served_has_one_file_locked_and_none_afterwards(tmp_path: Path) -> None:
    def locked() -> list[str]:
        found = [each for each in Path("/proc/self/fd").iterdir() if os.path.lexists(each)]
        names = (str(each.readlink()) for each in found)
        return [name.rpartition("/")[2] for name in names if ".lock" in name]

    seen = []

    def look(publisher: AccountPublisher) -> AccountResult:
        seen.extend(locked())
        return publisher.try_credentials()

    with fake_world(tmp_path) as world:
        settings = world.settings([Network.MASTODON])
        with world.service(settings) as service:
            for _ in range(3):
                assert service.serve(settings.accounts[0], look).end == "done"
            assert locked() == []
        assert seen == ["bot.db.mastodon.lock"] * 3
        assert world.post(digest(2), settings)[Network.MASTODON].end == "done"
        assert locked() == []
        check_once(
            world.live(Network.MASTODON), world.planned(digest(2), settings)[Network.MASTODON]
        )
