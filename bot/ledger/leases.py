"""One sender an account: leases, and whether the process that holds one is still there."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.ledger.base import Base
from bot.ledger.columns import read_lease, stamp
from bot.ledger.rows import Lease

_PROC = Path("/proc")
_DEAD = ("Z", "X")


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else may send for the account: the lease in force is theirs."""

    lease: Lease


class Leases(Base):
    """The part of the ledger that says who may send."""

    def acquire(  # noqa: PLR0913, PLR0917 - the contract of delivery
        self,
        account: str,
        token: str,
        holder: str,
        at: datetime,
        ttl: timedelta,
        alive: Callable[[str], bool],
    ) -> Lease | Busy:
        """Take an account's lease until `at` + `ttl`, or say who has it.

        It is free when nobody has it, when `token` has it already, when it has expired, or when
        `alive` says of its holder that the process is surely gone. A lease that would outlast
        `at` + `ttl` was given by a clock that ran ahead: it is cut to that, so that a jump of the
        clock cannot lock an account for years.
        """
        mine = Lease(account, token, holder, at + ttl)
        with self._writing():
            lease = self.lease(account)
            if lease is None or lease.token == token or lease.expires_at <= at:
                self._grant(mine)
                return mine
            if not alive(lease.holder):
                self._grant(mine)
                return mine
            if lease.expires_at > mine.expires_at:
                self.renew(account, lease.token, at, mine.expires_at)
            return Busy(lease)

    def renew(self, account: str, token: str, at: datetime, expires_at: datetime) -> bool:
        """Move the end of a lease; False where it is not held with `token` at `at` any more."""
        changed = self._change(
            "UPDATE leases SET expires_at = :expires_at"
            " WHERE account = :account AND token = :token AND expires_at > :at",
            account=account,
            token=token,
            at=stamp(at),
            expires_at=stamp(expires_at),
        )
        return changed == 1

    def release(self, account: str, token: str) -> None:
        """Give a lease back; that of another token stays."""
        sql = "DELETE FROM leases WHERE account = :account AND token = :token"
        self._change(sql, account=account, token=token)

    def lease(self, account: str) -> Lease | None:
        """Return the account's lease, expired or not; None where nobody has it."""
        rows = self._fetch("SELECT * FROM leases WHERE account = :account", account=account)
        return read_lease(rows[0]) if rows else None

    def _grant(self, lease: Lease) -> None:
        self._change(
            "INSERT INTO leases VALUES (:account, :token, :holder, :expires_at)"
            " ON CONFLICT (account) DO UPDATE SET token = :token, holder = :holder,"
            " expires_at = :expires_at",
            account=lease.account,
            token=lease.token,
            holder=lease.holder,
            expires_at=stamp(lease.expires_at),
        )


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
    /proc), True: its lease runs out.
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
    """Say for people who holds a lease: `process 4711 on worker-1`."""
    told = _read(text)
    return f"process {told.get('pid', '?')} on {told.get('host', 'an unknown host')}"


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
