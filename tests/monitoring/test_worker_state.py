"""What is known of the worker: told from any thread, by two clocks, read as one value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.rows import StoredLimit
from bot.model import Network
from bot.monitoring.worker_state import AccountHealth, Moment, WorkerState
from tests.helpers.watched_worker import NOON, FakeClocks

MASTODON = AccountHealth("mastodon", Network.MASTODON, able=True)


def test_at_first_a_pass_is_due_and_nothing_else_is_known() -> None:
    clocks = FakeClocks()
    known = clocks.watch().snapshot()
    start = Moment(NOON, 1_000.0)
    assert (known.now, known.started, known.ticked, known.due) == (start,) * 4
    assert (known.at_work, known.last, known.last_good, known.source) == (None,) * 4
    assert (known.good, known.bad, known.accounts, known.counts) == (0, 0, (), ())


def test_a_moment_is_past_by_both_clocks_or_not_at_all() -> None:
    clocks = FakeClocks()
    due = Moment(clocks.wall(), clocks.monotonic())

    def now() -> Moment:
        return Moment(clocks.wall(), clocks.monotonic())

    clocks.advance(60)
    assert (now().since(due), now().past(due)) == (60, 60)
    clocks.set_wall(3_600)
    assert (now().since(due), now().past(due)) == (60, 60)
    clocks.set_wall(-7_200)
    assert (now().since(due), now().past(due)) == (60, 60 - 3_600)


def test_a_pass_is_at_work_from_its_begin_to_its_end() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    watch.begun(["mastodon", "twitter"])
    work = watch.snapshot().at_work
    assert work is not None
    assert (work.begun, work.accounts, work.due) == (
        Moment(NOON, 1_000.0),
        ("mastodon", "twitter"),
        1_000.0,
    )
    assert watch.snapshot().due is None
    clocks.advance(90)
    watch.ended(good=True)
    known = watch.snapshot()
    assert known.at_work is None
    assert known.last is not None
    assert known.last is known.last_good
    assert (known.last.seconds, known.last.good, known.last.reason) == (90, True, "")
    clocks.advance(10)
    watch.begun(())
    watch.ended(good=False, reason="held: post 3")
    known = watch.snapshot()
    assert known.last is not None
    assert (known.last.good, known.last.reason, known.last.seconds) == (False, "held: post 3", 0)
    assert known.last_good is not None
    assert known.last_good.ended.at == NOON + timedelta(seconds=90)
    assert (known.good, known.bad) == (1, 1)


def test_an_end_without_a_begin_is_kept_all_the_same() -> None:
    watch = FakeClocks().watch()
    watch.ended(good=False, reason="it broke off")
    known = watch.snapshot()
    assert known.last is not None
    assert (known.last.seconds, known.last.reason) == (0, "it broke off")


def test_of_all_promises_the_one_that_reaches_furthest_holds() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()

    def due() -> float:
        work = watch.snapshot().at_work
        assert work is not None
        return work.due - clocks.seconds

    watch.sign(5)  # nothing is at work: nothing is promised
    watch.begun(["mastodon"])
    assert due() == 0
    watch.sign(900)
    assert due() == 900
    clocks.advance(60)
    watch.sign()
    watch.sign(30)
    assert due() == 840
    clocks.advance(1_000)
    assert due() == -160
    watch.sign()
    assert due() == 0


def test_a_run_is_due_as_soon_as_a_pass_is_over_and_then_when_it_is_said() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    watch.begun(())
    clocks.advance(5)
    watch.ended(good=True)
    assert watch.snapshot().due == Moment(clocks.at, clocks.seconds)
    assert watch.snapshot().next_run is None
    half_past = NOON + timedelta(minutes=30)
    watch.next_run(half_past)
    known = watch.snapshot()
    assert (known.due, known.next_run) == (Moment(half_past, 1_000.0 + 30 * 60), half_past)
    watch.next_run(None)
    assert (watch.snapshot().due, watch.snapshot().next_run) == (None, None)
    watch.next_run(half_past)
    watch.begun(())
    assert (watch.snapshot().due, watch.snapshot().next_run) == (None, None)


def test_the_timer_ticks() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    clocks.advance(30)
    watch.ticked()
    clocks.advance(12)
    known = watch.snapshot()
    assert known.now.since(known.ticked) == 12


def test_a_source_is_well_or_not_since_a_time() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    told = []
    for state, ok in [("found", True), ("unchanged", True), ("unreachable", False)] * 2:
        watch.source(state, ok=ok, digest="d" if ok else "")
        source = watch.snapshot().source
        assert source is not None
        told.append((source.state, source.ok, source.digest, source.asked.since(source.since)))
        clocks.advance(60)
    assert (
        told
        == [
            ("found", True, "d", 0),
            ("unchanged", True, "d", 60),
            ("unreachable", False, "", 0),
        ]
        * 2
    )


def test_accounts_stand_in_the_order_they_came_each_as_it_was_told_last() -> None:
    watch = FakeClocks().watch()
    twitter = AccountHealth("twitter", Network.TWITTER, able=False, reason="401")
    for one in (MASTODON, twitter, replace(MASTODON, held=2, spent_usd=Decimal("0.2"))):
        watch.account(one)
    known = watch.snapshot().accounts
    assert [(one.name, one.held) for one in known] == [("mastodon", 2), ("twitter", 0)]


def test_events_are_counted_by_name_and_account() -> None:
    watch = FakeClocks().watch()
    for event, account in [("sent", "b"), ("sent", "a"), ("sent", "b"), ("pass", "")]:
        watch.count(event, account)
    assert watch.snapshot().counts == (("pass", "", 1), ("sent", "a", 1), ("sent", "b", 2))


def test_secrets_are_blotted_out_of_all_words() -> None:
    clocks = FakeClocks()
    watch = WorkerState(clocks.wall, clocks.monotonic, lambda text: text.replace("hunter2", "***"))
    watch.begun(())
    watch.ended(good=False, reason="refused hunter2")
    watch.source("hunter2", ok=False, digest="hunter2")
    limit = StoredLimit("mastodon", "post", NOON, "hunter2")
    watch.account(replace(MASTODON, reason="hunter2", fix="set hunter2", limits=(limit,)))
    assert "hunter2" not in repr(watch.snapshot())
    assert repr(watch.snapshot()).count("***") == 6


def test_a_snapshot_is_frozen_and_does_not_follow() -> None:
    watch = FakeClocks().watch()
    watch.count("sent")
    before = watch.snapshot()
    watch.count("sent")
    watch.begun(["a"])
    watch.account(MASTODON)
    assert (before.counts, before.at_work, before.accounts) == ((("sent", "", 1),), None, ())
    with pytest.raises(FrozenInstanceError):
        before.good = 7  # type: ignore[misc]


ACTS: dict[str, Callable[[WorkerState], None]] = {
    "begun": lambda watch: watch.begun(["mastodon"]),
    "sign": lambda watch: watch.sign(60),
    "good": lambda watch: watch.ended(good=True),
    "bad": lambda watch: watch.ended(good=False, reason="x"),
    "tick": lambda watch: watch.ticked(),
    "never": lambda watch: watch.next_run(None),
    "soon": lambda watch: watch.next_run(NOON + timedelta(hours=1)),
    "account": lambda watch: watch.account(MASTODON),
    "source": lambda watch: watch.source("found", ok=True),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 900), st.integers(-9, 9))))
def test_whatever_is_told_in_whatever_order_fits_together(
    acts: list[tuple[str, int, int]],
) -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    told = []
    for act, seconds, jump in acts:
        clocks.advance(seconds)
        clocks.set_wall(jump * 1_000)
        ACTS[act](watch)
        told.append(act)
        known = watch.snapshot()
        assert (known.good, known.bad) == (told.count("good"), told.count("bad"))
        assert (known.last is None) == (not {"good", "bad"} & {*told})
        assert known.now.since(known.ticked) >= 0
        passes = [each for each in told if each in {"begun", "good", "bad"}]
        assert (known.at_work is not None) == (passes[-1:] == ["begun"])


def test_every_thread_may_tell_and_nothing_is_lost() -> None:
    watch = FakeClocks().watch()
    watch.begun(())

    def tell(number: int) -> None:
        for _ in range(300):
            watch.count("sent", "a")
            watch.sign(number)
            watch.account(replace(MASTODON, name=f"account-{number}"))
            watch.snapshot()

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = watch.snapshot()
    assert known.counts == (("sent", "a", 1_200),)
    assert {one.name for one in known.accounts} == {f"account-{number}" for number in range(4)}
    assert known.at_work is not None
    assert known.at_work.due == 1_003
