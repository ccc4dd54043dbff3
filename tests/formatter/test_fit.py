from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.fit import SHORTEST_TITLE, Fitted, Measure, fit_list, fit_paper, fit_title
from bot.formatter.views import PaperView, cut_at_word

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


def test_authors_give_way_before_the_summary_and_the_summary_before_the_title() -> None:
    bare = len(with_summary(VIEW))
    result = fitted(bare)
    assert result == Fitted(
        with_summary(replace(VIEW, authors=AUTHORS[1], summary=SENTENCES[0])),
        ("authors",),
        spare=len(SENTENCES[0]),
    )
    shortest = len(with_summary(replace(VIEW, authors=AUTHORS[2], areas=())))
    result = fitted(shortest)
    assert result
    assert result.text.startswith(VIEW.title + "\n")
    result = fitted(shortest - 1)
    assert result
    assert result.shortened == ("authors", "areas", "title")
    assert result.text.startswith("A title of seven words in…\n")


@pytest.mark.parametrize(
    ("render", "sentences"),
    [(without_summary, SENTENCES), (with_summary, ("x" * 500,)), (with_summary, ())],
)
def test_where_no_summary_has_a_place_the_fullest_authors_stay(
    render: Callable[[PaperView], str], sentences: tuple[str, ...]
) -> None:
    measure = plain(len(with_summary(VIEW)))
    result = fit_paper(VIEW, AUTHORS, lambda: sentences, render, measure)
    assert result == Fitted(with_summary(VIEW))


def test_areas_go_one_by_one_before_the_title_is_cut() -> None:
    one = with_summary(replace(VIEW, authors=AUTHORS[2], areas=VIEW.areas[:1]))
    assert fitted(len(one)) == Fitted(one, ("authors", "areas"))


def test_nothing_fits_where_even_the_shortest_title_does_not() -> None:
    shortest = len(with_summary(replace(VIEW, title="", authors=AUTHORS[2], areas=())))
    assert fitted(shortest + 5) is None


def test_the_estimate_is_corrected_where_a_template_adds_more_around_a_summary() -> None:
    def wide(view: PaperView) -> str:
        return with_summary(view) + ("-" * 30 if view.summary else "")

    bare = len(with_summary(VIEW))
    result = fit_paper(VIEW, AUTHORS, lambda: SENTENCES, wide, plain(bare + 50))
    assert result
    assert SENTENCES[0] in result.text
    assert SENTENCES[1] not in result.text


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
