"""The picture of a digest: what it looks like, that it is always the same, and what it says."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.digests.parse import parse
from bot.formatter.select import tidied
from bot.model import Digest
from bot.picture import draw as drawing_room
from bot.picture.chart import LEAST_HEIGHT, MOST_HEIGHT, SMALLEST, WIDTH, chart, typeset
from bot.picture.draw import DrawnPicture, check, describe, draw, undrawable
from bot.picture.faces import CannotDraw, width
from bot.picture.svg import Bar, Ink, Words
from tests.helpers.digest_writer import digests
from tests.helpers.paths import ROOT, corpus, corpus_only
from tests.helpers.picture_samples import (
    APPROVED,
    HOSTILE,
    LONG,
    MANY,
    SCRIPTS,
    contrast,
    difference,
    golden_picture,
    pixels_of,
    texts_of,
    with_counts,
    with_titles,
)
from tests.helpers.rendered_threads import digest, paper

SMALL = 600_000
"""Bytes; the networks' smallest limit is Bluesky's, 2,000,000."""


def shown(source: Digest) -> list[str]:
    """All that is written on a digest's picture."""
    return texts_of(chart(source, source.papers[:10])[0])


# -- what it looks like ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", APPROVED)
def test_it_looks_as_approved(name: str) -> None:
    """To approve a change: tests/golden/approve-pictures, and look at the new pictures."""
    drawn = pixels_of(draw(APPROVED[name]).data)
    assert difference(drawn, pixels_of(golden_picture(name).read_bytes())) < 0.0005


def test_the_comparison_finds_a_changed_word() -> None:
    changed = replace(APPROVED["2021-08-06"], title="Hot Papers in all")
    drawn = pixels_of(draw(changed).data)
    assert difference(drawn, pixels_of(golden_picture("2021-08-06").read_bytes())) > 0.0005


@pytest.mark.parametrize("ink", [Ink.TEXT, Ink.MUTED])
def test_colours_can_be_read(ink: Ink) -> None:
    assert contrast(ink, Ink.PAPER) >= 4.5
    assert contrast(ink, Ink.RULE) >= 4.0


@pytest.mark.parametrize("source", [*APPROVED.values(), MANY, HOSTILE, with_titles("One")])
def test_everything_is_on_the_sheet_and_large_enough(source: Digest) -> None:
    shapes, height = chart(source, source.papers[:10])
    assert LEAST_HEIGHT <= height <= MOST_HEIGHT
    for shape in shapes:
        if isinstance(shape, Words):
            assert shape.size >= SMALLEST
            wide = width(shape.text, shape.size, shape.weight)
            left = shape.x - wide if shape.right else shape.x
            assert left >= 50
            assert left + wide <= WIDTH - 50
            assert shape.size <= shape.y <= height - 0.3 * shape.size
        elif isinstance(shape, Bar):
            assert 50 <= shape.x < shape.x + shape.width <= WIDTH - 50
            assert 0 <= shape.y < shape.y + shape.height <= height


def test_no_line_stands_in_another() -> None:
    for source in (*APPROVED.values(), MANY):
        words = [each for each in chart(source, source.papers[:10])[0] if isinstance(each, Words)]
        column = sorted({(each.y, each.size) for each in words if each.x == 124})
        for (upper, _), (lower, size) in pairwise(column):
            assert lower - upper >= size


def test_it_is_wide_for_one_paper_and_tall_for_ten() -> None:
    one, ten = draw(with_titles("Sketch Your Own GAN")), draw(MANY)
    assert (one.width, one.height) == (1200, 675)
    assert ten.width == 1200
    assert 1500 < ten.height <= 1600
    for picture in (one, ten):
        assert pixels_of(picture.data).size == (picture.width, picture.height)


def test_few_papers_are_set_larger_and_with_their_authors() -> None:
    few, many = with_titles("One", "Two"), with_titles(*map(str, range(10)))
    assert typeset(few.papers)[0].size > typeset(many.papers)[0].size
    assert shown(few).count("Ada Lovelace, Grace Hopper") == 2
    assert "Ada Lovelace, Grace Hopper" not in shown(many)


def test_a_smaller_type_is_taken_where_it_spares_a_title_from_being_cut() -> None:
    words = "Regularization is all you need: simple neural networks can excel on it" + " much" * 9
    source = with_titles(words, *["Short"] * 9)
    kind, rows = typeset(source.papers)
    assert " ".join(rows[0].title) == words
    assert kind.size < typeset(with_titles(*["Short"] * 10).papers)[0].size


def test_what_no_type_can_spare_is_cut_at_a_word() -> None:
    kind, rows = typeset(MANY.papers[:10])
    first, second = rows[9].title
    assert first.startswith("10 Towards a Comprehensive and Reproducible")
    assert second.endswith("…")
    assert LONG.startswith(f"{first.removeprefix('10 ')} {second}".removesuffix("…"))
    assert kind.size >= 28


def test_many_authors_become_the_first_and_others() -> None:
    authors = tuple(f"Author Number {number}" for number in range(65))
    assert "Author Number 0 et al." in shown(tidied(digest(paper(authors=authors))))
    (line,) = (
        text for text in shown(tidied(digest(paper(authors=("A " * 200,))))) if "A A" in text
    )
    assert line.endswith("…")


def test_a_paper_without_authors_has_no_line_for_them() -> None:
    counts = ["1,234 retweets, 56 likes"]
    with_none, with_some = (typeset((paper(authors=each),))[1][0] for each in ((), ("Ada",)))
    assert (with_none.below, with_some.below) == (counts, ["Ada", *counts])
    assert with_none.height < with_some.height


def test_a_long_title_of_a_digest_gives_way_to_its_date() -> None:
    found = []
    for title in ("Hot Papers", "Hot Papers of the week and", "Hot papers " * 20):
        shapes, _ = chart(digest(title=title), (paper(),))
        first, second = (each for each in shapes[:2] if isinstance(each, Words))
        found.append((first.size, first.text.endswith("…")))
        assert second.text == "22 June 2021"
    assert found == [(60, False), (52, False), (44, True)]


# -- counts ----------------------------------------------------------------------------------------


def test_counts_are_words_with_thousands_separators_and_no_zeros() -> None:
    assert "1,234,567 retweets, 1 like" in shown(with_counts((1_234_567, 1)))
    assert "89 likes" in shown(with_counts((0, 89)))
    assert not any("like" in text for text in shown(with_counts((0, 0))))


# -- always the same -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_digest_is_drawn_the_same_by_any_process() -> None:
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.helpers.picture_samples import SCRIPTS; from bot.picture.draw import draw\n"
        "picture = draw(SCRIPTS); sys.stdout.buffer.write(picture.data + picture.alt.encode())"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    here = draw(SCRIPTS)
    assert drawn == {here.data + here.alt.encode()}


def test_nothing_but_the_picture_is_in_the_file() -> None:
    data, kinds = draw(APPROVED["2021-02-11"]).data[8:], []
    while data:
        length, kind = struct.unpack_from(">L4s", data)
        kinds.append(kind)
        data = data[length + 12 :]
    assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}


# -- any text --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", [HOSTILE, MANY, SCRIPTS, with_counts((0, 0)), with_counts((10**12, 1))]
)
def test_hard_digests_are_drawn_and_small(source: Digest) -> None:
    picture = draw(source)
    assert pixels_of(picture.data).size == (picture.width, picture.height)
    assert len(picture.data) < SMALL


@pytest.mark.slow
@settings(max_examples=25)
@given(digests(max_papers=12), st.integers(0, 12))
def test_any_digest_is_drawn(source: Digest, top: int) -> None:
    ready = tidied(source)
    if not ready.papers:
        with pytest.raises(CannotDraw, match="no paper"):
            draw(ready, top)
        return
    picture = draw(ready, top)
    assert picture.alt == describe(ready, top)
    assert (picture.type, picture.width) == ("image/png", 1200)
    assert LEAST_HEIGHT <= picture.height <= MOST_HEIGHT
    assert len(picture.data) < SMALL


@pytest.mark.slow
@settings(max_examples=25)
@given(st.text(max_size=400), st.text(max_size=100))
def test_even_text_that_nobody_tidied_is_drawn(title: str, author: str) -> None:
    source = digest(paper(title=title, authors=(author,)), title=title)
    assert draw(source).data.startswith(b"\x89PNG")


@pytest.mark.slow
@corpus_only
def test_the_whole_corpus_can_be_drawn_with_every_character() -> None:
    for path in corpus():
        source = tidied(parse(path.read_bytes(), path.name)[0])
        assert undrawable(source, 0) == ()
        if source.papers:
            assert chart(source, source.papers[:10])[1] <= MOST_HEIGHT


@pytest.mark.parametrize(
    ("title", "drawn"),
    [
        ("Émile's x̂ ≤ ŷ: 日本語 한국어", "Émile's x̂ ≤ ŷ: 日本語 한국어"),
        ("🦙 LLaMA 👩‍👩‍👧‍👦 for ❤️", "LLaMA for ❤"),
        ("🤗🤗", "arXiv:2106.10001"),
        ("", "arXiv:2106.10001"),
        ("ชื่อ in Thai", "arXiv:2106.10001"),
        ("עברית and 日本語", "arXiv:2106.10001"),
        ("a\tb\x00\u2066c", "a bc"),
        ("Keycap 1️⃣", "arXiv:2106.10001"),
    ],
)
def test_no_sign_is_drawn_as_a_box_and_no_title_without_a_letter(title: str, drawn: str) -> None:
    picture = drawing_room._drawable(paper(title=title))
    assert picture.title == drawn


def test_names_that_would_lose_a_letter_are_left_out() -> None:
    drawable = drawing_room._drawable
    assert drawable(paper(authors=("Ada 🦙", "髙橋", "🦙"))).authors == ("Ada", "髙橋")
    assert drawable(paper(authors=("Ada", "ไทย"))).authors == ()


def test_a_digest_whose_title_cannot_be_drawn_is_headed_all_the_same() -> None:
    thai, plain = (draw(digest(paper(), title=title)) for title in ("ข่าว news", ""))
    assert thai.data == plain.data
    assert thai.alt != plain.alt


def test_ten_papers_are_shown_at_most() -> None:
    source = with_titles(*(f"Paper {number}" for number in range(30)))
    for top, number in ((3, 3), (10, 10), (0, 10), (25, 10)):
        assert sum(text.startswith("Paper") for text in words_of(source, top)) == number


def words_of(source: Digest, top: int) -> list[str]:
    return draw(source, top).alt.replace(". ", "\n").replace(": ", "\n").split("\n")


# -- failing loudly --------------------------------------------------------------------------------


def test_a_check_names_the_characters_that_no_font_holds() -> None:
    check(SCRIPTS)
    with pytest.raises(CannotDraw) as caught:
        check(with_titles("A llama 🦙 and ไ", "and ไ again"))
    assert "🦙 (U+1F999), ไ (U+0E44)" in str(caught.value)
    assert undrawable(with_titles("A llama 🦙 and ไ", "and ไ again")) == ("🦙", "ไ")


def test_a_check_names_no_more_than_a_person_reads() -> None:
    with pytest.raises(CannotDraw, match="and 3 more") as caught:
        check(digest(paper(title="ไ \U000e0001ก ข ค ง จ ฉ \x00")))
    assert "\x00" not in str(caught.value)


def test_a_control_character_is_named_by_its_number() -> None:
    with pytest.raises(CannotDraw, match=r"has U\+0000$|has U\+0000\n"):
        check(digest(paper(title="a\x00b")))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(CannotDraw, match=r"pip install resvg-py"):
        draw(SCRIPTS)


def raising(error: BaseException) -> Callable[..., bytes]:
    def render(**_: object) -> bytes:
        raise error

    return render


class RustPanic(BaseException):
    """Stands for a panic of the library's Rust, which is no Exception."""


RustPanic.__module__ = "pyo3_runtime"


@pytest.mark.parametrize("error", [RustPanic("index out of bounds"), ValueError("bad SVG")])
def test_no_fault_of_the_library_goes_further(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr("resvg_py.svg_to_bytes", raising(error))
    with pytest.raises(CannotDraw, match="cannot draw"):
        draw(SCRIPTS)


def test_ctrl_c_goes_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resvg_py.svg_to_bytes", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        draw(SCRIPTS)


def test_a_picture_does_not_show_its_bytes() -> None:
    assert "\\x89" not in repr(DrawnPicture(b"\x89PNG", "alt", 1, 1))
