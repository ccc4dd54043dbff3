"""Lets one sender at a time publish for an account, and tells whether that process is alive."""

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
from bot.ledger.errors import Busy
from bot.ledger.file import LedgerFile, Reader, Writer

_PROC = Path("/proc")
_DEAD = ("Z", "X")
_LONGEST_LEASE = timedelta(seconds=8 * 600 + 30)  # the longest lease of any earlier release


class Senders(LedgerFile):
    """The part of the ledger that says who may send.

    Earlier releases wrote leases, rows that expire, where this one takes a lock. Their leases still
    count, so that two releases on one ledger exclude each other. This release writes none.
    """

    def __init__(self, path: Path, file: Reader | Writer) -> None:
        super().__init__(path, file)
        self._locks: dict[str, locks.Lock] = {}

    @contextmanager
    def sending(self, account: str, at: datetime) -> Iterator[None]:
        """Hold the account's lock: no one else sends for it with this ledger on this machine.

        Raises Busy where another process or thread holds the lock, and LedgerError where the lock
        cannot be used.
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
        """Describe the process that sends for an account, without a lock; empty for none."""
        text = locks.read(self._lock_file(account))
        found = text if text and is_alive(text) else self._leased(account, at)
        return describe(found) if found else ""

    def _lock_file(self, account: str) -> Path:
        # two paths of one ledger must use one lock
        path = self._path.resolve()
        return path.with_name(f"{path.name}.{quote(account, safe='')}.lock")

    def _drop_lease(self, account: str, at: datetime) -> None:
        """Delete a lease that expired or whose process has ended. Raises Busy for any other."""
        with self.together():
            found = self._leased(account, at)
            if not found:
                self._change("DELETE FROM leases WHERE account = :account", account=account)
                return
            # a lease that was written while the clock was ahead must not last for years
            self._change(
                "UPDATE leases SET expires_at = min(expires_at, :latest) WHERE account = :account",
                account=account,
                latest=at + _LONGEST_LEASE,
            )
        raise Busy(account, describe(found))

    def _leased(self, account: str, at: datetime) -> str:
        """Return the holder of a lease that is in force at `at`; empty where there is none."""
        sql = "SELECT holder FROM leases WHERE account = :account AND expires_at > :at"
        rows = self._fetch(sql, account=account, at=at)
        return next((row["holder"] for row in rows if is_alive(row["holder"])), "")


def holder(pid: int | None = None, proc: Path = _PROC) -> str:
    """Describe a process, this one by default, so that another can tell whether it has ended.

    Returns JSON: the host, the boot it runs in, its namespace of process numbers (containers have
    their own), its number, and its start in ticks since the boot (since numbers are used again).
    What the system does not tell is null.
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
    """Tell whether the process that `holder` described may be running.

    False only where the process has surely ended: boot and namespace are the same, and no process
    has that number, or one that started at another time. True where that is not known (another
    host, a system without /proc).
    """
    described = _read(text)
    boot, space, pid = _boot(proc), _space(proc), described.get("pid")
    here = boot is not None and space is not None
    if not here or (described.get("boot"), described.get("space")) != (boot, space):
        return True
    if not isinstance(pid, int) or described.get("start") is None:
        return True
    state = _process(pid, proc)
    return state is not None and state[0] not in _DEAD and state[1] == described["start"]


def describe(text: str) -> str:
    """Return the process that `holder` described in words: `process 4711 on worker-1`."""
    described = _read(text)
    if "pid" not in described:
        return "another process"
    return f"process {described['pid']} on {described.get('host', 'an unknown host')}"


def _read(text: str) -> dict[str, object]:
    try:
        described = json.loads(text)
    except ValueError:
        return {}
    return described if isinstance(described, dict) else {}


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
    """Return state and start of a process (proc_pid_stat(5), fields 3 and 22); None for none."""
    try:
        text = (proc / str(pid) / "stat").read_text("utf-8", "replace")
        # the name in field 2 may hold spaces and brackets, so count from its last bracket
        fields = text.rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
