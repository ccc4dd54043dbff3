"""The sentence that says what a paper does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.summary import LEAST, plain, points, telling
from tests.helpers.paths import corpus_only
from tests.helpers.summary_choices import agreement


@pytest.mark.parametrize(
    ("title", "abstract", "best"),
    [
        (
            "Unselfie",
            "Many take photos. To address this issue, we introduce unselfie, a transformation.",
            "We introduce unselfie, a transformation.",
        ),
        (
            "Starting networks well",
            "Networks change. In this paper, we present GradStart, a method for starting networks.",
            "We present GradStart, a method for starting networks.",
        ),
        (
            "A first look at transport protocols",
            "The transport layer is old. In this work, we present a first look at new protocols.",
            "We present a first look at new protocols.",
        ),
        (
            "PANO: panoptic driving",
            "A system is needed. A good one is precise. We present a network (PANO) for driving.",
            "We present a network (PANO) for driving.",
        ),
        (
            "Benchmarks for code",
            "Code is hard. To meet this challenge, we introduce APPS, a benchmark for code.",
            "We introduce APPS, a benchmark for code.",
        ),
        (
            "Colouring with transformers",
            "We present a Colouring Transformer. Given a photo, it proceeds in three steps.",
            "We present a Colouring Transformer.",
        ),
        (
            "Search in networks",
            "Inspired by this biological mechanism, we propose a search method for networks.",
            "Inspired by this biological mechanism, we propose a search method for networks.",
        ),
        (
            "Misuse of cryptography",
            "[Aim] Cryptography is studied. [Results] We learned that 85% of it is misused.",
            "We learned that 85% of it is misused.",
        ),
        (
            "Networks of context",
            "We present the \\model (a network of context). It is new. It is good. It wins.",
            "",
        ),
        (
            "Playing lotteries with vision",
            "A concept of rockets that drones launch is presented.",
            "",
        ),
        (
            "Forces of molecules",
            "We apply molecules (Ada et al., 2018) to forces [12, 13], and water [ada2020water].",
            "We apply molecules to forces, and water.",
        ),
        ("Questions of trust", "What is trust? Trust is old. Trust is hard. Trust is good.", ""),
        ("A title", "", ""),
    ],
)
def test_it_is_the_sentence_that_a_person_would_choose(
    title: str, abstract: str, best: str
) -> None:
    assert (telling(title, abstract) or ("",))[0] == best


@pytest.mark.parametrize(
    "sentence",
    [
        "We propose \\ours, a network.",
        "We propose a network with $x$ layers.",
        "We propose a method that proceeds in two steps.",
        "We propose the following:",
        "Do we propose a network?",
        "We propose a network (which is new.",
        "It is proposed to be new.",
        "We propose " + "x " * 400,
    ],
)
def test_what_promises_or_depends_on_more_is_never_chosen(sentence: str) -> None:
    assert points(sentence, "A network") < LEAST


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("In this paper, we propose a net.", "We propose a net."),
        ("In this paper we propose a net.", "We propose a net."),
        ("Here, we propose a net.", "We propose a net."),
        ("However, we propose a net.", "We propose a net."),
        ("However, nets are hard.", "However, nets are hard."),
        ("Here a net is proposed.", "Here a net is proposed."),
        ("Objective: we propose a net.", "We propose a net."),
        ("Results of nets are good.", "Results of nets are good."),
    ],
)
def test_phrases_go_only_where_a_sentence_remains(sentence: str, shown: str) -> None:
    assert plain(sentence) == shown


@given(st.text(), st.text())
def test_any_text_gives_sentences_or_none(title: str, abstract: str) -> None:
    for sentence in telling(title, abstract):
        assert sentence


@corpus_only
def test_it_agrees_with_a_person_on_most_abstracts() -> None:
    share, wrong = agreement()
    assert share >= 0.85, wrong
