"""A lock of the operating system: one open file, locked until it is closed or its process ends.

A process that is stopped keeps its locks, and a process that is gone has none, whatever ended it
(https://man7.org/linux/man-pages/man2/flock.2.html). Two threads of one process exclude each other
too, since each opens the file for itself. Only the holder deletes a lock file, and a lock counts
only while its file still has its name: so of two that race for it, both see the same file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.ledger.errors import LedgerError

# a link is not followed, a pipe is not waited for, and no other program inherits the file
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_TEXT = 500
_TRIES, _MOMENT = 50, 0.01
_ODD = ("it is not a regular file", "Remove it: bot makes a new one.")
_FULL = ("the disk is full", "Make room on the disk, then run again.")
_REMOTE = ("its disk has no locks", "Set BOT_DATABASE to a file on a local disk.")
_REASONS = {
    **dict.fromkeys((errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV), _ODD),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL),
    **dict.fromkeys((errno.ENOLCK, errno.EOPNOTSUPP), _REMOTE),
}


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process has taken; `file` is the descriptor that holds it."""

    path: Path
    file: int

    @property
    def held(self) -> bool:
        """False once the file has lost its name: another process may have locked a new one."""
        try:
            return os.path.samestat(os.fstat(self.file), self.path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        """Give the lock back, and leave no file that this process locked."""
        with suppress(OSError):
            os.ftruncate(self.file, 0)
            if self.held:
                self.path.unlink()
        os.close(self.file)


def take(path: Path, holder: str) -> Lock | str:
    """Take a lock and write `holder` into its file, or return what the one who has it wrote.

    It does not wait for another to end: it tries again for half a second at most, while the file is
    empty (the other has just taken the lock, or just gives it back) or was replaced. Raises
    LedgerError where there can be no lock.
    """
    try:
        for _ in range(_TRIES):
            lock = Lock(path, os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600))
            try:
                said = _said(lock, holder)
            except BaseException:
                os.close(lock.file)
                raise
            if said is None:
                return lock
            os.close(lock.file)
            if said:
                return said
            time.sleep(_MOMENT)
    except OSError as error:
        reason, fix = _REASONS.get(error.errno or 0, (error.strerror, ""))
        fix = fix or "Let this program's user read and write it and its folder, then run again."
        raise LedgerError(f"the lock {path} cannot be used: {reason}", fix) from error
    return ""


def read(path: Path) -> str:
    """What the holder of a lock wrote; empty where nobody has it, or that cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | _SAFELY)
    except OSError:
        return ""
    try:
        return _text(file)
    except OSError:
        return ""
    finally:
        os.close(file)


def _said(lock: Lock, holder: str) -> str | None:
    """None once the lock is ours, else what its holder wrote, empty where it is to be tried again.

    Raises OSError.
    """
    if not stat.S_ISREG(os.fstat(lock.file).st_mode):
        raise OSError(errno.ENODEV, "not a regular file")
    try:
        fcntl.flock(lock.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _text(lock.file)
    if not lock.held:  # the file was replaced between the two
        return ""
    with suppress(OSError):  # another user's; a umask may have left us nothing of the mode
        os.fchmod(lock.file, 0o600)
    os.ftruncate(lock.file, 0)
    os.pwrite(lock.file, holder.encode(), 0)
    return None


def _text(file: int) -> str:
    return os.pread(file, _MOST_TEXT, 0).decode("utf-8", "replace").strip()
