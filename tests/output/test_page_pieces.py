"""What each network makes of a text, and which addresses a page may lead to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import Network
from bot.output.page.pieces import linked, safe
from bot.output.page.views import Piece

X, MASTODON, BLUESKY = Network.TWITTER, Network.MASTODON, Network.BLUESKY
ABS = "https://arxiv.org/abs/2106.10934"


def test_a_text_without_anything_in_it_is_one_piece() -> None:
    for network in Network:
        assert linked(network, "Plain.\nText.") == (Piece("Plain.\nText."),)
        assert linked(network, "") == ()


def test_x_links_what_it_finds_and_shows_it_without_scheme() -> None:
    assert linked(X, f"see {ABS} #arXiv, @ada $ABC cs.AI!") == (
        Piece("see "),
        Piece("arxiv.org/abs/2106.10934", "link", ABS),
        Piece(" "),
        Piece("#arXiv", "tag"),
        Piece(", "),
        Piece("@ada", "tag"),
        Piece(" "),
        Piece("$ABC", "tag"),
        Piece(" "),
        Piece("cs.AI", "link"),  # it comes alive on X, and there is no https to lead to
        Piece("!"),
    )


def test_mastodon_links_what_has_a_scheme_and_hashtags() -> None:
    assert linked(MASTODON, f"{ABS} #arXiv @ada cs.AI") == (
        Piece("arxiv.org/abs/2106.10934", "link", ABS),
        Piece(" "),
        Piece("#arXiv", "tag"),
        Piece(" @ada cs.AI"),
    )


def test_bluesky_links_what_it_is_given() -> None:
    text = "see arxiv.org/abs/1 #arXiv https://x.org"
    assert linked(BLUESKY, text) == (Piece(text),)
    assert linked(BLUESKY, text, [(4, 19, "https://arxiv.org/abs/1"), (20, 26, "")]) == (
        Piece("see "),
        Piece("arxiv.org/abs/1", "link", "https://arxiv.org/abs/1"),
        Piece(" "),
        Piece("#arXiv", "tag"),
        Piece(" https://x.org"),
    )
    assert linked(BLUESKY, text, [(0, 3, "javascript:alert(1)")])[0] == Piece("see", "link")


@pytest.mark.parametrize(("network", "most"), [(X, 26), (MASTODON, 30)])
def test_a_long_link_is_cut_as_the_network_cuts_it(network: Network, most: int) -> None:
    long = "example.org/" + "a" * 40
    (piece,) = linked(network, f"https://www.{long}")
    assert piece == Piece(long[:most] + "…", "link", f"https://www.{long}")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>",
        "http://example.org/",
        "https:",
        "https:///path",
        "https://user:secret@example.org/",
        "https://arxiv.org@evil.example/",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://example.org/\x00",
        "https://[1::/",
        "//example.org/",
        " https://example.org/",
        "vbscript:x",
        "#t1",
    ],
)
def test_a_page_leads_nowhere_else(address: str) -> None:
    assert safe(address) == ""


@pytest.mark.parametrize("address", [ABS, "https://x.com/i/web/status/1", "HTTPS://a.example/?b#c"])
def test_a_page_leads_to_https(address: str) -> None:
    assert safe(address) == address


@given(st.sampled_from(Network), st.text())
def test_no_character_is_lost_but_in_links(network: Network, text: str) -> None:
    pieces = linked(network, text)
    assert all(piece.text for piece in pieces)
    if not any(piece.kind == "link" for piece in pieces):
        assert "".join(piece.text for piece in pieces) == text
