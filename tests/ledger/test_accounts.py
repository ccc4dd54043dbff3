from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.rows import Spending, StoredLimit, dollars, micros
from bot.ledger.store import Ledger
from tests.helpers.ledger_setup import MINUTE, T0, opened_ledger, planned_thread

MILLIONTH = Decimal("0.000001")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "bot.db") as ledger:
        yield ledger


def test_a_limit_holds_until_its_time_and_the_last_word_counts(ledger: Ledger) -> None:
    posts = StoredLimit("twitter", "posts", T0 + MINUTE, "429")
    ledger.limit(posts)
    ledger.limit(StoredLimit("twitter", "daily", T0 + 3 * MINUTE, "17 a day"))
    ledger.limit(StoredLimit("mastodon", "posts", T0 + 9 * MINUTE, "another account's"))
    assert [each.kind for each in ledger.limits("twitter", T0)] == ["daily", "posts"]
    assert posts in ledger.limits("twitter", T0)
    assert [each.kind for each in ledger.limits("twitter", T0 + MINUTE)] == ["daily"]
    ledger.limit(StoredLimit("twitter", "daily", T0 - MINUTE, "over"))
    assert ledger.limits("twitter", T0) == (posts,)


def test_spending_is_added_up_to_the_millionth(ledger: Ledger) -> None:
    assert ledger.spent("twitter", T0) == 0
    for day, amount in enumerate(("0.2", "0.015", "0.005", "0.1")):
        at = T0 + timedelta(days=day)
        ledger.spend(Spending("twitter", at, "post", Decimal(amount)))
    ledger.spend(Spending("another", T0, "post", Decimal(5)))
    assert ledger.spent("twitter", T0) == Decimal("0.32")
    assert ledger.spent("twitter", T0 + timedelta(days=2)) == Decimal("0.105")
    assert ledger.spent("twitter", T0 + timedelta(days=4)) == 0


@given(st.decimals(min_value=0, max_value=10**6, places=9))
def test_no_money_is_lost_by_rounding(amount: Decimal) -> None:
    kept = dollars(micros(amount))
    assert amount <= kept < amount + MILLIONTH
    assert dollars(micros(kept)) == kept


def test_facts_are_remembered_for_each_account(ledger: Ledger) -> None:
    assert ledger.get_fact("twitter", "id") is None
    ledger.set_fact("twitter", "id", "12")
    ledger.set_fact("twitter", "id", "13 \ud800")
    ledger.set_fact("mastodon", "id", "14")
    assert ledger.get_fact("twitter", "id") == "13 ?"


def test_the_newest_post_is_found_over_all_threads(ledger: Ledger) -> None:
    assert ledger.last_known("twitter") is None
    old, new = (ledger.plan(planned_thread(digest=name), T0) for name in ("old", "new"))
    ledger.adopt(new.number, 0, "10", "", T0)
    ledger.adopt(new.number, 1, "11", "", T0)
    assert ledger.last_known("twitter") == ("11", T0)
    ledger.adopt(old.number, 0, "9", "", T0 + MINUTE)
    assert ledger.last_known("twitter") == ("9", T0 + MINUTE)
    ledger.retracted(old.number, 0, T0 + MINUTE)
    assert ledger.last_known("twitter") == ("11", T0)
    assert ledger.last_known("mastodon") is None


def test_papers_count_as_published_while_they_are_out(ledger: Ledger) -> None:
    thread = ledger.plan(planned_thread(5), T0)
    for position in range(4):
        ledger.adopt(thread.number, position, str(position + 1), "", T0 + position * MINUTE)
    ledger.retracted(thread.number, 3, T0)
    assert ledger.published_papers("twitter", T0) == {"2106.00001", "2106.00002"}
    assert ledger.published_papers("twitter", T0 + 2 * MINUTE) == {"2106.00002"}
    assert ledger.published_papers("mastodon", T0) == frozenset()


def test_ids_of_other_threads_are_known_retracted_ones_too(ledger: Ledger) -> None:
    first, second = (ledger.plan(planned_thread(generation=number), T0) for number in (0, 1))
    ledger.adopt(first.number, 0, "1", "", T0)
    ledger.retracted(first.number, 0, T0)
    ledger.adopt(second.number, 0, "2", "", T0)
    assert ledger.known_ids("twitter", second.number, ["", "1", "2", "3"]) == {"1"}
    assert ledger.known_ids("twitter", first.number, ["", "1", "2", "3"]) == {"2"}
    assert ledger.known_ids("mastodon", first.number, ["2"]) == frozenset()


def test_a_digest_that_changed_is_noticed(tmp_path: Path) -> None:
    with opened_ledger(tmp_path / "other.db") as (ledger, thread):
        assert not ledger.changed(thread)
        ledger.digest_seen(thread.digest, thread.fingerprint, "Hot Papers", T0)
        assert not ledger.changed(thread)
        ledger.digest_seen(thread.digest, "otherwise", "Hot Papers!", T0)
        assert ledger.changed(thread)
        ledger.digest_seen(thread.digest, thread.fingerprint, "Hot Papers", T0)
        assert not ledger.changed(thread)


def test_a_digest_that_looks_as_before_is_not_written_again(ledger: Ledger) -> None:
    ledger.digest_seen("a", "f", "Hot Papers", T0)
    ledger.digest_seen("a", "f", "Hot Papers", T0 + MINUTE)
    (row,) = ledger._fetch("SELECT seen_at FROM digests")
    assert row[0].startswith("2021-06-23T10:00")
