"""What the picture says in words, and how its titles are broken into lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.parse import parse
from bot.formatter.defuse import defuse
from bot.formatter.limits import bluesky_length, twitter_length
from bot.formatter.select import tidied
from bot.formatter.x.entities import entities
from bot.model import Digest, Network
from bot.picture import words
from bot.picture.lines import broken, fitted
from bot.picture.words import ALT_LIMIT, alt, heading, subject
from tests.helpers.digest_writer import digests, tweeted
from tests.helpers.paths import corpus, corpus_only
from tests.helpers.picture_samples import HOSTILE, LONG, MANY, SCRIPTS, with_counts, with_titles
from tests.helpers.rendered_threads import digest, paper, sample


def said(source: Digest, top: int = 10) -> str:
    return alt(source, source.papers[:top])


# -- alternative text ------------------------------------------------------------------------------


def test_it_says_what_the_chart_shows() -> None:
    assert said(tidied(sample("2021-02-11"))) == (
        "Hot Papers 2021-02-11. 4 papers, ranked by retweets and likes on Twitter: "
        "1. Training Vision Transformers for Image Retrieval: 1,317 retweets, 401 likes. "
        "2. Is Space-Time Attention All You Need for Video Understanding?: 582 retweets, "
        "213 likes. "
        "3. NAST: Non-Autoregressive Spatial-Temporal Transformer for Time Series Forecasting: "
        "336 retweets, 97 likes. "
        "4. S²-MLPv2: Improved Spatial-Shift MLP Architecture for Vision: 110 retweets, 63 likes."
    )


def test_one_paper_and_one_of_many() -> None:
    assert said(with_titles("A title.")) == (
        "Hot Papers 2021-06-22. One paper: 1. A title: 1,234 retweets, 56 likes."
    )
    assert "The first of 3 papers, ranked by retweets and likes on Twitter: " in said(
        with_titles("A", "B", "C"), 1
    )
    assert " 2. " not in said(with_titles("A", "B", "C"), 1)


def check_alt(text: str) -> None:
    assert 0 < len(text.encode("utf-16-le", "surrogatepass")) // 2 <= ALT_LIMIT
    assert twitter_length(text) <= ALT_LIMIT
    assert bluesky_length(text) <= ALT_LIMIT
    assert entities(text) == ()
    for network in Network:
        assert defuse(text, network) == text


@pytest.mark.parametrize(
    "source", [MANY, HOSTILE, SCRIPTS, with_counts(*[(10**30, 10**30)] * 10)], ids=range(4)
)
def test_it_keeps_every_limit_and_is_harmless(source: Digest) -> None:
    text = said(source)
    check_alt(text)
    for rank in range(1, len(source.papers[:10]) + 1):
        assert f" {rank}. " in text


def test_long_titles_give_way_before_any_paper_does() -> None:
    text = said(with_titles("Short", *[LONG] * 9))
    assert "1. Short: 1,234 retweets, 56 likes." in text
    assert text.count("Towards a Comprehensive and") == 9
    assert text.count("…: 1,234 retweets, 56 likes.") == 9


@pytest.mark.slow
def test_at_last_papers_are_left_to_the_thread() -> None:
    source = with_titles(*["日" * 100] * 30)
    text = alt(source, source.papers)
    check_alt(text)
    assert text.endswith(" more.")
    shown = text.count("56 likes")
    assert f"And {30 - shown} more." in text


@pytest.mark.slow
@given(digests(max_papers=12))
def test_any_digest_is_put_into_words(source: Digest) -> None:
    check_alt(said(tidied(source)))


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 10**40))
def test_even_text_that_nobody_tidied_is(title: str, name: str, count: int) -> None:
    made = paper(title=title, metrics=tweeted(count, count))
    check_alt(said(digest(*[made] * 10, title=name)))


@corpus_only
def test_the_whole_corpus_is_put_into_words() -> None:
    for path in corpus():
        text = said(tidied(parse(path.read_bytes(), path.name)[0]))
        check_alt(text)
        assert "more." not in text


# -- over the chart --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Hot Papers 2021-06-22", "Hot Papers"),
        ("2021-06-22: Hot Papers", "Hot Papers"),
        ("Hot Papers (2021-06-22)", "Hot Papers"),
        ("Hot Papers", "Hot Papers"),
        ("2021-06-22", "Papers"),
        ("", "Papers"),
        ("Hot 2021-06-23 Papers", "Hot 2021-06-23 Papers"),
    ],
)
def test_a_heading_leaves_the_day_to_the_date_beside_it(title: str, shown: str) -> None:
    assert heading(digest(title=title)) == shown


def test_a_heading_leaves_both_days_of_several() -> None:
    days = replace(digest(title="Hot 2021-06-22 - 2021-06-24"), last_day=date(2021, 6, 24))
    assert heading(days) == "Hot"


def test_what_is_shown_is_counted() -> None:
    source = with_titles("A", "B", "C")
    assert subject(source, 3) == "3 papers, ranked by retweets and likes on Twitter"
    assert subject(source, 2) == "The first 2 of 3 papers, ranked by retweets and likes on Twitter"
    assert subject(source, 1) == "The first of 3 papers, ranked by retweets and likes on Twitter"
    assert subject(with_titles("A"), 1) == "One paper"


def test_the_time_of_counting_is_told_where_it_is_known() -> None:
    assert words.counted([paper()]) == "counted 23 June 2021, 10:32 UTC"
    assert words.counted([paper(metrics=tweeted(1, 2))]) == ""


# -- lines -----------------------------------------------------------------------------------------


def lines(text: str, room: int, most: int = 99) -> list[str]:
    """The lines of a text where each character is one wide."""
    return list(fitted(text, room, most, len))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [""]),
        ("one", ["one"]),
        ("one two three", ["one two", "three"]),
        ("  one   two  ", ["one two"]),
        ("Large-Scale", ["Large-Sc", "ale"]),
        ("incomprehensible it", ["incompre", "hensible", "it"]),
        ("日本語の題名です、か", ["日本語の題名で", "す、か"]),
        ("あいうえおかき「くけ」こ", ["あいうえおかき", "「くけ」こ"]),
        ("日本語datas本", ["日本語datas", "本"]),
        ("e\u0301" * 5, ["e\u0301" * 4, "e\u0301"]),
        ("ああああああああーい", ["あああああああ", "あーい"]),
        ("한국어 연구자 대회", ["한국어 연구자", "대회"]),
    ],
)
def test_lines_break_where_a_reader_expects_it(text: str, found: list[str]) -> None:
    assert lines(text, 8) == found


@pytest.mark.parametrize(
    ("text", "most", "found"),
    [
        ("one two three four", 2, ["one two", "three…"]),
        ("one two three", 2, ["one two", "three"]),
        ("incomprehensible", 1, ["incompr…"]),
        ("一二三四五六七八九十", 1, ["一二三四五六七…"]),
    ],
)
def test_what_does_not_fit_is_cut(text: str, most: int, found: list[str]) -> None:
    assert lines(text, 8, most) == found


@given(st.text(max_size=80), st.integers(2, 30), st.integers(1, 3))
def test_no_line_is_too_wide_or_too_many(text: str, room: int, most: int) -> None:
    found = fitted(text, room, most, len)
    assert 1 <= len(found) <= most
    for line in found:
        assert len(line) <= room or len(regex.findall(r"\X", line)) == 1


@given(st.text(max_size=80), st.integers(5, 30))
def test_nothing_is_lost_between_lines(text: str, room: int) -> None:
    text = " ".join(text.split())
    assert "".join("".join(broken(text, room, len)).split()) == "".join(text.split())
