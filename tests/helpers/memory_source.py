"""A folder of digests in memory, whose files can fail to be read."""

from __future__ import annotations

from collections.abc import Mapping

from bot.digests.file_store import FileListing


class MemoryFolder:
    """Files that can be told to fail."""

    def __init__(self, files: Mapping[str, bytes | Exception], patience: int = 9) -> None:
        self.files = files
        self.patience = patience
        self.where = "memory"
        self.read_names: list[tuple[str, int]] = []

    def names(self, memory: object) -> FileListing | None:
        del memory
        return FileListing(self.files)

    def path(self, name: str) -> str:
        return name

    def read(self, name: str, limit: int) -> bytes:
        self.read_names.append((name, limit))
        content = self.files[name]
        if isinstance(content, Exception):
            raise content
        return content[:limit]
