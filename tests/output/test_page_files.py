"""Putting a page into a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bot.errors import BotError, SettingsError
from bot.output.page import files
from bot.output.page.render import GENERATOR

OURS = f'<!doctype html><meta name="generator" content="{GENERATOR}"><p>é'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_page_is_written_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    files.write(path, OURS)
    files.write(path, OURS + "2")
    assert path.read_text("utf-8") == OURS + "2"
    assert names(tmp_path) == ["page.html"]
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "there" / "page.html")
    files.write(tmp_path / "link.html", OURS)
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "there" / "page.html").read_text("utf-8") == OURS


def test_who_reads_the_old_page_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    files.write(path, OURS)
    with path.open(encoding="utf-8") as old:
        files.write(path, OURS + "2")
        assert old.read() == OURS


@pytest.mark.parametrize("content", ["", "my notes", "x" * 5000 + OURS])
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.html"
    path.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match="already exists and is no page"):
        files.write(path, OURS)
    assert path.read_text("utf-8") == content


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no folder .*nowhere"):
        files.write(tmp_path / "nowhere" / "page.html", OURS)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a file"):
        files.write(tmp_path, OURS)


def test_a_name_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(BotError, match="cannot use"):
        files.write(tmp_path / ("n" * 300), OURS)


def test_the_longest_name_there_can_be_is_taken(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 250}.html"
    files.write(path, OURS)
    assert names(tmp_path) == [path.name]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), descriptor)

    path = tmp_path / "page.html"
    files.write(path, OURS)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BotError, match="No space left on device"):
        files.write(path, OURS + "2")
    assert path.read_text("utf-8") == OURS
    assert names(tmp_path) == ["page.html"]
