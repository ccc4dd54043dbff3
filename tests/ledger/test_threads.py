from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.errors import LedgerError
from bot.ledger.file import stamp
from bot.ledger.rows import Attempt, PlannedThread, moment
from bot.ledger.store import Ledger
from bot.model import Media, Network, State
from tests.helpers.ledger_setup import MINUTE, T0, opened_ledger, planned_thread, post_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bot.db"


def test_a_thread_reads_back_as_it_was_planned(path: Path) -> None:
    plan = planned_thread(4, text='täglich "neu" \x00 🎉\n')
    with Ledger.open(path) as ledger:
        thread = ledger.plan(plan, T0)
    with Ledger.open(path) as ledger:
        assert ledger.thread("twitter", plan.digest) == thread
    for name in PlannedThread.__dataclass_fields__:
        if name != "posts":
            assert getattr(thread, name) == getattr(plan, name)
    for stored, each in zip(thread.posts, plan.posts, strict=True):
        kept = (stored.position, stored.part, stored.key, stored.text, stored.token, stored.media)
        assert kept == (each.position, each.part, each.key, each.text, each.token, each.media)
        assert (stored.state, stored.id, stored.tries) == (State.PLANNED, "", 0)
    assert post_at(thread).media == (Media("A picture", "image/png"),)
    assert (thread.planned_at, thread.looked_at, thread.checked_at) == (T0, None, None)


def test_what_is_planned_keeps_its_words(path: Path) -> None:
    with Ledger.open(path) as ledger:
        first = ledger.plan(planned_thread(text="as first worded"), T0)
        again = ledger.plan(planned_thread(5, text="worded anew"), T0 + MINUTE)
        assert again == first
        with pytest.raises(LedgerError, match="words_stay"):
            ledger._change("UPDATE posts SET text = 'x' WHERE thread = :n", n=first.number)
        assert ledger.refresh(first.number) == first


def test_a_plan_that_breaks_off_leaves_nothing(path: Path) -> None:
    plan = planned_thread()
    twice = replace(plan, posts=(*plan.posts, plan.posts[0]))
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match="UNIQUE"):
            ledger.plan(twice, T0)
        assert ledger.thread("twitter", plan.digest) is None
        assert ledger.plan(plan, T0).posts


def test_an_account_keeps_its_network(path: Path) -> None:
    other = replace(planned_thread(digest="hot-papers-2021-06-23"), network=Network.MASTODON)
    with opened_ledger(path) as (ledger, _):
        with pytest.raises(LedgerError, match=r"is on twitter .* and on mastodon"):
            ledger.plan(other, T0)
        assert ledger.thread("twitter", other.digest) is None


def test_the_latest_generation_is_the_thread(path: Path) -> None:
    with Ledger.open(path) as ledger:
        old, new = (ledger.plan(planned_thread(generation=number), T0) for number in (0, 1))
        assert ledger.thread("twitter", old.digest) == new
        assert ledger.thread("twitter", old.digest, 0) == old
        assert ledger.thread("twitter", old.digest, 2) is None
        assert ledger.thread("mastodon", old.digest) is None
        with pytest.raises(LedgerError, match="no thread number 99"):
            ledger.refresh(99)


def test_threads_come_newest_first_and_filtered(path: Path) -> None:
    with Ledger.open(path) as ledger:
        a = ledger.plan(planned_thread(1, digest="a"), T0)
        b = ledger.plan(planned_thread(2, digest="b"), T0)
        c = ledger.plan(planned_thread(1, account="mastodon", digest="b"), T0)
        assert ledger.threads() == (c, b, a)
        assert ledger.threads(most=2) == (c, b)
        assert ledger.threads("twitter") == (b, a)
        assert ledger.threads(digest="b") == (c, b)
        assert ledger.threads("twitter", "b") == (b,)
        ledger.retracted(a.number, 0, T0)
        ledger.adopt(b.number, 0, "1", "", T0)
        b = ledger.refresh(b.number)
        assert ledger.threads(unfinished=True) == (c, b)
        assert ledger.threads("twitter", unfinished=True, most=1) == (b,)
        ledger.adopt(b.number, 1, "2", "", T0)
        assert ledger.threads("twitter", unfinished=True) == ()


def test_the_first_look_and_the_last_check_are_kept(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        ledger.looked(thread.number, T0)
        assert ledger.looked(thread.number, T0 + MINUTE).looked_at == T0
        ledger.checked(thread.number, T0)
        assert ledger.checked(thread.number, T0 + MINUTE).checked_at == T0 + MINUTE
        ledger.hold(thread.number, 0, "gone", T0)
        # what a person lets out again has to be checked again
        ledger.settle(thread.number, 0, None, "", T0)
        assert ledger.refresh(thread.number).checked_at is None


def test_attempts_are_only_added(path: Path) -> None:
    tried = Attempt(T0, "send", 1, "unknown", "read timed out \ud800")
    looked = Attempt(T0 + MINUTE, "read", None, "answered")
    with opened_ledger(path) as (ledger, thread):
        assert ledger.attempts(thread.number) == ()
        ledger.attempt(thread.number, tried)
        ledger.attempt(thread.number, looked)
        kept = (replace(tried, detail="read timed out ?"), looked)
        assert ledger.attempts(thread.number) == kept
        for change in ("UPDATE attempts SET outcome = 'sent'", "DELETE FROM attempts"):
            with pytest.raises(LedgerError, match="attempts_"):
                ledger._change(change)
        assert ledger.attempts(thread.number) == kept
        with pytest.raises(LedgerError, match="FOREIGN KEY"):
            ledger.attempt(99, looked)


def test_changes_together_are_kept_together_or_not_at_all(path: Path) -> None:
    attempt = Attempt(T0, "send", 0, "sent")
    with opened_ledger(path) as (ledger, thread):
        number = thread.number

        def record() -> None:
            with ledger.together():
                ledger.attempt(number, attempt)
                ledger.sent(number, 0, "1", "", T0)
                if not ledger.get_fact("twitter", "calm"):
                    raise KeyboardInterrupt

        ledger.begin(number, 0, T0)
        with pytest.raises(KeyboardInterrupt):
            record()
        assert post_at(ledger.refresh(number)).state is State.SENDING
        assert ledger.attempts(number) == ()
        ledger.set_fact("twitter", "calm", "yes")
        record()
        assert post_at(ledger.refresh(number)).state is State.SENT
        assert ledger.attempts(number) == (attempt,)


def test_begin_is_never_part_of_a_longer_transaction(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        with pytest.raises(RuntimeError, match=r"within together\(\)"), ledger.together():
            ledger.begin(thread.number, 0, T0)
        assert ledger.refresh(thread.number) == thread


@pytest.mark.parametrize(
    "change", ["UPDATE posts SET state = 'gone'", "UPDATE posts SET media = '[{}]'"]
)
def test_a_row_that_somebody_edited_is_named(path: Path, change: str) -> None:
    with opened_ledger(path) as (ledger, thread):
        number = thread.number
    edited = sqlite3.connect(path)
    edited.execute("DROP TRIGGER words_stay")
    edited.execute(change)
    edited.commit()
    edited.close()
    with Ledger.open(path) as ledger, pytest.raises(LedgerError, match=f"thread {number} in"):
        ledger.refresh(number)


def test_a_time_without_a_zone_is_a_mistake_of_ours(path: Path) -> None:
    naive = T0.replace(tzinfo=None)
    with opened_ledger(path) as (ledger, thread), pytest.raises(ValueError, match="no time zone"):
        ledger.looked(thread.number, naive)


@given(st.lists(st.datetimes(timezones=st.timezones()), min_size=2, max_size=2))
def test_times_read_back_and_sort_as_text(times: list[datetime]) -> None:
    try:
        earlier, later = sorted(each.astimezone(timezone.utc) for each in times)  # noqa: UP017 - as a strategy gives it
    except OverflowError:
        return
    assert moment(stamp(earlier)) == earlier
    assert (stamp(earlier) < stamp(later)) == (earlier < later)
    assert stamp(T0.astimezone(timezone(timedelta(hours=9)))) == stamp(T0)
