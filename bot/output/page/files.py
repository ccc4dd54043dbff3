"""Write a page to a file, completely or not at all, and never over another program's file.

This is the only part of the page that uses the disk.
"""

from __future__ import annotations

import os
from pathlib import Path

from bot.errors import SettingsError
from bot.output.files import write_whole
from bot.output.page.render import GENERATOR

_HEAD = 4096
_MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()


def write(path: Path, html: str) -> None:
    """Write the page. An earlier page stays until the new one is completely on the disk.

    Raises SettingsError for a path that cannot be right: a missing folder, a folder, or a file
    that is no page of bot preview. Raises BotError if the disk is full or writing is not allowed.
    """
    _check(path, Path(os.path.realpath(path)))
    write_whole(path, html.encode())


def _check(path: Path, target: Path) -> None:
    try:
        if target.is_file():
            with target.open("rb") as file:
                is_page = _MARK in file.read(_HEAD)
            if is_page:
                return
            fix = "Choose another name, or delete the file first."
            raise SettingsError(f"{path} already exists and is no page of bot preview", fix)
        if target.exists():
            raise SettingsError(f"{path} is not a file", "Give the name of a file.")
        if not target.parent.is_dir():
            message = f"cannot write {path}, since there is no folder {path.parent}"
            raise SettingsError(message, "Make the folder first.")
    except OSError as error:
        message = f"cannot use {path} ({error.strerror})"
        raise SettingsError(message, "Choose another file.") from error
