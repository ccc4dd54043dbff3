"""The protocol of a place that keeps digests as files with names.

A folder and a Git repository are such places. `search` finds a digest among their files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from bot.digests.result import Memory


class FileRefused(Exception):
    """A file that must not be read, or is no file. The message says which and why."""


@dataclass(frozen=True, slots=True)
class FileListing:
    """The names of the files, warnings about some of them, and the memory for the next call."""

    names: Iterable[str]
    warnings: tuple[str, ...] = ()
    memory: Memory = field(default_factory=dict)


class FileStore(Protocol):
    """A place that keeps digests as files."""

    @property
    def where(self) -> str:
        """The name of the place, for messages."""
        ...

    @property
    def patience(self) -> int:
        """The most files that may be opened only to learn which digests they are."""
        ...

    def names(self, memory: Memory) -> FileListing | None:
        """List the files; None where nothing changed since `memory`. Raises NoDigest, Unreachable.

        Not every file needs to be a digest.
        """
        ...

    def path(self, name: str) -> str:
        """Return the path of a file, for messages."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """Return the first `limit` bytes of a listed file. Raises FileRefused, Unreachable."""
        ...
