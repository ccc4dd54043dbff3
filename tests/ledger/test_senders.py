from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.senders import describe, holder, is_alive
from tests.helpers.ledger_setup import real_proc


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
    assert "process" in describe(text)
