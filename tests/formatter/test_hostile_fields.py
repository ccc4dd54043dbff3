"""No field of a digest makes a mention, tag or link in a post that the template did not mean."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.digests.parse import parse
from bot.formatter.select import tidied
from bot.formatter.views import hashtags
from bot.formatter.x.entities import entities
from bot.http.urls import page_address
from bot.model import Digest, Links, Network, Post, Style
from tests.helpers.rendered_threads import account, thread

PAYLOADS = (
    *(
        "@victim",
        "@victim@evil.example",
        "#spam",
        "$TSLA",
        "＠victim",
        "＃spam",
        "cs.AI",
        "evil.com",
    ),
    *(
        "https://evil.example/x",
        "http://evil.example",
        "javascript:alert(1)",
        "gemini://evil.example",
    ),
    *(
        "magnet:?xt=urn:btih:1",
        "xmpp:a@b.example",
        "//evil.example",
        "data:text/html,x",
        "日本語.jp",
    ),
    *("[a](https://evil.example)", "<a href='https://evil.example'>x</a>", "]", "(", ")", "|", "-"),
    *(" ", " ", ",", ".", ":", "/", "?", "=", "%40victim", "&#64;victim", "\\u0040", "…", "\u200b"),
)
hostile = st.lists(
    st.one_of(st.sampled_from(PAYLOADS), st.text("abc XÉß1._-/:@#$~\u3000\u00b7", max_size=8)),
    min_size=1,
    max_size=8,
).map("".join)


PLAIN = """# 3. A paper

Ada

- retweets: 1, favorites: 2

- links: [abs](https://arxiv.org/abs/2106.10003)
"""
counted = st.sampled_from(["", "(06/23/2021 10:32:04)"])


@st.composite
def written(draw: st.DrawFn) -> str:
    """Markdown whose every field is hostile, and still a digest with a paper."""
    fields = {
        "title": f"P{draw(hostile)}",
        "date": "2021-06-23T10:32:04.Z",
        "slug": draw(hostile) + draw(st.sampled_from(["", "2021-06-22"])),
        "category": draw(hostile),
        "description": draw(hostile),
        "url": draw(st.sampled_from(["", "https://example.org/", "http://", "https://a b.c/"]))
        + draw(hostile),
    }
    tags = draw(st.lists(hostile, max_size=3))
    front = [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
    listed = ["tags:", *(f"  - {json.dumps(tag)}" for tag in tags)] if tags else []
    lines = ["---", *front, *listed, "---", ""]
    for rank in range(1, 3):
        identifier = f"2106.1000{rank}"
        address = draw(
            st.sampled_from(
                ["https://arxiv.org/abs/", "http://arxiv.org/abs/", "https://evil.example/"]
            )
        )
        lines += [
            f"# {rank}. {draw(hostile)}",
            "",
            ", ".join(draw(st.lists(hostile, min_size=1, max_size=9))),
            "",
            f"- retweets: {rank}, favorites: 5 {draw(counted)}",
            "",
            f"- links: [abs]({address}{identifier}) | [pdf](https://arxiv.org/pdf/{draw(hostile)})",
            f"- [{draw(hostile)}](https://arxiv.org/list/cs.LG/recent)",
            f"- [{draw(hostile)}]({draw(hostile)})",
            "",
            *draw(st.lists(hostile, max_size=2)),
            "",
        ]
    return "\n".join([*lines, PLAIN])


def found(post: Post, network: Network) -> list[str]:
    """What `network` makes of a text, in order, by rules that are wider than the network's own."""
    if network is Network.TWITTER:
        return [entity.text for entity in entities(post.text)]
    if network is Network.BLUESKY:
        return [span.uri or f"#{span.tag}" for span in post.spans]
    pattern = re.compile(
        r"(?:https?|(?<!\w)[a-z][a-z0-9+.-]*)://[^\s<>\"]+|(?<!\w)(?:magnet|xmpp):[^\s]+"
        r"|(?<![\w/=])[@\uff20]\w[\w.@-]*|(?<![\w/)])[#\uff03][\w·・]*[^\W\d_][\w·・]*",
        re.IGNORECASE,
    )
    return [match[0] for match in pattern.finditer(post.text)]


def meant(post: Post, digest: Digest, network: Network, links: Links) -> list[str]:
    """What the default templates put into a post."""
    to = account(network, links=links)
    if post.part == "opening":
        return [tag for tag in hashtags(tidied(digest), to) if tag in post.text]
    page = [digest.url] if digest.url and links is not Links.NONE else []
    if post.part == "closing":
        return page
    (link,) = (paper.link for paper in digest.papers if paper.key == post.part)
    is_known = network is not Network.TWITTER or ".example/" not in link  # X knows no such domain
    return [link] if links is Links.EVERY and is_known else []


@given(written(), st.sampled_from(Network), st.sampled_from(Links))
def test_no_field_of_a_digest_makes_an_entity(text: str, network: Network, links: Links) -> None:
    digest, _ = parse(text, "digest.md")
    made = thread(digest, account(network, links=links, top=0))
    assert made.posts
    for post in made.posts:
        assert found(post, network) == meant(post, digest, network, links)


@given(written(), st.sampled_from(Network))
def test_no_field_of_a_digest_makes_an_entity_in_a_single_post(text: str, network: Network) -> None:
    digest, _ = parse(text, "digest.md")
    (post,) = thread(digest, account(network, style=Style.SINGLE)).posts
    assert found(post, network) in ([], [digest.url])


@given(hostile, hostile)
@example("@victim #spam $TSLA https://evil.example/x", "a b")
def test_an_address_is_one_word_and_leads_where_it_says(slug: str, url: str) -> None:
    text = f"---\ntitle: Papers\ndate: 2021-06-23\nslug: {json.dumps(slug)}\n---\n\n"
    digest, _ = parse(text + PLAIN, "digest.md")
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,200}", digest.slug)
    address = page_address(f"https://example.org/{url}")
    if address:
        assert [entity.text for entity in entities(address)] == [address]
        assert address.startswith("https://example.org/")


@pytest.mark.parametrize("scheme", ["javascript:", "data:text/html,", "//", "ftp://", ""])
def test_only_a_web_address_is_a_page(scheme: str) -> None:
    assert page_address(f"{scheme}evil.example/x") == ""
