"""Lengths: cases and laws of our own, Mastodon.py's count as an oracle, X's conformance suite."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
import regex
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mastodon import Mastodon

from bot.formatter import limits
from bot.formatter.limits import (
    BLUESKY_MAX_BYTES,
    LIMITS,
    LIMITS_READ,
    bluesky_length,
    fediverse_length,
    fits,
    length,
    mastodon_length,
    twitter_length,
)
from bot.formatter.x.entities import urls
from bot.formatter.x.patterns import NOT_IN_POSTS
from bot.model import Network
from tests.helpers.paths import SHARED

SUITE = SHARED / "api" / "x" / "twitter-text"
suite_only = pytest.mark.skipif(
    not SUITE.is_dir(), reason="X's conformance suite is not beside this clone"
)


ARXIV = "https://arxiv.org/abs/2106.10934"
FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("text", "twitter", "mastodon", "bluesky"),
    [
        ("", 0, 0, 0),
        ("plain", 5, 5, 5),
        ("two\nlines", 9, 9, 9),
        ("two\r\nlines", 10, 9, 9),
        # Links: 23 where they are shortened.
        (ARXIV, 23, 23, 32),
        (f"see {ARXIV}.", 28, 28, 37),
        (f"{ARXIV} {ARXIV}", 47, 47, 65),
        (f"{ARXIV}{'0' * 400}", 23, 23, 432),
        ("http://a.co", 23, 23, 11),
        ("HTTP://A.CO/X", 23, 23, 13),
        ("a.co", 23, 4, 4),
        ("in cs.AI", 26, 8, 8),
        ("gemini://a.com", 14, 23, 14),
        ("https://a.com/日本", 27, 23, 16),
        ("https://a.com/?q=日本", 27, 23, 19),
        ("https://localhost/x", 19, 19, 19),
        ("ada@uni.edu", 11, 11, 11),
        # Scripts.
        ("Größe", 5, 5, 5),
        ("Gro\u0308ße", 5, 5, 5),
        ("x\u0323\u0301", 3, 1, 1),
        ("χ² ≤ ½", 7, 6, 6),
        ("шум", 3, 3, 3),
        ("日本語", 6, 3, 3),
        ("한국", 4, 2, 2),
        ("\u1112\u1161\u11ab", 2, 1, 1),
        ("नि", 2, 1, 1),
        ("— – “a” ‘b’ … ′", 16, 15, 15),
        ("a\u200bb", 3, 3, 3),
        ("→ ∞", 5, 3, 3),
        # Emoji: two at X, however they are built.
        ("📈", 2, 1, 1),
        ("☺", 2, 1, 1),
        ("♻\ufe0f", 2, 1, 1),
        ("1\ufe0f\u20e3", 2, 1, 1),
        ("#\u20e3", 2, 1, 1),
        ("🇩🇪", 2, 1, 1),
        ("🇩🇪🇫🇷", 4, 2, 2),
        ("🇩", 2, 1, 1),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", 2, 1, 1),
        ("👍🏽", 2, 1, 1),
        (FAMILY, 2, 1, 1),
        ("👩🏽‍🚀", 2, 1, 1),
        ("🏳\ufe0f‍🌈", 2, 1, 1),
        ("❤\ufe0f‍🔥", 2, 1, 1),
        ("👩‍❤\ufe0f‍💋‍👨", 2, 1, 1),
        ("⚡\ufe0f", 2, 1, 1),
        ("©", 1, 1, 1),
        ("©\ufe0f", 2, 1, 1),
        ("™", 2, 1, 1),
        # What only looks like a sequence is counted in its pieces.
        ("5\ufe0f", 3, 1, 1),
        ("a\ufe0f", 3, 1, 1),
        ("😀\ufe0f", 4, 1, 1),
        ("😀🏽", 4, 1, 1),
        ("✌\ufe0e", 4, 1, 1),
        ("a\u200db", 3, 2, 2),
        ("🙂" + "\u200d🙂" * 7, 5, 1, 1),
        # Mentions: Mastodon leaves the server out.
        ("@user", 5, 5, 5),
        ("by @user@host.org", 17, 8, 17),
        ("@a.b-c@host.org.", 16, 7, 16),
        ("@a@b.org @c@d.org", 17, 5, 17),
        ("x@user@host.org", 15, 15, 15),
        ("https://a.org/@user@host.org", 23, 23, 28),
        ("https://a.org/:@user@host.org", 23, 23, 29),
        ("https://a.org/x @user@host.org", 38, 29, 30),
        # Text nobody should send.
        ("\ud800", 2, 1, 1),
        ("\x00\x1b\x7f", 3, 3, 3),
        ("\ufeff", 2, 1, 1),
        ("\U0010ffff", 2, 1, 1),
    ],
)
def test_each_network_counts_in_its_own_way(
    text: str, twitter: int, mastodon: int, bluesky: int
) -> None:
    assert (twitter_length(text), mastodon_length(text), bluesky_length(text)) == (
        twitter,
        mastodon,
        bluesky,
    )


def test_length_asks_the_network() -> None:
    text = "in cs.AI by @user@host.org"
    assert {network: length(network, text) for network in Network} == {
        Network.TWITTER: twitter_length(text),
        Network.MASTODON: fediverse_length(text),
        Network.BLUESKY: bluesky_length(text),
    }


def test_every_network_has_a_limit_and_the_figures_are_dated() -> None:
    assert LIMITS == {Network.TWITTER: 280, Network.MASTODON: 500, Network.BLUESKY: 300}
    assert date(2026, 1, 1) < LIMITS_READ


@pytest.mark.parametrize("network", Network)
def test_a_text_fits_up_to_the_limit_and_not_beyond(network: Network) -> None:
    limit = LIMITS[network]
    assert fits(network, "a" * limit, limit)
    assert not fits(network, "a" * limit + "b", limit)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Network.TWITTER, "日" * 140),
        (Network.TWITTER, FAMILY * 140),
        (Network.MASTODON, "日" * 500),
        (Network.BLUESKY, "日" * 300),
        (Network.BLUESKY, FAMILY * 120),
    ],
)
def test_the_limit_is_in_the_networks_own_count(network: Network, text: str) -> None:
    assert fits(network, text, LIMITS[network])


def test_bluesky_counts_bytes_too() -> None:
    text = FAMILY * 120
    assert len(text.encode()) == BLUESKY_MAX_BYTES
    assert not fits(Network.BLUESKY, text + "a", LIMITS[Network.BLUESKY])
    assert not fits(Network.BLUESKY, FAMILY + "\ud800" * 1000, 2000)


PIECES = [
    *"abéßΩж日タ한…—🙂📈1#©🏽🇩🇪❤👩🚀\n\r ",
    *"\u0301\u0323\u200d\ufe0f\ufe0e\u20e3\u1112\u1161\u093f\u0600",
    *(ARXIV, "cs.AI", "@user@host.org", "@user", "/x", "https://", "(", ").", "\r\n", FAMILY),
]
texts = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=()), max_size=14).map(
    "".join
)
networks = st.sampled_from(Network)


@given(texts)
def test_bluesky_counts_grapheme_clusters(text: str) -> None:
    assert bluesky_length(text) == len(regex.findall(r"\X", text))


@pytest.mark.parametrize(
    ("text", "unicode_17", "server"),
    [
        # what graphemeLen of @atproto/lex-data says, as it is in the server of .ci/pds
        ("\u1017\u102f\u1012\u1039\u1013", 2, 3),
        ("\u1781\u17d2\u1798\u17c2\u179a", 2, 3),
        ("\u2764\u0d4d\U0001f3ff\u0d21", 1, 2),
        ("\u094d\u0924\U0001f1f7", 2, 3),
        ("\u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd", 5, 5),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", 3, 3),
    ],
    ids=["Burmese", "Khmer", "mixed", "a virama first", "Tamil", "Hindi"],
)
def test_no_server_counts_more_where_a_virama_joins_letters(
    text: str, unicode_17: int, server: int
) -> None:
    assert len(regex.findall(r"\X", text)) == unicode_17
    assert unicode_17 <= server <= bluesky_length(text) <= server + 1
    assert mastodon_length(text) == bluesky_length(text)


def test_what_is_counted_without_asking_stands_alone() -> None:
    alone = "".join(c for c in map(chr, range(0x110000)) if not limits._MAY_JOIN.match(c))
    assert len(alone) > 20_000
    assert len(regex.findall(r"\X", alone)) == len(alone)
    # Whatever stands beside it, two of them never make one.
    assert not regex.search(r"[\p{M}\u200c\u200d\p{Emoji_Modifier}\p{RI}]", alone)


@given(networks, st.text(alphabet="abc XYZ,;'\"-", max_size=30), texts)
def test_a_line_before_a_text_adds_its_own_length(network: Network, line: str, text: str) -> None:
    assert length(network, f"{line}\n{text}") == len(line) + 1 + length(network, text)


@given(st.text(alphabet="abc XYZ,;'\"-", max_size=30), texts)
def test_words_before_a_text_add_their_own_length_at_x(words: str, text: str) -> None:
    assert twitter_length(f"{words} {text}") == len(words) + 1 + twitter_length(text)


@given(networks, texts)
def test_a_length_is_never_negative_and_only_nothing_has_none(network: Network, text: str) -> None:
    assert length(network, text) >= bool(text)


@given(
    st.sampled_from([Network.TWITTER, Network.BLUESKY]),
    st.text(alphabet="aéoußÅΩ e\u0301\u0308\u0323日", max_size=20),
)
def test_the_form_of_an_accent_does_not_matter(network: Network, text: str) -> None:
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert length(network, composed) == length(network, apart)


@given(
    st.sampled_from([twitter_length, mastodon_length]),
    st.text(alphabet="abcXYZ0189_/~=", max_size=99),
)
def test_how_long_a_link_is_does_not_matter(count: Callable[[str], int], path: str) -> None:
    assert count(f"see https://a.org/{path}x now") == len("see  now") + 23


@given(texts)
def test_no_server_with_this_api_counts_more_than_we(text: str) -> None:
    # Mastodon counts as the first, GoToSocial and Takahe as the second
    assert fediverse_length(text) >= max(mastodon_length(text), len(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.org now", len("see  now") + 23),
        (f"see {ARXIV} now", len("see  now") + len(ARXIV)),
        (f"https://a.org and https://a.org/{'x' * 40}", 23 + len(" and ") + 54),
        (FAMILY, len(FAMILY)),
        ("by @user@host.org", len("by @user@host.org")),
    ],
)
def test_a_link_counts_in_full_and_never_less_than_23(text: str, expected: int) -> None:
    assert length(Network.MASTODON, text) == expected


@given(texts)
def test_x_counts_no_less_than_its_links_and_no_more_than_all_heavy(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    shortened = 23 * len(urls(composed))
    assert shortened <= twitter_length(text) <= 2 * len(composed) + shortened


# Flags are not among these: the oracle's library counts one after a line break twice.
oracle_texts = st.lists(
    st.sampled_from(
        [
            *"abéßΩж日…—🙂1#,.;:!?()-_ \n\u0301",
            *(" https://arxiv.org/abs/1 ", " http://a.com ", " https://a.com/x_(y) ", " @a@b.org "),
            *(" cs.AI ", " ada@uni.edu ", "\r\n", FAMILY, "👍🏽"),
        ]
    ),
    max_size=14,
).map("".join)


@given(oracle_texts)
def test_mastodon_py_counts_the_same(text: str) -> None:
    assert mastodon_length(text) == Mastodon.get_status_length(text)


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        # Mastodon.py takes the web page's older pattern of links, the server its own, wider one:
        # paths and queries in any script, more schemes, and no quotation mark in a host.
        ("https://a.com/日本", 23, 25),
        ("https://a.com/?q=日本", 23, 25),
        ("https://a.com/x=", 24, 23),
        ("gemini://a.com", 23, 14),
        ('https://"a.com', 14, 23),
        # A link without a scheme is not shortened, but what is in its path is not a link.
        ("a.com/https://b.com", 19, 29),
        # Servers' names in any script; no mention where one more @ or a letter with an accent
        # follows, or after an equals sign; dots in a user's name.
        ("@a@b.日本", 2, 7),
        ("@a@b.org@", 9, 3),
        ("=@a@b.org", 9, 3),
        ("@a.b@c.org", 4, 10),
        # Its library begins no flag after a control character.
        ("\n🇩🇪", 2, 3),
    ],
)
def test_where_mastodon_py_differs_we_follow_the_server(text: str, ours: int, theirs: int) -> None:
    assert mastodon_length(text) == ours
    assert Mastodon.get_status_length(text) == theirs


def cases(name: str) -> list[dict[str, object]]:
    read: dict[str, dict[str, list[dict[str, object]]]] = yaml.safe_load(
        (SUITE / "validate.yml").read_text(encoding="utf-8")
    )
    return read["tests"][name]


def miscounted(name: str) -> list[object]:
    """The cases of a section where length, thousandths of the limit or verdict are not X's."""
    wrong = []
    for case in cases(name):
        text, expected = str(case["text"]), case["expected"]
        assert isinstance(expected, dict)
        count = twitter_length(text)
        whole = not any(char in text for char in NOT_IN_POSTS)
        valid = bool(text) and whole and fits(Network.TWITTER, text, LIMITS[Network.TWITTER])
        verdict = (expected["weightedLength"], expected["permillage"], expected["valid"])
        if verdict != (count, count * 1000 // LIMITS[Network.TWITTER], valid):
            wrong.append(case["description"])
    return wrong


@suite_only
@pytest.mark.parametrize(
    "name", ["WeightedTweetsWithDiscountedEmojiCounterTest", "UnicodeDirectionalMarkerCounterTest"]
)
def test_the_suite_is_counted_as_x_counts_it(name: str) -> None:
    assert miscounted(name) == []


@suite_only
def test_of_the_rules_before_only_those_for_emoji_have_changed() -> None:
    assert miscounted("WeightedTweetsCounterTest") == [
        "Count a mix of single byte single word, and double word unicode characters",
        "Count unicode emoji chars outside the basic multilingual plane with skin tone modifiers",
    ]


@suite_only
def test_the_oldest_rules_find_the_same_links() -> None:
    """Their limit was 140 and every character weighed one."""
    for case in cases("tweets"):
        text = unicodedata.normalize("NFC", str(case["text"]))
        count = len(text) + sum(23 - len(url.text) for url in urls(text))
        assert (0 < count <= 140) == case["expected"], text
