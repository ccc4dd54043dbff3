"""Digests on this machine: a folder of Markdown files, or one file."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path

from bot.digests.file_names import SUFFIXES
from bot.digests.file_store import FileListing, FileRefused
from bot.digests.parse import days_in, parse
from bot.digests.result import NOTHING, Memory, SourceOutcome, SourceResult, is_wanted
from bot.errors import Malformed, NoDigest, Nowhere, Unreachable
from bot.http.page import SIZE_CAP
from bot.http.urls import printable

MOST_FILES = 20_000
"""Markdown files that a folder may hold: fifty years of digests."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files directly inside a folder: a FileStore."""

    root: Path
    patience: int = sys.maxsize

    @property
    def where(self) -> str:
        """The folder's path as it was given."""
        return _printable(self.root)

    def names(self, memory: Memory) -> FileListing:
        """Name the Markdown files in the folder. Raises Unreachable where it cannot be listed."""
        del memory  # listing a folder is cheaper than remembering whether it changed
        try:
            with os.scandir(self.root) as found:
                markdown = (each.name for each in found if each.name.endswith(SUFFIXES))
                names = [*islice(markdown, MOST_FILES + 1)]
        except OSError as error:
            raise _unreachable(self.root, error) from error
        if len(names) > MOST_FILES:
            raise Unreachable(
                f"{self.where}: holds more than {MOST_FILES:,} Markdown files, and is not read",
                "Move old digests to another folder.",
            )
        return FileListing(names)

    def path(self, name: str) -> str:
        """The file's path."""
        return _printable(self.root / name)

    def read(self, name: str, limit: int) -> bytes:
        """Read a file; a symbolic link only where it stays inside the folder.

        Raises FileRefused for what is no file or leads out, Unreachable where reading fails.
        """
        path = self.root / name
        try:
            target = self._inside(path) if path.is_symlink() else path
            return read_bytes(target, limit, os.O_NOFOLLOW)
        except FileRefused as error:
            raise FileRefused(f"{_printable(path)}: {error}") from None
        except OSError as error:
            raise _unreachable(path, error) from error

    def _inside(self, link: Path) -> Path:
        """Return where `link` leads. Raises FileRefused if that is not in the folder."""
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
            raise FileRefused("a symbolic link to nothing is not followed") from None
        if not target.is_relative_to(self.root.resolve()):
            raise FileRefused("a symbolic link that leads out of the folder is not followed")
        return target


@dataclass(frozen=True, slots=True)
class FileSource:
    """One digest in one file: a DigestFinder."""

    path: Path

    @property
    def where(self) -> str:
        """The file's path as it was given."""
        return _printable(self.path)

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        """Read the file."""
        del memory  # one file is read as fast as it is compared
        named = days_in(self.path.name)
        digest, warnings = parse(self._read(), self.where, day=named[1] if named else None)
        return SourceResult(SourceOutcome.FOUND, self.where, digest, warnings)

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Read the file; nothing where it is of no later day."""
        reading = self.latest()
        later = most > 0 and reading.digest and reading.digest.last_day > day
        return (reading,) if later else ()

    def find(self, wanted: date | str) -> SourceResult:
        """Read the file, if it is the digest that is wanted."""
        reading = self.latest()
        if reading.digest and is_wanted(reading.digest, wanted):
            return reading
        raise NoDigest(f"{self.where}: this is not the digest {wanted}")

    def _read(self) -> bytes:
        try:
            return read_bytes(self.path, SIZE_CAP + 1)
        except FileRefused as error:
            raise Malformed(self.where, 1, f"expected a file with a digest: {error}") from None
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Nowhere(f"{self.where}: there is no such file") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise _unreachable(self.path, error) from error


def read_bytes(path: Path, limit: int, flags: int = 0) -> bytes:
    """Read the first `limit` bytes of a regular file, never waiting for anything else.

    `flags` are those of os.open. Raises FileRefused for all that is no regular file, OSError as
    the system does.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise FileRefused(f"{_kind(mode)} is not read")
    with open(path, "rb", opener=partial(_open, flags)) as file:
        return file.read(limit)


def _open(extra: int, path: str, flags: int) -> int:
    # A named pipe that took the file's place since stat() would block for ever without O_NONBLOCK.
    return os.open(path, flags | extra | os.O_NONBLOCK)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def _unreachable(path: Path, error: OSError | ValueError) -> Unreachable:
    """What the system says, with a mend for what a person can mend."""
    reason = getattr(error, "strerror", None) or str(error)
    fix = "Let the user that runs the bot read it." if isinstance(error, PermissionError) else ""
    return Unreachable(f"{_printable(path)}: cannot be read: {reason}", fix)


def _printable(path: Path) -> str:
    """A path as text that can be shown, whatever bytes its names are made of."""
    return printable(os.fsencode(path).decode("utf-8", "replace"))
