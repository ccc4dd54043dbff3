"""Text read back becomes what was sent, whatever a network did to it on the way."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.posters.plain_text import html_text, normal, x_text
from bot.sandbox.mastodon.text import content
from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import FieldNames
from bot.sandbox.x.text import post_object
from tests.helpers.paths import SHARED

recorded_only = pytest.mark.skipif(
    not (SHARED / "api" / "recorded").is_dir(), reason="no recorded answers beside this clone"
)
FIELDS = ("entities", "attachments", "referenced_tweets")


def link(short: str, expanded: str, **more: object) -> dict[str, object]:
    return {"url": f"https://t.co/{short}", "expanded_url": expanded, **more}


def tweet(text: str, *urls: dict[str, object], **more: object) -> dict[str, object]:
    return {"text": text, "entities": {"urls": list(urls)}, **more}


# -- X ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("post", "text"),
    [
        ({"text": "plain"}, "plain"),
        ({}, ""),
        (None, ""),
        (["text"], ""),
        ({"text": 5}, ""),
        ({"text": "R&amp;D: a &lt; b &gt; c"}, "R&D: a < b > c"),
        # Only three characters are escaped, and once.
        ({"text": "&amp;amp; &copy; &#39; &quot;"}, "&amp; &copy; &#39; &quot;"),
        (tweet("see https://t.co/aB1 now", link("aB1", "https://a.example/?b=1&c=2")),
         "see https://a.example/?b=1&c=2 now"),
        (tweet("https://t.co/a https://t.co/ab", link("a", "https://a/"), link("ab", "https://b/")),
         "https://a/ https://b/"),
        # An address with &amp; in it is the author's own: it is not escaped by X.
        (tweet("https://t.co/a", link("a", "https://a/?x=&amp;y")), "https://a/?x=&amp;y"),
        # What no entity speaks of stays.
        (tweet("https://t.co/other", link("a", "https://a/")), "https://t.co/other"),
        (tweet("https://t.co/a", link("a", "")), "https://t.co/a"),
        (tweet("https://t.co/a", {"expanded_url": "https://a/"}), "https://t.co/a"),
        (tweet("x", None), "x"),  # type: ignore[arg-type]
        ({"text": "x https://t.co/a", "entities": {"urls": "none"}}, "x https://t.co/a"),
    ],
)  # fmt: skip
def test_x_gives_links_and_signs_back(post: object, text: str) -> None:
    assert x_text(post) == text


@pytest.mark.parametrize(
    "picture",
    [
        link("pic", "https://x.com/us/status/1/photo/1"),
        link("pic", "https://twitter.com/us/status/1/video/1"),
        link("pic", "https://elsewhere.example/1", media_key="3_1"),
    ],
)
def test_the_link_to_a_picture_is_dropped(picture: dict[str, object]) -> None:
    post = tweet("see https://t.co/a https://t.co/pic", link("a", "https://a.example"), picture)
    assert x_text(post) == "see https://a.example"
    assert x_text(tweet("https://t.co/pic", picture)) == ""


def test_a_picture_that_no_entity_speaks_of_is_dropped_too() -> None:
    attached = {"attachments": {"media_keys": ["3_1"]}}
    assert x_text({"text": "words\nhttps://t.co/pic", **attached}) == "words"
    assert x_text({"text": "words https://t.co/a b", **attached}) == "words https://t.co/a b"
    assert x_text({"text": "words https://t.co/pic"}) == "words https://t.co/pic"


@pytest.mark.parametrize("name", ["note_tweet", "note_post"])
def test_a_long_post_is_read_whole(name: str) -> None:
    note = tweet("all of it &amp; https://t.co/b", link("b", "https://b.example"))
    post = tweet("all… https://t.co/a", link("a", "https://a.example"))
    assert x_text({**post, name: note}) == "all of it & https://b.example"
    assert x_text({**post, name: {}}) == "all… https://a.example"


# -- HTML ------------------------------------------------------------------------------------------


LINK = """<p><a href="https://a.example/lo?b=1&amp;c=2" rel="nofollow" target="_blank">\
<span class="invisible">https://</span><span class="ellipsis">a.example/</span>\
<span class="invisible">lo?b=1&amp;c=2</span></a></p>"""


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("bare &amp; simple", "bare & simple"),
        ("<p>one<br>two<br />three<br/>four</p>", "one\ntwo\nthree\nfour"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one</p>\n\n<p>two</p>\n", "one\n\ntwo"),
        ("<p>never closed", "never closed"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("a<pre>b</pre>c", "a\n\nb\n\nc"),
        ("<p>a\n\tb</p>", "a b"),
        ("<p>&lt;b&gt; &#39;q&#39; &quot;d&quot; &eacute; &nbsp;</p>", "<b> 'q' \"d\" é"),
        ("a<b>b</b><i>c</i><unknown>d</unknown>", "abcd"),
        ("a<script>alert(1)</script><style>p{}</style>b", "ab"),
        ("</p></script></pre></a>x", "x"),
        ("<!-- nothing --><p>x</p>", "x"),
        (LINK, "https://a.example/lo?b=1&c=2"),
        ('see <a href="http://a.example">the page</a>.', "see http://a.example."),
        ('<a href="https://a.example">never closed', "https://a.example"),
        ('<a href="https://a/"><a href="https://b/">b</a>', "https://b/"),
        ('<a href="https://a/">a<a href="https://b/">b</a>', "https://a/https://b/"),
        ('<a href="https://s/tags/x" class="mention hashtag" rel="tag">#<span>X</span></a>', "#X"),
        ('<a href="https://s/tags/x" rel="tag">#X</a>', "#X"),
        ('<a href="https://s/@u" class="u-url mention">@<span>u</span></a>', "@u"),
        ('<a href="https://s/@u">@u</a>', "@u"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ("<a href>x</a><a>y</a>", "xy"),
    ],
)
def test_html_is_read_as_it_looks(html: str, text: str) -> None:
    assert html_text(html) == text


@given(st.text())
def test_any_html_can_be_read(html: str) -> None:
    assert html_text(html) == html_text(html).strip()


# -- comparing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ("a  b\n\n\nc \u00a0 d", "a b\nc d"),
        (" a ", "a"),
        ("e\u0301", "é"),
        ("see cs.example here", "see http://cs.example here"),
        ("https://a.example", "https://a.example/"),
        ("HTTPS://a.example/x", "http://a.example/x"),
        ("a\u200bb\u2060c\ufeff", "abc"),
    ],
)
def test_what_networks_fold_makes_no_difference(sent: str, back: str) -> None:
    assert normal(sent) == normal(back)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hot papers of 2021-06-22", "Hot papers of 2021-06-21"),
        ("Hot papers", "hot papers"),
        ("a b", "ab"),
        ("https://a.example/1", "https://a.example/2"),
        ("R&D", "R&amp;D"),
        ("1/3", "13"),
    ],
)
def test_what_reads_differently_is_different(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@given(st.text())
@example("hthttps://tps://x")
@example("=https://\u0338")
@example("a / https:// /")
def test_comparing_needs_to_be_prepared_only_once(text: str) -> None:
    send_once = normal(text)
    assert normal(send_once) == send_once
    assert unicodedata.is_normalized("NFC", send_once)


# Texts as a template may word them: links, signs, tags, emoji, line breaks.
pieces = st.one_of(
    st.text(
        st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), exclude_characters="@"),
        max_size=20,
    ),
    st.sampled_from(
        [
            "https://arxiv.org/abs/2106.09685",
            "https://example.org/a?b=1&c=%20d",
            "#HotPapers",
            "&amp;",
            "<p>",
            "</a>",
            "\n",
            "\n\n\n",
            "👩‍👩‍👧‍👦",
            "cs.AI",
        ]
    ),
)
texts = st.lists(pieces, max_size=8).map(" ".join)


@given(texts)
def test_a_server_of_mastodons_api_gives_back_what_was_sent(text: str) -> None:
    for line_break in ("<br />", "<br>"):
        back = html_text(content(text, "https://example.social", line_break))
        assert normal(back) == normal(text)


@example("0.BA_", FieldNames.TWEETS, False)  # noqa: FBT003 - as they are drawn
@given(texts, st.sampled_from(FieldNames), st.booleans())
def test_x_gives_back_what_was_sent(text: str, names: FieldNames, pictured: bool) -> None:  # noqa: FBT001
    media = ("7",) if pictured else ()
    post = Stored("1", text, "us", datetime(2026, 3, 1, tzinfo=UTC), media=media)
    back = json.loads(json.dumps(post_object(post, names, FIELDS)))
    assert normal(x_text(back)) == normal(text)


# -- as recorded -----------------------------------------------------------------------------------


@recorded_only
def test_recorded_answers_of_x_are_read() -> None:
    recorded = json.loads(
        (SHARED / "api" / "recorded" / "tweepy" / "decoded.json").read_text(encoding="utf-8")
    )
    data = recorded["test_client_get_users_tweets.yaml"][0]["body"]["data"]
    first = x_text(data[0])
    assert first.startswith("whoa, it works\n\nnow everyone")
    assert "https://t.co/" in first  # recorded without entities: nothing says what is behind it
    assert x_text(data[1]).endswith("you'll be okay")
