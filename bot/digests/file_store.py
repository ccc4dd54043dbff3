"""A place that keeps digests as files with names: it lists and it reads.

A kind of source that does so (a folder, a Git repository) is a Shelf; `search` finds the digest
that is wanted on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from bot.digests.result import Memory


class FileRefused(Exception):
    """A file that must not be read, or is none. The message says which and why; others may do."""


@dataclass(frozen=True, slots=True)
class FileListing:
    """The names on a shelf, what is wrong with some of them, and what to remember of asking."""

    names: Iterable[str]
    warnings: tuple[str, ...] = ()
    memory: Memory = field(default_factory=dict)


class FileStore(Protocol):
    """A place that keeps files by name."""

    @property
    def where(self) -> str:
        """The place itself, for messages."""
        ...

    @property
    def patience(self) -> int:
        """How many files may be opened only to learn what they are."""
        ...

    def names(self, memory: Memory) -> FileListing | None:
        """Name the files; None where nothing changed since `memory`. Raises NoDigest, Unreachable.

        Names need not be those of digests.
        """
        ...

    def path(self, name: str) -> str:
        """One file, for messages."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """Give the first `limit` bytes of a listed file. Raises Refused, Unreachable."""
        ...
