from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.leases import Busy, describe, holder, is_alive
from bot.ledger.rows import Lease
from bot.ledger.store import Ledger
from tests.helpers.ledger_setup import FAR, MINUTE, T0, real_proc


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "bot.db") as ledger:
        yield ledger


def alive(_: str) -> bool:
    return True


def gone(_: str) -> bool:
    return False


# Taking and giving back


def test_the_first_has_it_and_the_second_is_told_who(ledger: Ledger) -> None:
    first = ledger.acquire("twitter", "a", "the first", T0, MINUTE, alive)
    assert first == Lease("twitter", "a", "the first", T0 + MINUTE)
    assert ledger.acquire("twitter", "b", "the second", T0, MINUTE, alive) == Busy(first)
    assert ledger.lease("twitter") == first
    # another account is another matter
    assert isinstance(ledger.acquire("mastodon", "b", "the second", T0, MINUTE, alive), Lease)


def test_it_is_free_when_it_ran_out_or_its_holder_is_gone(ledger: Ledger) -> None:
    ledger.acquire("twitter", "a", "the first", T0, MINUTE, alive)
    taken = ledger.acquire("twitter", "b", "the second", T0 + MINUTE, MINUTE, alive)
    assert taken == Lease("twitter", "b", "the second", T0 + 2 * MINUTE)
    taken = ledger.acquire("twitter", "c", "the third", T0 + MINUTE, MINUTE, gone)
    assert taken == Lease("twitter", "c", "the third", T0 + 2 * MINUTE)
    assert not ledger.renew("twitter", "b", T0, FAR)


def test_who_has_it_may_take_it_again_renew_it_and_give_it_back(ledger: Ledger) -> None:
    ledger.acquire("twitter", "a", "the first", T0, MINUTE, alive)
    assert ledger.acquire("twitter", "a", "still", T0, 2 * MINUTE, alive) == Lease(
        "twitter", "a", "still", T0 + 2 * MINUTE
    )
    assert ledger.renew("twitter", "a", T0 + MINUTE, T0 + 9 * MINUTE)
    assert not ledger.renew("twitter", "b", T0 + MINUTE, FAR)
    assert not ledger.renew("twitter", "a", T0 + 9 * MINUTE, FAR)
    ledger.release("twitter", "b")
    assert ledger.lease("twitter") == Lease("twitter", "a", "still", T0 + 9 * MINUTE)
    ledger.release("twitter", "a")
    assert ledger.lease("twitter") is None
    assert not ledger.renew("twitter", "a", T0, FAR)


def test_a_clock_that_ran_ahead_locks_nobody_out_for_long(ledger: Ledger) -> None:
    ahead = ledger.acquire("twitter", "a", "the first", FAR, MINUTE, alive)
    assert isinstance(ahead, Lease)
    assert ledger.acquire("twitter", "b", "the second", T0, MINUTE, alive) == Busy(ahead)
    later = T0 + MINUTE
    assert isinstance(ledger.acquire("twitter", "b", "the second", later, MINUTE, alive), Lease)


# Whether a process is there


@real_proc
def test_this_process_is_there_and_one_that_ended_is_not() -> None:
    assert is_alive(holder())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        other = holder(process.pid)
        assert is_alive(other)
        process.kill()
        # not yet waited for: it is still listed, and does nothing any more
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(other)
    assert not is_alive(other)
    assert describe(other) == f"process {process.pid} on {json.loads(other)['host']}"


def processes(folder: Path, name: str = "worker", state: str = "S", start: int = 777) -> Path:
    """What /proc shows of process 12, on a system of our own."""
    (folder / "sys/kernel/random").mkdir(parents=True)
    (folder / "sys/kernel/random/boot_id").write_text("the boot\n")
    (folder / "self/ns").mkdir(parents=True)
    (folder / "self/ns/pid").symlink_to("pid:[4026531836]")
    (folder / "12").mkdir()
    fields = [state, *map(str, range(4, 22)), str(start), "23"]
    (folder / "12/stat").write_text(f"12 ({name}) {' '.join(fields)}\n")
    return folder


@pytest.mark.parametrize("name", ["worker", "a) S 1 (b", ""])
def test_a_process_is_known_by_its_number_and_start(tmp_path: Path, name: str) -> None:
    proc = processes(tmp_path, name)
    told = holder(12, proc)
    assert json.loads(told) | {"host": ""} == {
        "host": "",
        "boot": "the boot",
        "space": "pid:[4026531836]",
        "pid": 12,
        "start": 777,
    }
    assert is_alive(told, proc)
    assert not is_alive(told.replace("777", "778"), proc)
    assert not is_alive(told.replace('"pid": 12', '"pid": 13'), proc)


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_process_that_ended_and_is_still_listed_is_gone(tmp_path: Path, state: str) -> None:
    told = holder(12, processes(tmp_path / "before"))
    assert not is_alive(told, processes(tmp_path / "after", state=state))


@pytest.mark.parametrize(
    ("here", "there"), [("the boot", "another boot"), ("4026531836", "4026532999")]
)
def test_elsewhere_a_process_counts_as_alive(tmp_path: Path, here: str, there: str) -> None:
    proc = processes(tmp_path)
    told = holder(13, proc)
    (proc / "13").mkdir()
    assert is_alive(told.replace(here, there), proc)


def test_without_a_proc_a_process_counts_as_alive(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    told = holder(12, nothing)
    assert json.loads(told)["start"] is None
    assert is_alive(told, nothing)
    proc = processes(tmp_path / "proc")
    assert is_alive(told, proc)
    # a start that could not be read says nothing, though the rest is known
    assert is_alive(holder(12, proc).replace("777", "null"), proc)
    (proc / "12/stat").write_text("12 (worker) S 1")
    assert not is_alive(holder(12, processes(tmp_path / "again")), proc)


@given(st.text() | st.sampled_from(["[]", "1", "null", '{"pid": "x"}', '{"boot": {}}']))
def test_a_holder_that_says_nothing_counts_as_alive(text: str) -> None:
    assert is_alive(text)
    assert describe(text).startswith("process ")
