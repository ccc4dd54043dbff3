"""Links are shown short and lead to the whole; tags and links are where the spans say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.defuse import defuse
from bot.formatter.rich import enrich, shorten
from bot.model import Card, Network, Post, Span
from tests.helpers.rendered_threads import account, digest, paper, thread

BLUESKY = Network.BLUESKY


def led(post: Post) -> dict[str, str]:
    """What each span's text leads to."""
    return {post.text[span.start : span.end]: span.uri or span.tag for span in post.spans}


@pytest.mark.parametrize(
    ("text", "shown", "uri"),
    [
        ("https://arxiv.org/abs/2106.1", "arxiv.org/abs/2106.1", "https://arxiv.org/abs/2106.1"),
        ("see (http://www.a.org/).", "see (a.org).", "http://www.a.org/"),
        ("“https://a.org/é?q=1”", "“a.org/é?q=1”", "https://a.org/é?q=1"),
        ("(https://a.org/b_(c)).", "(a.org/b_(c)).", "https://a.org/b_(c)"),
        ("[https://a.org/?c=[1]]!", "[a.org/?c=[1]]!", "https://a.org/?c=[1]"),
        ("（https://a.org/b）、次", "（a.org/b）、次", "https://a.org/b"),
        ("https://a.org/b。次", "a.org/b。次", "https://a.org/b"),
        ("https:///a https://).", "https:///a https://).", ""),
        ("https://a.org/x, and", "a.org/x, and", "https://a.org/x"),
        (f"https://a.org/{'x' * 80}", f"a.org/{'x' * 53}…", f"https://a.org/{'x' * 80}"),
        ("ftp://a.org https:// nothing", "ftp://a.org https:// nothing", ""),
    ],
)
def test_an_address_is_shown_short_and_leads_to_the_whole(text: str, shown: str, uri: str) -> None:
    rich = enrich(text, ())
    assert rich.text == shorten(text) == shown
    assert [span.uri for span in rich.spans] == [uri] * bool(uri)


def test_brackets_without_end_end_an_address_all_the_same() -> None:
    assert shorten("https://a.org/" + ")" * 5000) == "a.org" + ")" * 5000
    assert shorten("https://a.org/" + "()" * 5000).startswith("a.org/()()")


def test_only_the_hashtags_that_were_meant_become_tags() -> None:
    rich = enrich("#arXiv, #arXivists and #1 of C#arXiv\nhttps://a.org/#arXiv", ("#arXiv", "#x"))
    assert [(span.start, span.end, span.tag) for span in rich.spans if span.tag] == [
        (0, 6, "arXiv")
    ]
    assert [span.uri for span in rich.spans if span.uri] == ["https://a.org/#arXiv"]


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            ("https://a.org/b", "http://www.é.de/", "#tag", "#Tag2", " ", "\n", ".", "😀", "()")
        ),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@given(pieces)
def test_spans_are_in_order_apart_and_say_what_they_lead_to(text: str) -> None:
    rich = enrich(text, ("#tag",))
    at = 0
    for span in rich.spans:
        assert at <= span.start < span.end <= len(rich.text)
        at = span.end
        said = rich.text[span.start : span.end]
        assert bool(span.uri) != bool(span.tag)
        if span.tag:
            assert said == f"#{span.tag}"
        else:
            assert span.uri in text
            assert said.rstrip("…") in span.uri
    assert rich.text == shorten(text)


@given(pieces)
def test_what_a_digest_says_leads_nowhere(text: str) -> None:
    assert not [span for span in enrich(defuse(text, BLUESKY), ()).spans if span.uri]


def test_a_thread_leads_to_papers_page_and_tags_and_has_a_card_for_each_paper() -> None:
    page = "https://example.org/hot-papers-2021-06-22"
    papers = (replace(paper(n), abstract="Titles are old. We show a title.") for n in (1, 2))
    made = thread(digest(*papers, url=page), account(BLUESKY))
    opening, first, second, closing = made.posts
    assert led(opening)["#arXiv"] == "arXiv"
    assert led(first) == {"arxiv.org/abs/2106.10001": "https://arxiv.org/abs/2106.10001"}
    assert led(closing) == {"example.org/hot-papers-2021-06-22": page}
    about = "Ada Lovelace, Grace Hopper. We show a title."
    assert first.card == Card("https://arxiv.org/abs/2106.10001", paper(1).title, about)
    assert second.card == Card("https://arxiv.org/abs/2106.10002", paper(2).title, about)
    assert (opening.card, closing.card) == (None, None)


def test_a_card_is_cut_at_a_word() -> None:
    long = replace(paper(1), authors=("Ada Lovelace",) * 60)
    card = thread(digest(long), account(BLUESKY)).posts[1].card
    assert card
    assert len(card.description) <= 300
    assert card.description.endswith("…")


@pytest.mark.parametrize("network", [Network.TWITTER, Network.MASTODON])
def test_networks_that_find_links_themselves_get_no_spans(network: Network) -> None:
    made = thread(digest(paper(1)), account(network))
    assert all(post.spans == () and post.card is None for post in made.posts)


def test_a_span_counts_code_points() -> None:
    rich = enrich("😀é https://a.org", ())
    assert rich.spans == (Span(3, 8, uri="https://a.org"),)
