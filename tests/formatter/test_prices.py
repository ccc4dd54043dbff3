from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.x.prices import PRICES, month_price, post_price, thread_price

CHEAP = Decimal("0.015")
DEAR = Decimal("0.200")


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("3. A title without a link (arXiv:2106.10934)", CHEAP),
        ("3. A title\nhttps://arxiv.org/abs/2106.10934", DEAR),
        ("two links cost as one: https://arxiv.org https://arxiv.org/list/cs.CV", DEAR),
        ("in cs.AI", DEAR),
        ("in stat.ML", DEAR),
        ("in cs.LG", CHEAP),
        ("works with Node.js, #MachineLearning, @nobody and $AAPL", CHEAP),
        ("a sentence ends.In the next one", DEAR),
        ("ada@uni.edu", CHEAP),
        ("", CHEAP),
    ],
)
def test_a_post_costs_more_with_anything_x_takes_for_a_link(text: str, price: Decimal) -> None:
    assert post_price(text) == price


def test_a_thread_costs_what_its_posts_cost_together() -> None:
    assert thread_price(["opening", "https://arxiv.org/abs/1", "closing"]) == Decimal("0.230")


def test_no_posts_cost_nothing() -> None:
    assert str(thread_price([])) == "0.000"


def test_a_thread_may_be_a_generator() -> None:
    assert thread_price(text for text in ("a", "b")) == Decimal("0.030")


@given(st.lists(st.sampled_from(["plain", "see arxiv.org"])))
def test_a_thread_has_no_price_of_its_own(posts: list[str]) -> None:
    assert thread_price(posts) == CHEAP * posts.count("plain") + DEAR * posts.count("see arxiv.org")


def test_a_month_has_thirty_threads_unless_told_otherwise() -> None:
    assert month_price(Decimal("2.230")) == Decimal("66.900")
    assert month_price(Decimal("2.230"), threads_a_month=20) == Decimal("44.600")


def test_amounts_keep_whole_tenths_of_a_cent() -> None:
    assert str(thread_price(["a"] * 3)) == "0.045"
    assert str(month_price(thread_price(["a"] * 3))) == "1.350"


def test_the_table_is_dated() -> None:
    assert PRICES.since == date(2026, 4, 20)
    assert PRICES.since < PRICES.read
