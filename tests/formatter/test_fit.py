from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.fit import SHORTEST_TITLE, Fitted, Measure, fit_list, fit_paper, fit_title
from bot.formatter.views import PaperView, author_forms, cut_at_word
from bot.model import Network
from tests.helpers.sample_digests import PAPER

VIEW = PaperView(
    rank=1,
    title="A title of seven words in all",
    authors="Ada Lovelace, Grace Hopper, Emmy Noether",
    counts="12 retweets, 3 likes",
    retweets=12,
    favorites=3,
    areas=("Machine Learning", "Databases"),
    id="2106.10934",
    label="arXiv:2106.10934",
    reference="arXiv:2106.10934",
)
AUTHORS = (VIEW.authors, "Ada Lovelace et al.", "Ada… et al.")
SENTENCES = ("First sentence.", "Second one.", "Third, which is a good deal longer.")


def plain(limit: int) -> Measure:
    return Measure(limit, len, lambda text: len(text) <= limit, cut_at_word)


def with_summary(view: PaperView) -> str:
    return f"{view.title}\n{view.authors}\n{view.summary}\n{'/'.join(view.areas)}\n{view.reference}"


def without_summary(view: PaperView) -> str:
    return with_summary(replace(view, summary=""))


def fitted(limit: int) -> Fitted | None:
    return fit_paper(VIEW, AUTHORS, lambda: SENTENCES, with_summary, plain(limit))


def test_the_room_that_is_left_goes_to_whole_sentences() -> None:
    bare = len(with_summary(VIEW))
    for limit in range(bare + len(SENTENCES[0]), bare + 90):
        result = fitted(limit)
        assert result
        assert result.shortened == ()
        summary = result.text.split("\n")[2]
        options = [" ".join(SENTENCES[:kept]) for kept in range(1, 4)]
        assert summary == max((o for o in options if bare + len(o) <= limit), key=len)


def test_areas_give_way_then_the_summary_then_the_authors_then_the_title() -> None:
    summed = replace(VIEW, summary=SENTENCES[0])
    all_areas = len(with_summary(summed))
    assert fitted(all_areas) == Fitted(with_summary(summed), spare=len(SENTENCES[0]))
    no_area = with_summary(replace(summed, areas=()))
    assert fitted(len(no_area)) == Fitted(no_area, ("areas",), spare=len(SENTENCES[0]))
    bare = len(with_summary(replace(VIEW, areas=VIEW.areas[:1])))
    result = fitted(min(bare, len(no_area) - 1))
    assert result
    assert VIEW.authors in result.text
    assert SENTENCES[0] not in result.text
    shortest = len(with_summary(replace(VIEW, authors=AUTHORS[2], areas=())))
    result = fitted(shortest)
    assert result
    assert (result.shortened, result.text.startswith(VIEW.title)) == (("authors", "areas"), True)
    result = fitted(shortest - 1)
    assert result
    assert result.shortened == ("authors", "areas", "title")
    assert result.text.startswith("A title of seven words in…\n")


def test_an_area_does_not_come_back_where_names_are_cut() -> None:
    short = replace(VIEW, authors="Ada")
    result = fit_paper(
        replace(VIEW, authors="Ada " * 30),
        ("Ada " * 30, "Ada"),
        tuple,
        with_summary,
        plain(len(with_summary(short))),
    )
    assert result == Fitted(with_summary(replace(short, areas=())), ("authors", "areas"))


@given(st.integers(0, 300), st.integers(1, 40))
def test_no_name_is_cut_while_an_area_or_a_sentence_beside_few_names_stands(
    limit: int, count: int
) -> None:
    names = tuple(f"Name{number} Surname{number}" for number in range(count))
    forms = author_forms(replace(PAPER, authors=names), Network.MASTODON)
    view = replace(VIEW, authors=forms[0])
    result = fit_paper(view, forms, lambda: SENTENCES, with_summary, plain(limit))
    if result and "authors" in result.shortened:
        assert not any(area in result.text for area in VIEW.areas)
        assert len(forms[0]) > 120 or SENTENCES[0] not in result.text


@pytest.mark.parametrize(
    ("render", "sentences"),
    [(without_summary, SENTENCES), (with_summary, ("x" * 500,)), (with_summary, ())],
)
def test_where_no_summary_has_a_place_the_fullest_authors_stay(
    render: Callable[[PaperView], str], sentences: tuple[str, ...]
) -> None:
    measure = plain(len(with_summary(VIEW)) + 5)
    result = fit_paper(VIEW, AUTHORS, lambda: sentences, render, measure)
    assert result == Fitted(with_summary(VIEW))


def test_nothing_fits_where_even_the_shortest_title_does_not() -> None:
    shortest = len(with_summary(replace(VIEW, title="", authors=AUTHORS[2], areas=())))
    assert fitted(shortest + 5) is None


@given(st.integers(0, 40), st.integers(0, 60))
def test_a_list_gets_as_many_items_as_fit(count: int, limit: int) -> None:
    found = fit_list(count, lambda kept: "ab" * kept, plain(limit))
    assert found == (min(count, limit // 2), "ab" * min(count, limit // 2))


def test_a_list_that_does_not_fit_without_items_is_none() -> None:
    assert fit_list(3, lambda kept: "heading" + "x" * kept, plain(6)) is None


@given(st.text(min_size=1, max_size=80), st.integers(1, 90))
def test_a_cut_is_short_enough_and_begins_as_the_text_does(text: str, longest: int) -> None:
    cut = cut_at_word(text, longest)
    if len(text) <= longest:
        assert cut == text
    else:
        assert len(cut) <= longest
        assert cut.endswith("…")
        assert text.startswith(cut[:-1])


def test_a_cut_falls_between_words_and_never_inside_a_character() -> None:
    assert cut_at_word("one two three four", 14) == "one two three…"
    assert cut_at_word("one two three four", 13) == "one two…"
    assert cut_at_word("one, two, three", 10) == "one, two…"
    assert cut_at_word("単語の間に空白がない題名です", 8) == "単語の間に空白…"
    assert cut_at_word("ab👩‍👩‍👧c", 6) == "ab…"


@given(st.text("ab ", min_size=1, max_size=100).map(str.strip), st.integers(0, 120))
def test_a_title_keeps_what_fits(title: str, limit: int) -> None:
    text = fit_title(title, lambda cut: f"1. {cut}", plain(limit))
    if text is None:
        assert limit < 3 + min(len(title), SHORTEST_TITLE)
    else:
        assert len(text) <= limit
