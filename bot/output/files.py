"""Write a file completely or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from bot.errors import BotError


def write_whole(path: Path, data: bytes) -> None:
    """Write the file; an earlier one stays until the new one is completely on the disk.

    A symbolic link stays, and points to the new file. Raises BotError if the disk is full or
    writing is not allowed.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".bot-{secrets.token_hex(8)}")  # short: names have a maximum length
    try:
        try:
            with beside.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, target)  # noqa: PTH105 - used with os.fsync
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    except OSError as error:
        message = f"cannot write {path} ({error.strerror})"
        raise BotError(message, "An earlier file of this name is unchanged.") from error
