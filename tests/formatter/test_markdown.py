"""Words for servers that read posts as Markdown: what is sent is what readers see."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.formatter.markdown import surviving
from bot.model import Network, Style, Syntax
from bot.posters.plain_text import html_text, normal
from bot.sandbox.mastodon.behaviour import Markup
from bot.sandbox.mastodon.text import content
from tests.helpers.rendered_threads import account, sample, thread

READERS = (Markup.MARKDOWN, Markup.SNAC)
BASE = "https://example.social"


def read_back(text: str, markup: Markup) -> str:
    return normal(html_text(content(text, BASE, "<br>", markup)))


@pytest.mark.parametrize(
    ("text", "survives"),
    [
        ("2. Attention Is All You Need", "2 · Attention Is All You Need"),
        ("12) Twelve", "12 · Twelve"),
        ("at <Why> and p < 0.05", "at ‹Why› and p ‹ 0.05"),
        ("A* and *D*", "A⋆ and ⋆D⋆"),
        ("`code` and __init__ and _so_", "'code' and init and so"),
        ("SWE_bench stays", "SWE_bench stays"),
        ("https://a.example/x_y_z*1*", "https://a.example/x_y_z*1*"),
        ("- one\n- two", "• one\n\n• two"),
        ("# Heading\n#HotPapers #AI", "Heading\n\n#HotPapers #AI"),
        ("> quoted", "› quoted"),
        ("[a](b) ![c](d)", "[a] (b) ![c] (d)"),
        ("R&D &copy; 2021", "R&D & copy; 2021"),
        ("~~no~~", "~no~"),
        ("one\ntwo\n\nthree", "one\n\ntwo\n\nthree"),
    ],
)
def test_signs_that_markdown_eats_become_others(text: str, survives: str) -> None:
    assert surviving(text) == survives


@pytest.mark.parametrize("sign", ["a" + " " * 400_000 + "b", "<" * 400_000, "<a" * 200_000])
def test_long_runs_of_signs_take_no_more_than_their_length(sign: str) -> None:
    assert len(surviving(sign)) <= len(sign)


@pytest.mark.parametrize("markup", READERS)
@given(text=st.text(alphabet="ab1. *_`<>#-+~[]()&\n", max_size=40))
@example(text="~_~")
def test_what_survives_is_read_back_as_it_was_sent(markup: Markup, text: str) -> None:
    sent = surviving(text).strip()
    assert surviving(sent) == sent
    assert read_back(sent, markup) == normal(sent)


@pytest.mark.parametrize("markup", READERS)
@pytest.mark.parametrize("style", Style)
def test_a_thread_in_this_dialect_is_read_back_whole(markup: Markup, style: Style) -> None:
    to = account(Network.MASTODON, dialect=Syntax.MARKDOWN, style=style)
    for post in thread(sample("2021-06-22"), to).posts:
        assert post.token in post.text
        assert post.length <= post.limit
        assert read_back(post.text, markup) == normal(post.text)


def test_without_it_ranks_are_lost_and_the_dry_run_would_not_show_it() -> None:
    plain = thread(sample("2021-06-22"), account(Network.MASTODON)).posts[2].text
    assert plain.startswith("2. ")
    assert not read_back(plain, Markup.MARKDOWN).startswith("2")
    dialect = account(Network.MASTODON, dialect=Syntax.MARKDOWN)
    assert thread(sample("2021-06-22"), dialect).posts[2].text.startswith("2 · ")
