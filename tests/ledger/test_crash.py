from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.ledger.rows import Attempt
from bot.ledger.store import Ledger
from bot.model import State
from tests.helpers.ledger_setup import T0, planned_thread
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

CHILD = ROOT / "tests" / "helpers" / "ledger_child.py"
ENVIRONMENT = {"PYTHONPATH": str(ROOT)}


def start(path: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(path), *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    said, complained = process.communicate()
    assert process.returncode == 0, complained
    return said.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


# What the ledger holds after each thing the child said it had done.
STEPS = {
    "": None,
    "planned": (State.PLANNED, State.PLANNED),
    "locked": (State.PLANNED, State.PLANNED),
    "sending 0": (State.SENDING, State.PLANNED),
    "sent 0": (State.SENT, State.PLANNED),
    "sending 1": (State.SENT, State.SENDING),
    "sent 1": (State.SENT, State.SENT),
}


def states(path: Path) -> tuple[State, ...] | None:
    with Ledger.open(path) as ledger:
        thread = ledger.thread("twitter", planned_thread().digest)
        if thread is None:
            return None
        # an attempt is there exactly when the answer that came with it is
        sent = [each.position for each in thread.posts if each.state is State.SENT]
        assert ledger.attempts(thread.number) == tuple(
            Attempt(T0, "send", position, "sent") for position in sent
        )
        return tuple(each.state for each in thread.posts)


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> int:
    path = tmp_path_factory.mktemp("whole") / "bot.db"
    *said, last = finish(start(path, "deliver", 0))
    assert said == list(STEPS)[1:]
    assert states(path) == STEPS["sent 1"]
    return int(last.removeprefix("statements "))


@pytest.mark.parametrize("share", range(12))
def test_a_process_killed_in_mid_transaction_loses_nothing_it_had_said(
    path: Path, statements: int, share: int
) -> None:
    """Twelve points spread over all statements, the first and the last among them."""
    assert statements > 25
    fatal = 1 + (statements - 1) * share // 11
    process = start(path, "deliver", fatal)
    said = process.communicate()[0].splitlines()
    assert process.returncode == -signal.SIGKILL
    done = said[-1] if said else ""
    # the commit that the kill came after, or before, is whole or not there
    following = list(STEPS)[list(STEPS).index(done) + 1 :][:1]
    before = path.with_name("bot.db-wal").exists()
    assert before
    looking = Ledger.peek(path)
    assert looking is not None
    with looking:
        seen = looking.thread("twitter", planned_thread().digest)
    found = states(path)
    assert found in (STEPS[done], *(STEPS[each] for each in following))
    assert (None if seen is None else tuple(each.state for each in seen.posts)) == found


def test_whoever_comes_after_a_kill_goes_on(path: Path, statements: int) -> None:
    for fatal in (statements // 3, statements // 2):
        process = start(path, "deliver", fatal)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert states(path) is not None
    with Ledger.open(path) as ledger:
        thread = ledger.plan(planned_thread(2, text="words of a later template"), T0)
        assert thread.posts[0].text == "0. words"
        assert thread.posts[0].tries <= 1


def test_processes_that_open_a_new_ledger_at_once_make_one(path: Path) -> None:
    racers = [start(path, "open", f"words of {number}") for number in range(6)]
    said = {line for racer in racers for line in finish(racer)}
    assert len(said) == 1
    with Ledger.open(path) as ledger:
        assert len(ledger.threads()) == 1


def test_of_two_processes_one_has_the_lock(path: Path) -> None:
    Ledger.open(path).close()
    racers = [start(path, "take", 60) for _ in range(2)]
    assert [finish(racer) for racer in racers] == [["won 60"], ["won 60"]]


def test_the_lock_of_a_killed_process_is_free_at_once(path: Path, statements: int) -> None:
    process = start(path, "deliver", statements - 3)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    [lock] = path.parent.glob("*.lock")
    assert f'"pid": {process.pid},' in lock.read_text()
    with Ledger.open(path) as ledger, ledger.sending("twitter", T0):
        assert ledger.sender("twitter", T0).startswith(f"process {os.getpid()} on ")
    assert not lock.exists()
