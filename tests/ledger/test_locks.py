from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Thread

import pytest

from bot.ledger import locks, senders
from bot.ledger.errors import Busy, LedgerError
from bot.ledger.senders import holder
from bot.ledger.store import Ledger
from bot.model import State
from tests.helpers.ledger_setup import FAR, MINUTE, T0, planned_thread, post_at, real_proc
from tests.helpers.paths import ROOT

HOLDS = """
import sys
from pathlib import Path
from tests.helpers.ledger_setup import T0
from bot.ledger.store import Ledger
with Ledger.open(Path(sys.argv[1])) as ledger, ledger.sending("twitter", T0):
    print("locked", flush=True)
    input()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bot.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as ledger:
        yield ledger


@pytest.fixture
def lock_file(path: Path) -> Path:
    return path.with_name("bot.db.twitter.lock")


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock of twitter."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


def is_busy(ledger: Ledger, account: str = "twitter", at: datetime = T0) -> str:
    """Who has the account's lock; empty where it could be taken."""
    try:
        with ledger.sending(account, at):
            return ""
    except Busy as busy:
        return busy.sender


def open_files() -> list[str]:
    """What this process has open, but for the listing itself."""
    found = [each for each in Path("/proc/self/fd").iterdir() if os.path.lexists(each)]
    return sorted(str(each.readlink()) for each in found)


def locked_files() -> list[str]:
    return [each for each in open_files() if each.endswith(".lock")]


# Other processes


def test_another_process_is_named_and_holds_one_account_alone(path: Path, ledger: Ledger) -> None:
    with another_process(path) as process:
        who = f"process {process.pid} on {socket.gethostname()}"
        with pytest.raises(Busy) as caught, ledger.sending("twitter", T0):
            pass
        assert caught.value.message == f"{who} sends for twitter at this moment"
        assert caught.value.fix == "Wait until that process is done, or stop it."
        assert not is_busy(ledger, "mastodon")
        process.communicate("\n")
    assert not is_busy(ledger)


def test_a_stopped_process_still_holds_it_whatever_the_time(path: Path, ledger: Ledger) -> None:
    with another_process(path) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert f"process {process.pid} " in is_busy(ledger)
        assert f"process {process.pid} " in is_busy(ledger, at=T0 + timedelta(days=4000))


@pytest.mark.parametrize("proc", ["/proc", "/nowhere"])
def test_a_killed_process_frees_it_at_once(
    path: Path, ledger: Ledger, lock_file: Path, proc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders.holder, "__defaults__", (None, Path(proc)))
    monkeypatch.setattr(senders.is_alive, "__defaults__", (Path(proc),))
    with another_process(path) as process:
        process.kill()
        process.wait()
        assert f'"pid": {process.pid},' in lock_file.read_text()
        assert not is_busy(ledger)
    assert not lock_file.exists()


def test_a_program_that_is_started_meanwhile_does_not_inherit_it(
    path: Path, ledger: Ledger
) -> None:
    code = "import subprocess, sys, os; subprocess.Popen(['sleep', '60'], close_fds=False)"
    holds = HOLDS.replace("    input()", f"    {code}; os._exit(0)")
    done = subprocess.run(
        [sys.executable, "-c", holds, str(path)],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert done.returncode == 0
    assert not is_busy(ledger)


# Threads of this process


def test_of_threads_that_start_together_one_has_it(path: Path) -> None:
    inside, most = 0, 0
    won: list[int] = []
    start = Barrier(6)

    def race(own: Ledger) -> None:
        nonlocal inside, most
        start.wait()
        while len(won) < 30:
            try:
                with own.sending("twitter", T0):
                    inside += 1
                    most = max(most, inside)
                    won.append(1)
                    inside -= 1
            except Busy as busy:
                assert busy.sender.startswith(f"process {os.getpid()} on ")

    with ExitStack() as stack:
        shared = stack.enter_context(Ledger.open(path))
        each = [shared] * 3 + [stack.enter_context(Ledger.open(path)) for _ in range(3)]
        threads = [Thread(target=race, args=(own,)) for own in each]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == 1


def test_a_thread_that_was_refused_takes_nothing_from_the_one_that_has_it(ledger: Ledger) -> None:
    thread = ledger.plan(planned_thread(), T0)
    with ledger.sending("twitter", T0):
        assert is_busy(ledger)
        assert ledger.begin(thread.number, 0, T0)


# The file


@real_proc
def test_each_account_has_one_file_open_and_none_afterwards(path: Path, ledger: Ledger) -> None:
    before = open_files()
    with ledger.sending("twitter", T0), ledger.sending("mastodon", T0):
        names = ["bot.db.mastodon.lock", "bot.db.twitter.lock"]
        assert locked_files() == [str(path.with_name(name)) for name in names]
        for _ in range(3):
            assert is_busy(ledger)
        assert len(locked_files()) == 2
        for each in locked_files():
            assert stat.S_IMODE(Path(each).stat().st_mode) == 0o600
    with pytest.raises(ZeroDivisionError), ledger.sending("twitter", T0):
        _ = 1 // 0
    assert open_files() == before
    assert {each.name for each in path.parent.iterdir()} == {"bot.db", "bot.db-shm", "bot.db-wal"}


def test_it_says_who_has_it_to_people(ledger: Ledger, lock_file: Path) -> None:
    with ledger.sending("twitter", T0):
        told = json.loads(lock_file.read_text())
        assert (told["host"], told["pid"]) == (socket.gethostname(), os.getpid())
        who = f"process {os.getpid()} on {socket.gethostname()}"
        assert ledger.sender("twitter", T0) == who
        assert ledger.sender("mastodon", T0) == ""
    assert ledger.sender("twitter", T0) == ""


def test_two_names_of_a_ledger_are_one(path: Path, ledger: Ledger) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with ledger.sending("twitter", T0), Ledger.open(link) as other:
        assert is_busy(other)


def test_an_odd_account_name_is_only_a_name(path: Path, ledger: Ledger) -> None:
    with ledger.sending("../a b/é", T0):
        assert path.with_name("bot.db...%2Fa%20b%2F%C3%A9.lock").exists()


def to_symlink(file: Path) -> None:
    file.with_name("elsewhere").write_text("kept")
    file.symlink_to(file.with_name("elsewhere"))


def to_dangling(file: Path) -> None:
    file.symlink_to(file.with_name("nowhere"))


def to_socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(file.parent)
        made.bind(file.name)


ODD: dict[str, Callable[[Path], None]] = {
    "a link": to_symlink,
    "a dangling link": to_dangling,
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": to_socket,
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_an_error_with_its_next_step(
    ledger: Ledger, lock_file: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lock_file.parent)
    ODD[kind](lock_file)
    assert ledger.sender("twitter", T0) == ""
    with pytest.raises(LedgerError) as caught, ledger.sending("twitter", T0):
        pass
    assert str(caught.value) == (
        f"the lock {lock_file} cannot be used: it is not a regular file\n"
        "  Delete it, then run again."
    )
    assert not isinstance(caught.value, Busy)
    assert not lock_file.with_name("nowhere").exists()
    if kind == "a link":
        assert lock_file.with_name("elsewhere").read_text() == "kept"


MAY_NOT_WRITE = """
import os, sys
from pathlib import Path
from bot.ledger import locks
file, shut = Path(sys.argv[1]), Path(sys.argv[2])
file.touch() if shut == file else None
shut.chmod(0o500 if shut.is_dir() else 0o400)
if not os.geteuid():  # root need not heed the modes of files
    os.chown(file, 65534, 65534) if shut == file else None
    os.setuid(65534)
try:
    locks.take(file, "me")
except locks.LedgerError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("shut", ["the file", "the folder"])
def test_what_may_not_be_written_is_an_error_with_its_next_step(shut: str) -> None:
    with TemporaryDirectory() as name:  # pytest's own folder is closed to other users
        Path(name).chmod(0o755)
        file = Path(name) / "a.lock"
        done = refusal(MAY_NOT_WRITE, file, file if shut == "the file" else file.parent)
    assert done == (
        f"the lock {file} cannot be used: Permission denied\n"
        "  Let the user that runs bot read and write it and its folder, then run again.\n"
    )


def refusal(code: str, *arguments: object) -> str:
    """What a program complains of that ends with status 1."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_a_full_disk_is_an_error_with_its_next_step(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from bot.ledger import locks\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: locks.take(Path(sys.argv[1]), 'me')\n"
        "except locks.LedgerError as error: sys.exit(str(error))"
    )
    assert refusal(code, tmp_path / "a.lock") == (
        f"the lock {tmp_path}/a.lock cannot be used: the disk is full\n"
        "  Make room on the disk, then run again.\n"
    )


@pytest.mark.parametrize("text", [b"", b"\xff\x00 no JSON", b"[" * 10_000, b'{"pid": {}}', b"7"])
def test_whatever_stands_in_the_file_it_can_be_taken_and_told(
    ledger: Ledger, lock_file: Path, text: bytes
) -> None:
    lock_file.write_bytes(text)
    said = ledger.sender("twitter", T0)
    assert bool(said) == bool(text)
    with ledger.sending("twitter", T0):
        lock_file.write_bytes(text)
        assert "process" in is_busy(ledger)
    assert not is_busy(ledger)


# A lock that is lost


def remove(file: Path) -> None:
    file.unlink()


def replace(file: Path) -> None:
    file.with_name("new").write_bytes(file.read_bytes())
    file.with_name("new").replace(file)


def turn_into_a_link(file: Path) -> None:
    file.rename(file.with_name("moved"))
    file.symlink_to(file.with_name("moved"))


@pytest.mark.parametrize("lose", [remove, replace, turn_into_a_link])
def test_no_post_is_begun_without_the_file_that_was_locked(
    path: Path, ledger: Ledger, lock_file: Path, lose: Callable[[Path], None]
) -> None:
    thread = ledger.plan(planned_thread(), T0)
    with ledger.sending("twitter", T0):
        assert ledger.begin(thread.number, 0, T0)
        ledger.sent(thread.number, 0, "1", "", T0)
        lose(lock_file)
        assert not ledger.begin(thread.number, 1, T0)
        assert post_at(ledger.refresh(thread.number), 1).state is State.PLANNED
        if lose is remove:
            with another_process(path):
                assert not ledger.begin(thread.number, 1, T0)
    # what another process locked meanwhile is not deleted
    assert lock_file.exists() or lose is remove


def test_of_two_that_race_for_a_file_that_is_deleted_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second opens the file while the first has it, and locks it once it is deleted."""
    file, opened, again = tmp_path / "a.lock", os.open, []
    first = locks.take(file, "the first")
    assert isinstance(first, locks.Lock)

    def open_late(*arguments: object, **more: object) -> int:
        number = opened(*arguments, **more)  # type: ignore[arg-type] # as they came
        again.append(number)
        if len(again) == 1:
            first.release()
        return number

    monkeypatch.setattr(os, "open", open_late)
    second = locks.take(file, "the second")
    assert isinstance(second, locks.Lock)
    assert (len(again), second.held, file.read_text()) == (2, True, "the second")
    assert locks.take(file, "the third") == "the second"
    second.release()


def test_it_does_not_wait_for_long_where_nobody_says_who_has_it(tmp_path: Path) -> None:
    first = locks.take(tmp_path / "a.lock", "")
    assert isinstance(first, locks.Lock)
    began = time.monotonic()
    assert locks.take(tmp_path / "a.lock", "") == ""
    assert time.monotonic() - began < 5
    first.release()


# Leases of earlier releases


def lease(ledger: Ledger, who: str, until: datetime) -> None:
    """What an earlier release wrote."""
    row = {"account": "twitter", "token": "theirs", "holder": who, "until": until.isoformat()}
    ledger._change(
        "INSERT OR REPLACE INTO leases VALUES (:account, :token, :holder, :until)", **row
    )


def leases(ledger: Ledger) -> list[str]:
    return [row["expires_at"] for row in ledger._fetch("SELECT * FROM leases")]


def elsewhere(pid: int = 4711) -> str:
    return json.dumps(json.loads(holder()) | {"host": "worker-1", "boot": "another", "pid": pid})


def test_a_lease_that_is_in_force_counts_as_held(ledger: Ledger) -> None:
    until = (T0 + MINUTE).isoformat(timespec="microseconds")
    lease(ledger, elsewhere(), datetime.fromisoformat(until))
    assert is_busy(ledger) == ledger.sender("twitter", T0) == "process 4711 on worker-1"
    assert not is_busy(ledger, "mastodon")
    assert is_busy(ledger, at=T0 + MINUTE - timedelta(microseconds=1))
    assert leases(ledger)
    assert ledger.sender("twitter", T0 + MINUTE) == ""
    assert not is_busy(ledger, at=T0 + MINUTE)
    assert leases(ledger) == []


@real_proc
def test_a_lease_of_a_process_that_is_gone_does_not_count(ledger: Ledger) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lease(ledger, holder(process.pid), FAR)
        assert is_busy(ledger) == f"process {process.pid} on {socket.gethostname()}"
        process.kill()
    assert ledger.sender("twitter", T0) == ""
    assert not is_busy(ledger)
    assert leases(ledger) == []


def test_a_lease_that_is_taken_meanwhile_keeps_the_next_post_back(ledger: Ledger) -> None:
    thread = ledger.plan(planned_thread(), T0)
    with ledger.sending("twitter", T0):
        lease(ledger, elsewhere(), T0 + MINUTE)
        assert not ledger.begin(thread.number, 0, T0)
        assert ledger.begin(thread.number, 0, T0 + MINUTE)


def test_a_clock_that_ran_ahead_locks_nobody_out_for_years(ledger: Ledger) -> None:
    lease(ledger, elsewhere(), T0 + timedelta(days=4000))
    assert is_busy(ledger)
    assert is_busy(ledger, at=T0 + timedelta(minutes=80))
    assert not is_busy(ledger, at=T0 + timedelta(minutes=81))
