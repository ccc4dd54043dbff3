"""The fonts of the picture: what they hold is drawn, what they lack is told, broken ones are."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bot.picture import draw as drawing_room
from bot.picture.faces import BOLD, FONTS, CannotDraw, advances, files, runs, split, width
from bot.picture.svg import Words
from tests.helpers.paths import ROOT
from tests.helpers.picture_samples import difference, pixels_of, svg_document

NOTO, BOLD_NOTO, DEJAVU, EAST = map(Path, files())
HELD = "aÉñőşŁğαЖ‖≤ĩ日本語の中文标题測試한국어髙שلا⟨→²₂"


def drawn(text: str, weight: int = 500, *, right: bool = False) -> Image.Image:
    words = Words(text, 380 if right else 20, 60, 40, weight=weight, right=right)
    return pixels_of(drawing_room._png(svg_document(words), files()))


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """The box around what is drawn."""
    box = image.convert("L").point([255 if level < 200 else 0 for level in range(256)]).getbbox()
    assert box is not None
    return box


def test_every_font_is_there_and_part_of_the_package() -> None:
    assert all(path.is_file() and path.parent == FONTS for path in (NOTO, BOLD_NOTO, DEJAVU, EAST))
    assert FONTS.is_relative_to(ROOT / "bot")
    assert sum(path.stat().st_size for path in FONTS.iterdir()) < 3_500_000
    assert {"OFL.txt", "DEJAVU.txt", "README.md"} <= {path.name for path in FONTS.iterdir()}


def test_a_missing_font_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "fonts"
    shutil.copytree(FONTS, folder)
    assert len(files(folder)) == 4
    (folder / DEJAVU.name).unlink()
    with pytest.raises(CannotDraw, match=rf"{DEJAVU.name}: this font is missing"):
        files(folder)


def altered(data: bytes, table: bytes, at: int, value: bytes) -> bytes:
    """A font with other bytes at a place of a table."""
    start = placed(data, table) + at
    return data[:start] + value + data[start + len(value) :]


def placed(data: bytes, table: bytes) -> int:
    (start,) = struct.unpack_from(">L", data, data.index(table, 12) + 8)
    return int(start)


def test_a_font_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    data = BOLD_NOTO.read_bytes()
    (characters,) = struct.unpack_from(">L", data, placed(data, b"cmap") + 8)
    cases = (
        b"",
        b"no font",
        data[:200],
        data[:1_000],
        data.replace(b"head", b"daeh", 1),
        altered(data, b"cmap", characters, b"\x00\x04"),
        altered(data, b"head", 18, b"\x00\x00"),
    )
    for number, case in enumerate(cases):
        path = tmp_path / f"{number}.ttf"
        path.write_bytes(case)
        with pytest.raises(CannotDraw, match=rf"{number}\.ttf: this font cannot be read"):
            advances(path)
    with pytest.raises(CannotDraw, match="cannot be read"):
        advances(tmp_path / "none.ttf")


@pytest.mark.parametrize("char", HELD)
def test_what_a_font_holds_is_drawn_and_is_no_box(char: str) -> None:
    box = drawn("\u0e44")
    assert split(char) == (char, ())
    assert difference(drawn(char), box) > 0.001
    assert difference(drawn(char), drawn(" ")) > 0.0005


def test_no_two_characters_look_the_same() -> None:
    pictures = [drawn(char).tobytes() for char in HELD]
    assert len(set(pictures)) == len(HELD)


def test_a_line_of_many_scripts_is_drawn_by_stretches_that_touch() -> None:
    line = "To 日本語 ≤ x̂"
    found = runs(line)
    assert "".join(run.text for run in found) == line
    assert [run.font.family for run in found] == [
        "Noto Sans",
        "Noto Sans CJK JP",
        "Noto Sans",
        "DejaVu Sans",
        "Noto Sans",
    ]
    left, _, right, _ = ink(drawn(line))
    assert right - left == pytest.approx(width(line, 40), abs=6)
    assert ink(drawn(line, right=True))[2] == pytest.approx(380, abs=4)
    assert ink(drawn("To", right=True))[2] == pytest.approx(380, abs=4)


def test_bold_is_bold_where_the_bold_font_has_it() -> None:
    assert [run.font.weight for run in runs("Aẋ", BOLD)] == [700, 500]
    assert difference(drawn("A", BOLD), drawn("A")) > 0.002
    assert width("A", 40, BOLD) > width("A", 40)


def test_what_runs_from_right_to_left_is_one_stretch() -> None:
    (run,) = runs("שלום abc (2021)!")
    assert run.font.family == "DejaVu Sans"
    assert run.text == "\u202bשלום abc (2021)!\u202c"
    (run,) = runs("abc שלום!")
    assert run.text == "abc שלום!"
    # The full stop stands on the left of a line that begins on the right: alone, and low.
    left = drawn("שלום.").crop((20, 0, 27, 100))
    assert ink(left)[1] > 50
    assert ink(drawn("שלום").crop((20, 0, 27, 100)))[1] < 50


def test_letters_that_join_are_joined() -> None:
    left, _, right, _ = ink(drawn("ببب"))
    single = ink(drawn("ب"))
    assert right - left < 2.5 * (single[2] - single[0])


@pytest.mark.parametrize("text", ["Hello, World", "日本語", "x̂ŷ", "a b", "Ελληνικά", "…"])
def test_a_text_is_as_wide_as_is_said(text: str) -> None:
    between, around = ink(drawn(f"|{text}|")), ink(drawn("||"))
    wide = between[2] - between[0] - (around[2] - around[0])
    assert wide == pytest.approx(width(text, 40), rel=0.02, abs=2)


def test_what_no_font_holds_has_no_width() -> None:
    assert width("ไ", 40) == 0
    assert width("aไ", 40) == width("a", 40)


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    [
        ("plain", "plain", ()),
        ("  two \n lines ", "two lines", ()),
        ("a ไ b ไ c", "a b c", ("ไ",)),
        ("soft\u00adhyphen, \ufeffmark\ufe0f", "softhyphen, mark", ()),
        ("👩‍👩‍👧‍👦 family", "family", ("👩‍👩‍👧‍👦",)),
        ("漢\u0e34", "", ("漢\u0e34",)),
        ("می\u200cخواهم", "می\u200cخواهم", ()),
        ("\ud800\x00", "", ("\ud800", "\x00")),
    ],
)
def test_a_text_is_split_into_what_can_be_drawn_and_what_cannot(
    text: str, kept: str, lost: tuple[str, ...]
) -> None:
    assert split(text) == (kept, lost)


@given(st.text(max_size=60))
def test_what_is_kept_is_kept_whole_and_set_whole(text: str) -> None:
    kept, _ = split(text)
    assert split(kept) == (kept, ())
    written = "".join(run.text for run in runs(kept))
    assert written.strip("\u202b\u202c") == kept
    for run in runs(kept):
        held = advances(FONTS / run.font.file)
        assert all(ord(char) in held for char in run.text)
