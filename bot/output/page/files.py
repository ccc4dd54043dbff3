"""Putting a page into a file: whole or not at all, and never over a file that is no page of ours.

This is the one part of the page that touches a disk.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from bot.errors import BotError, SettingsError
from bot.output.page.render import GENERATOR

_HEAD = 4096
_MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()


def write(path: Path, html: str) -> None:
    """Write the page; what was there before stays until all of the new one is on the disk.

    Raises SettingsError where the file cannot be meant: no such folder, a folder, somebody else's
    file. Raises BotError where it cannot be written: no room, no right.
    """
    target = Path(os.path.realpath(path))  # a link stays one, and leads to the new page
    _check(path, target)
    beside = target.with_name(f".bot-{secrets.token_hex(8)}")  # the page's own may be the longest
    try:
        try:
            _fill(beside, html.encode())
            os.replace(beside, target)  # noqa: PTH105 - beside its like, os.fsync
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise BotError(message, "What was there before is as it was.") from error


def _check(path: Path, target: Path) -> None:
    try:
        if target.is_file():
            with target.open("rb") as file:
                ours = _MARK in file.read(_HEAD)
            if ours:
                return
            fix = "Give another name, or delete it first."
            raise SettingsError(f"{path} is there and is no page of bot preview", fix)
        if target.exists():
            raise SettingsError(f"{path} is no file", "Give the name of a file.")
        if not target.parent.is_dir():
            raise SettingsError(f"{path}: there is no folder {path.parent}", "Make it first.")
    except OSError as error:
        raise SettingsError(f"{path} cannot be used: {error.strerror}", "Give another.") from error


def _fill(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
