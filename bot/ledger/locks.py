"""Locks files with the operating system, until the file is closed or its process ends.

A suspended process keeps its locks, and an ended process has none, whatever ended it
(https://man7.org/linux/man-pages/man2/flock.2.html). Two threads of one process exclude each other
too, since each opens the file for itself. Only the holder deletes a lock file, and a lock counts
only while its file still has its name, so that two processes that race for it use the same file.
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

# follow no link, wait for no pipe, and let no other program inherit the file
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_TEXT = 500
_TRIES, _MOMENT = 50, 0.01
_ODD = ("it is not a regular file", "Delete it, then run again.")
_FULL = ("the disk is full", "Make room on the disk, then run again.")
_REMOTE = ("its disk does not support locks", "Set BOT_DATABASE to a file on a local disk.")
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
        """Whether the file still has its name. Else another process may have locked a new file."""
        try:
            return os.path.samestat(os.fstat(self.file), self.path.lstat())
        except OSError:
            return False

    def release(self) -> None:
        """Release the lock, and delete the file that this process locked."""
        with suppress(OSError):
            os.ftruncate(self.file, 0)
            if self.held:
                self.path.unlink()
        os.close(self.file)


def take(path: Path, holder: str) -> Lock | str:
    """Take a lock and write `holder` into its file, or return what its present holder wrote.

    It does not wait until another holder ends. It tries again for half a second at most, while the
    file is empty (the other holder has just taken the lock, or is releasing it) or was replaced.
    Raises LedgerError where the file cannot be locked.
    """
    try:
        for _ in range(_TRIES):
            lock = Lock(path, os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600))
            try:
                other = _try(lock, holder)
            except BaseException:
                os.close(lock.file)
                raise
            if other is None:
                return lock
            os.close(lock.file)
            if other:
                return other
            time.sleep(_MOMENT)
    except OSError as error:
        reason, fix = _REASONS.get(error.errno or 0, (error.strerror, ""))
        fix = fix or "Let the user that runs bot read and write it and its folder, then run again."
        raise LedgerError(f"the lock {path} cannot be used: {reason}", fix) from error
    return ""


def read(path: Path) -> str:
    """Return what the holder of a lock wrote; empty where it is free or cannot be read."""
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


def _try(lock: Lock, holder: str) -> str | None:
    """Lock the file and return None, or return what its holder wrote; empty asks to try again.

    Raises OSError.
    """
    if not stat.S_ISREG(os.fstat(lock.file).st_mode):
        raise OSError(errno.ENODEV, "not a regular file")
    try:
        fcntl.flock(lock.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _text(lock.file)
    if not lock.held:  # the file was replaced after it was opened
        return ""
    with suppress(OSError):  # the file may be another user's; a umask may have narrowed its mode
        os.fchmod(lock.file, 0o600)
    os.ftruncate(lock.file, 0)
    os.pwrite(lock.file, holder.encode(), 0)
    return None


def _text(file: int) -> str:
    return os.pread(file, _MOST_TEXT, 0).decode("utf-8", "replace").strip()
