"""One sender an account: who has its lock, and whether that process is still there."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from bot.ledger import locks
from bot.ledger.base import Base
from bot.ledger.columns import stamp
from bot.ledger.errors import Busy
from bot.ledger.reader import Reader
from bot.ledger.writer import Writer

_PROC = Path("/proc")
_DEAD = ("Z", "X")
_LONGEST_LEASE = timedelta(seconds=8 * 600 + 30)  # the longest that any release before gave


class Senders(Base):
    """The part of the ledger that says who may send.

    Releases before this one wrote leases, rows that expire, where this one takes a lock. Theirs
    still count, so that two releases on one ledger exclude each other; none is written any more.
    """

    def __init__(self, path: Path, file: Reader | Writer) -> None:
        super().__init__(path, file)
        self._locks: dict[str, locks.Lock] = {}

    @contextmanager
    def sending(self, account: str, at: datetime) -> Iterator[None]:
        """Be the only one who sends for an account, on this machine and this ledger.

        Raises Busy where another process or thread does, and LedgerError where there is no lock.
        """
        lock = locks.take(self._lock_file(account), holder())
        if isinstance(lock, str):
            raise Busy(account, describe(lock))
        self._locks[account] = lock
        try:
            self._drop_lease(account, at)
            yield
        finally:
            del self._locks[account]
            lock.release()

    def sender(self, account: str, at: datetime) -> str:
        """Say who sends for an account, empty for nobody; no lock is taken to find out."""
        said = locks.read(self._lock_file(account))
        found = said if said and is_alive(said) else self._leased(account, at)
        return describe(found) if found else ""

    def _holds(self, account: str) -> bool:
        """Whether the account's lock was taken here, and its file is still the one locked."""
        lock = self._locks.get(account)
        return lock is not None and lock.held

    def _lock_file(self, account: str) -> Path:
        # two names of one ledger must lead to one lock
        path = self._path.resolve()
        return path.with_name(f"{path.name}.{quote(account, safe='')}.lock")

    def _drop_lease(self, account: str, at: datetime) -> None:
        """Forget a lease that expired or whose process is gone. Raises Busy for any other."""
        with self._writing():
            found = self._leased(account, at)
            if not found:
                self._change("DELETE FROM leases WHERE account = :account", account=account)
                return
            # a clock that ran ahead locks nobody out for years
            self._change(
                "UPDATE leases SET expires_at = min(expires_at, :latest) WHERE account = :account",
                account=account,
                latest=stamp(at + _LONGEST_LEASE),
            )
        raise Busy(account, describe(found))

    def _leased(self, account: str, at: datetime) -> str:
        """Who holds a lease that is in force at `at`; empty where nobody does."""
        sql = "SELECT holder FROM leases WHERE account = :account AND expires_at > :at"
        rows = self._fetch(sql, account=account, at=stamp(at))
        return next((row["holder"] for row in rows if is_alive(row["holder"])), "")


def holder(pid: int | None = None, proc: Path = _PROC) -> str:
    """Describe a process, this one by default, so that another can tell whether it is gone.

    JSON: the host, the boot it runs in, its space of process numbers (containers have their own),
    its number, and when it started in ticks since the boot (a number is used again). What the
    system does not tell is null.
    """
    number = os.getpid() if pid is None else pid
    state = _process(number, proc)
    return json.dumps(
        {
            "host": socket.gethostname(),
            "boot": _boot(proc),
            "space": _space(proc),
            "pid": number,
            "start": state[1] if state else None,
        }
    )


def is_alive(text: str, proc: Path = _PROC) -> bool:
    """Whether the process that `holder` described may be running.

    False only where it is surely gone: the same boot and space, and no process of that number, or
    one that started at another time. Where that cannot be told (another host, a system without
    /proc), True.
    """
    told = _read(text)
    boot, space, pid = _boot(proc), _space(proc), told.get("pid")
    here = boot is not None and space is not None
    if not here or (told.get("boot"), told.get("space")) != (boot, space):
        return True
    if not isinstance(pid, int) or told.get("start") is None:
        return True
    state = _process(pid, proc)
    return state is not None and state[0] not in _DEAD and state[1] == told["start"]


def describe(text: str) -> str:
    """Say for people who that is: `process 4711 on worker-1`."""
    told = _read(text)
    if "pid" not in told:
        return "another process"
    return f"process {told['pid']} on {told.get('host', 'an unknown host')}"


def _read(text: str) -> dict[str, object]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _boot(proc: Path) -> str | None:
    try:
        return (proc / "sys/kernel/random/boot_id").read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None


def _space(proc: Path) -> str | None:
    try:
        return str((proc / "self/ns/pid").readlink())
    except OSError:
        return None


def _process(pid: int, proc: Path) -> tuple[str, int] | None:
    """State and start of a process (proc_pid_stat(5), fields 3 and 22); None if there is none."""
    try:
        text = (proc / str(pid) / "stat").read_text("utf-8", "replace")
        # the name in field 2 may hold spaces and brackets: what counts follows its last one
        fields = text.rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
