from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.feeds.html import to_markdown
from bot.digests.parse import parse
from bot.digests.tweets import mention
from bot.model import Digest, Paper
from bot.posters.plain_text import html_text
from tests.helpers.digest_writer import digests, write
from tests.helpers.html_rendering import render
from tests.helpers.paths import corpus, corpus_only
from tests.helpers.sample_digests import PAPER, digest

FRONT = "---\ntitle: x\ndate: 2021-06-23\n---\n"


def papers(html: str) -> tuple[Paper, ...]:
    found, warnings = parse(FRONT + to_markdown(html), "x")
    assert warnings == ()
    return found.papers


def lines(html: str) -> list[str]:
    return to_markdown(html).strip("\n").split("\n\n")


@pytest.mark.parametrize("loose", [True, False])
@pytest.mark.parametrize("anchors", [True, False])
def test_a_rendered_digest_is_read_back_whole(loose: bool, anchors: bool) -> None:  # noqa: FBT001 - pytest's
    html = render(write(digest("2021-06-22")), loose=loose, anchors=anchors)
    assert papers(html) == (PAPER,)


@given(digests(max_papers=2), st.booleans(), st.booleans())
def test_any_digest_is_read_back_whole(issue: Digest, loose: bool, anchors: bool) -> None:  # noqa: FBT001 - hypothesis's
    assert papers(render(write(issue), loose=loose, anchors=anchors)) == issue.papers


@corpus_only
def test_the_real_digests_are_read_back_whole() -> None:
    for path in corpus():
        text = path.read_text(encoding="utf-8")
        assert papers(render(text)) == parse(text, path.name)[0].papers, path


@pytest.mark.parametrize("level", [1, 2, 6])
def test_headings_of_any_level_begin_a_paper(level: int) -> None:
    assert lines(f"<h{level}>1. Title</h{level}>") == ["# 1. Title"]


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<h1><a href='#x' class='anchor'>#</a> 1. T</h1>", "# 1. T"),
        ("<h1><a href='https://x.org/'>1. T</a></h1>", "# 1. T"),
        ("<h1>1. T <a href='#x'>\N{PILCROW SIGN}</a></h1>", "# 1. T"),
        ("<h1>1. A\n  <em>B</em> <strong>C</strong>  <code>D</code></h1>", "# 1. A *B* **C**  `D`"),
        ("<p>see <a href='https://x.org/a'>https://x.org/a</a></p>", "see https://x.org/a"),
        ("<p>see <a href='http://www.x.org'>www.x.org</a></p>", "see www.x.org"),
        ("<p><a href='https://x.org/a'>it</a></p>", "[it](https://x.org/a)"),
        ("<p><a>it</a> </a> and <a href='y'>this<a href='z'>that</p>", "it  and [this](y)that"),
        ("<p>a<br>b<br/>c</p>", "a b c"),
        ("<p>about <del>10 to </del>20</p>", "about ~10 to ~20"),
        ("<p>&lt;x&gt; &amp;amp; &copy;</p>", "<x> &amp; \N{COPYRIGHT SIGN}"),
        ("text <span>in</span> none", "text in none"),
        ("<div>one<div>two</div>three</div>", "one\n\ntwo\n\nthree"),
        ("<ul><li></li></ul><p>x</p>", "x"),
        ("<ul><li>a<p>b</p></li></ul>", "- a\n\nb"),
        ("<h1></h1><p>x</p>", "x"),
        ("<p>a</p><!-- <p>b</p> --><p>c</p><!-- d", "a\n\nc"),
        ("<!DOCTYPE html><?xml x?><![CDATA[a]]><p>b", "b"),
        ("<p>1 < 2 <3 <a", "1 < 2 <3 <a"),
        ("<svg><title>x</title><style>y</style></p></svg><p>z</p>", "z"),
        ("<script>if (a < b) {}</script><iframe>x</iframe><svg/><p>z</p>", "z"),
        ("<svg><h1>1. T</h1>", "# 1. T"),
    ],
)
def test_what_renderers_do_is_undone(html: str, markdown: str) -> None:
    assert to_markdown(html) == f"{markdown}\n"


KATEX = (
    '<span class="math math-inline"><span class="katex"><span class="katex-mathml"><math>'
    "<semantics><mrow><mi>x</mi></mrow>{annotation}</semantics></math></span>"
    '<span class="katex-html" aria-hidden="true"><span class="base">x</span></span></span></span>'
)
LATEX = '<annotation encoding="application/x-tex"> \\alpha &lt; x_1 </annotation>'


def test_formulas_are_latex_again() -> None:
    html = KATEX.format(annotation=LATEX)
    assert lines(f"<h1>1. On {html}-nets</h1>") == ["# 1. On $\\alpha < x_1$-nets"]


def test_a_formula_without_its_latex_is_kept_as_drawn() -> None:
    html = KATEX.format(annotation="")
    assert lines(f"<p>On {html}-nets") == ["On xx-nets"]


def test_a_formula_that_never_ends_ends_with_its_paper() -> None:
    cut = KATEX.format(annotation=LATEX).partition("</math>")[0]
    assert lines(f"<p>On {cut}<h1>2. T</h1>") == ["On $\\alpha < x_1$", "# 2. T"]


TWEET = """\
<blockquote class="twitter-tweet" data-x>
<p lang="en">A &amp; B<br>
<em>c</em></p>&mdash; Ada <blockquote>x</blockquote>
<a href="https://x.com/?a=1&amp;b=2">June 22, 2021</a></blockquote>"""


def test_a_tweet_is_one_line_of_its_own_markup() -> None:
    before, tweet, after = lines(f"<div>before{TWEET}after</div>")
    assert (before, after) == ("before", "after")
    expected = TWEET.replace("data-x", 'data-x=""').replace("&mdash;", "\N{EM DASH}")
    assert tweet == expected.replace("\n", " ")


def test_a_tweet_that_never_ends_costs_the_next_paper_nothing() -> None:
    cut = TWEET.partition("&mdash;")[0]
    assert lines(f"{cut}<h1>2. T</h1><p>x</p>")[1:] == ["# 2. T", "x"]


def test_other_quotes_are_text() -> None:
    assert lines("<blockquote class='x'><p>a</p></blockquote>") == ["a"]


TAGS = ["<h1>", "</h1>", "<p>", "<li>", "</li>", "<a href=x>", "</a>", "<svg>", "</svg>", "<br/>"]
KINDS = ["<blockquote class=twitter-tweet>", "</blockquote>", "<span class=katex>", "</span>"]
ODD = ["<![", "<!--", "-->", "<![x[", "<!x", "<?", "</", "<", ">", "&", "&#", "<script>", "'", '"']
soup = st.lists(st.sampled_from([*TAGS, *KINDS, *ODD]) | st.text(max_size=5)).map("".join)


@given(soup)
def test_any_html_gives_lines(html: str) -> None:
    text = to_markdown(html)
    assert text.endswith("\n")
    assert not re.search(r"\n{3}|^[ \t]|[ \t]$", text[:-1], re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("begin", ["", "<script>", "<textarea>", "<a "])
@pytest.mark.parametrize(
    "piece",
    [
        *("<a ", "<!--", "--!>", '<a b="', "<a b='>", "<a b=", "<a =", "<a/", "<![", "<![CDATA["),
        *("</", "</a", "</script", "<a><b>", "<script>", "<!", "<?", "&", "&#", "&#x", " ", "="),
    ],
)
def test_html_that_begins_and_never_ends_takes_no_longer_than_its_length(
    piece: str, begin: str
) -> None:
    # By the square of its length, as html.parser before Python 3.11.14, one would take minutes.
    assert to_markdown(begin + piece * (300_000 // len(piece)))
    html_text(begin + piece * (300_000 // len(piece)))


@pytest.mark.parametrize("digits", [8, 5_000, 300_000])
@pytest.mark.parametrize("end", ["", ";"])
def test_the_number_of_no_character_is_no_error(digits: int, end: str) -> None:
    number = f"&#{'9' * digits}{end}"
    assert to_markdown(f"<p>a {number} b") == "a \ufffd b\n"
    assert to_markdown(f'<p><a href="{number}">a</a>') == "[a](\ufffd)\n"
    assert html_text(f"<p>a {number} b")[:3] == "a \ufffd"
    assert to_markdown("<p>a &#x1F600; &#128512;") == "a 😀 😀\n"


@pytest.mark.parametrize("place", ["Name", "TEXT", "2021"])
def test_the_number_of_no_character_in_a_tweet_is_no_error(place: str) -> None:
    markup = (
        '<blockquote class="twitter-tweet"><p lang="en">TEXT</p>&mdash; Name (@handle) '
        '<a href="https://twitter.com/handle/status/2021">June 22, 2021</a></blockquote>'
    )
    found = mention(markup.replace(place, f"&#{'9' * 5_000};", 1))
    assert found is not None
    assert "\ufffd" in f"{found.author}{found.text}{found.url}"


def test_a_tag_with_more_attributes_than_any_has_is_dropped() -> None:
    assert lines(f'<p>a<b x=">" {"a " * 40_000}>b') == ["ab"]
