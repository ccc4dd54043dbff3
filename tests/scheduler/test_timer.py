"""The alarm clock: the real scheduler and its thread, by a clock that can be set."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from types import FrameType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.scheduler.start import spread
from bot.scheduler.timer import LONGEST_SLEEP, LONGEST_STEP, Due, Timer, _Zone
from bot.settings.schedule import Schedule

NOON = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PATIENCE = 60.0
HALF_HOURLY = Schedule("*/30 * * * *", "UTC")
BOTH = frozenset({"one", "two"})


class HandClock:
    """A clock that is set by hand, and a timer by it; `look` has the scheduler look at it once."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.rung: list[tuple[str, ...]] = []
        self.timer = Timer(lambda *names: self.rung.append(names), lambda: self.now)

    def look(self, now: datetime | None = None) -> list[tuple[str, ...]]:
        """What rings when the clock is at `now`."""
        self.rung.clear()
        self.now = now or self.now
        looked = threading.Event()
        self.timer.tick(LONGEST_SLEEP, looked.set)
        assert looked.wait(PATIENCE)
        return list(self.rung)


@pytest.fixture
def hand() -> Iterator[HandClock]:
    hand = HandClock()
    hand.timer.start()
    yield hand
    hand.timer.stop()


class ConstantSchedule:
    """A schedule that rings all the time."""

    def after(self, moment: datetime) -> datetime:
        return moment + timedelta(microseconds=1)


def wall() -> datetime:
    return datetime.now(UTC)


# Due ---------------------------------------------------------------------------------------------


def test_nobody_rang() -> None:
    assert Due().wait(0) == frozenset()
    assert Due().wait(0.001) == frozenset()


@given(st.lists(st.frozensets(st.text(max_size=2))))
def test_what_rings_while_a_pass_is_at_work_is_kept_and_rung_once(
    rings: list[frozenset[str]],
) -> None:
    due = Due()
    for names in rings:
        due.ring(*names)
    assert due.wait(0) == frozenset().union(*rings)
    assert due.wait(0) == frozenset()


def test_one_thread_waits_and_another_rings() -> None:
    due = Due()
    threading.Thread(target=due.ring, args=("one", "two")).start()
    assert due.wait(PATIENCE) == BOTH


def test_everybody_is_a_name_too() -> None:
    due = Due()
    due.ring("")
    assert due.wait(0) == {""}


def test_a_signal_wakes_the_main_thread() -> None:
    due = Due()

    def handler(_number: int, _frame: FrameType | None) -> None:
        due.ring()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1)).start()
        assert due.wait(PATIENCE) == frozenset()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_zone_of_the_scheduler_tells_the_time_and_moves_no_moment() -> None:
    zone = _Zone(lambda: NOON)
    now = datetime.now(zone)
    assert now == NOON
    assert (now.utcoffset(), now.dst(), now.tzname()) == (timedelta(0), None, "UTC")
    assert zone.mark(NOON + HOUR).astimezone(zone) == NOON + HOUR


# The real thread and the real clock --------------------------------------------------------------


def test_the_scheduler_rings_again_and_again_and_stops() -> None:
    due = Due()
    timer = Timer(due.ring, wall)
    timer.every(ConstantSchedule(), BOTH)
    timer.start()
    for _ in range(3):
        assert due.wait(PATIENCE) == BOTH
    timer.stop()  # in the middle of ringing
    due.wait(0)
    assert not [each for each in threading.enumerate() if each.name == "APScheduler"]
    assert due.wait(0) == frozenset()


def test_the_scheduler_sleeps_until_a_moment_and_rings() -> None:
    due = Due()
    timer = Timer(due.ring, wall)
    timer.start()
    timer.at(wall() + timedelta(milliseconds=20), "one")
    assert due.wait(PATIENCE) == {"one"}
    timer.stop()


def test_stopping_is_possible_at_any_time() -> None:
    timer = Timer(Due().ring, wall)
    timer.stop()
    timer.start()
    timer.at(wall() + HOUR, "one")
    timer.stop()
    timer.stop()
    assert timer.next_run() is None


def test_nothing_is_logged(hand: HandClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        hand.timer.every(HALF_HOURLY, BOTH)
        assert hand.look(NOON + HOUR)
        hand.timer.stop()
    assert not caplog.records


# Schedules ---------------------------------------------------------------------------------------


def test_a_schedule_rings_when_it_is_time(hand: HandClock) -> None:
    hand.timer.every(HALF_HOURLY, BOTH)
    assert hand.timer.next_run() == NOON + 20 * MINUTE
    assert hand.look(NOON + 19 * MINUTE) == []
    assert hand.look(NOON + 20 * MINUTE) == [("one", "two")]
    assert hand.look() == []
    assert hand.timer.next_run() == NOON + 50 * MINUTE
    assert hand.look(NOON + 51 * MINUTE) == [("one", "two")]


def test_what_is_due_together_rings_in_one(hand: HandClock) -> None:
    hand.timer.every(HALF_HOURLY, BOTH)
    hand.timer.every(Schedule("0 * * * *", "Asia/Kolkata"), frozenset({"three"}))
    hand.timer.at(NOON + 20 * MINUTE, "four")
    hand.timer.at(NOON + 15 * MINUTE, "one")
    assert hand.look(NOON + 20 * MINUTE) == [("four", "one", "three", "two")]


class CountingSchedule:
    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.asked = 0

    def after(self, moment: datetime) -> datetime:
        self.asked += 1
        return self.schedule.after(moment)


def test_ten_years_that_were_slept_through_ring_once(hand: HandClock) -> None:
    schedule = CountingSchedule(HALF_HOURLY)
    hand.timer.every(schedule, BOTH)
    late = NOON + timedelta(days=3653)
    assert hand.look(late) == [("one", "two")]
    assert hand.look() == []
    assert hand.timer.next_run() == late + 20 * MINUTE
    assert schedule.asked <= 5


def test_what_became_due_before_the_start_rings_at_the_start() -> None:
    hand = HandClock()
    assert hand.timer.next_run() is None
    hand.timer.every(HALF_HOURLY, BOTH)
    hand.timer.at(NOON + 40 * MINUTE, "three")
    hand.timer.at(NOON + 30 * MINUTE, "three")
    hand.timer.at(NOON + 35 * MINUTE, "three")
    assert hand.timer.next_run() == NOON + 20 * MINUTE
    rung = threading.Event()
    hand.timer.tick(LONGEST_SLEEP, rung.set)
    hand.now = NOON + 30 * MINUTE
    hand.timer.start()
    assert rung.wait(PATIENCE)
    assert hand.rung == [("one", "three", "two")]
    hand.timer.stop()


# Moments -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.booleans())
def test_of_several_moments_the_earliest_rings(minutes: list[int], started: bool) -> None:  # noqa: FBT001 - drawn
    hand = HandClock()
    if started:
        hand.timer.start()
    for minute in minutes:
        hand.timer.at(NOON + minute * MINUTE, "one")
    assert hand.timer.next_run() == NOON + min(minutes) * MINUTE
    if not started:
        hand.timer.start()
    assert hand.look(NOON + min(minutes) * MINUTE - MINUTE / 2) == []
    assert hand.look(NOON + min(minutes) * MINUTE) == [("one",)]
    assert hand.look(NOON + 2 * HOUR) == []
    assert hand.timer.next_run() is None
    hand.timer.stop()


def test_each_name_has_a_moment_of_its_own_and_may_ask_again(hand: HandClock) -> None:
    hand.timer.at(NOON + MINUTE, "")
    hand.timer.at(NOON + 2 * MINUTE, "one")
    assert hand.look(NOON + MINUTE) == [("",)]
    assert hand.look(NOON + 2 * MINUTE) == [("one",)]
    hand.timer.at(NOON + 3 * MINUTE, "one")
    assert hand.look(NOON + 3 * MINUTE) == [("one",)]


def test_a_moment_in_the_past_rings_at_once() -> None:
    rung: SimpleQueue[tuple[str, ...]] = SimpleQueue()
    timer = Timer(lambda *names: rung.put(names), lambda: NOON)
    timer.start()
    timer.at(NOON - HOUR, "one")
    assert rung.get(timeout=PATIENCE) == ("one",)
    timer.stop()


# A clock that is set -----------------------------------------------------------------------------


def test_a_clock_set_back_by_hours_keeps_ringing(hand: HandClock) -> None:
    hand.timer.every(HALF_HOURLY, BOTH)
    hand.timer.every(Schedule("0 10 * * *", "UTC"), frozenset({"daily"}))
    assert hand.look(NOON - 3 * HOUR) == []
    assert hand.timer.next_run() == NOON - 3 * HOUR + 20 * MINUTE
    assert hand.look(NOON - 3 * HOUR + 20 * MINUTE) == [("one", "two")]
    assert hand.look() == []
    assert hand.look(NOON - 2 * HOUR - 10 * MINUTE) == [("daily", "one", "two")]


def test_what_was_asked_for_once_rings_when_the_clock_is_set_back(hand: HandClock) -> None:
    hand.timer.at(NOON + HOUR, "one")
    assert hand.look(NOON - 3 * HOUR) == [("one",)]
    assert hand.look(NOON + 2 * HOUR) == []


def test_a_small_step_back_rings_nothing_twice(hand: HandClock) -> None:
    hand.timer.every(HALF_HOURLY, BOTH)
    hand.timer.at(NOON + HOUR, "one")
    half_past = NOON + 20 * MINUTE
    assert hand.look(half_past) == [("one", "two")]
    assert hand.look(half_past - LONGEST_STEP) == []
    assert hand.look(half_past) == []
    assert hand.timer.next_run() == half_past + 30 * MINUTE


def test_small_steps_back_add_up(hand: HandClock) -> None:
    hand.timer.every(HALF_HOURLY, BOTH)
    hand.look(NOON)
    for minutes in (10, 20, 30):
        hand.look(NOON - minutes * MINUTE)
    assert hand.timer.next_run() == NOON - 10 * MINUTE


def test_a_clock_set_forward_and_back_rings_once_each_way(hand: HandClock) -> None:
    hand.timer.every(HALF_HOURLY, BOTH)
    assert hand.look(NOON + timedelta(days=3653)) == [("one", "two")]
    assert hand.look(NOON) == []
    assert hand.timer.next_run() == NOON + 20 * MINUTE
    assert hand.look(NOON + 20 * MINUTE) == [("one", "two")]


@given(st.lists(st.integers(-600, 600), max_size=20))
def test_however_the_clock_is_set_it_rings_soon_and_never_for_what_is_to_come(
    steps: list[int],
) -> None:
    hand = HandClock()
    hand.timer.every(HALF_HOURLY, BOTH)
    hand.timer.start()
    try:
        for minutes in steps:
            awaited = hand.timer.next_run()
            rung = hand.look(hand.now + minutes * MINUTE)
            following = hand.timer.next_run()
            assert awaited is not None
            assert following is not None
            assert bool(rung) == (awaited <= hand.now)
            assert hand.now < following <= hand.now + 30 * MINUTE + LONGEST_STEP
    finally:
        hand.timer.stop()


# A sign of life ----------------------------------------------------------------------------------


def sleep_of(timer: Timer) -> float:
    """How long the scheduler would sleep now."""
    look = cast("Callable[[], float]", timer._scheduler._process_jobs)  # type: ignore[attr-defined]
    return look()


def test_it_never_sleeps_longer_than_a_minute_or_than_its_sign_of_life_allows(
    hand: HandClock,
) -> None:
    assert sleep_of(hand.timer) == LONGEST_SLEEP
    hand.timer.at(NOON + HOUR, "one")
    assert sleep_of(hand.timer) == LONGEST_SLEEP
    hand.timer.tick(5, lambda: None)
    assert sleep_of(hand.timer) == 5
    hand.timer.at(NOON + timedelta(seconds=2), "one")
    assert sleep_of(hand.timer) == 2


def test_signs_of_life_come_by_themselves() -> None:
    reporter: SimpleQueue[None] = SimpleQueue()
    timer = Timer(Due().ring, lambda: NOON)  # a clock that stands still
    timer.tick(0.005, lambda: reporter.put(None))
    timer.start()
    for _ in range(3):
        reporter.get(timeout=PATIENCE)
    timer.stop()


def test_a_pass_is_late_by_up_to_twenty_seconds_and_by_as_much_for_all_accounts() -> None:
    """So two workers that share nothing do not send in one moment, and one pass serves all."""
    late, others = spread("one worker"), spread("another")
    times = [NOON + number * MINUTE for number in range(50)]
    seconds = [late(time) for time in times]
    assert all(0 <= each <= 20 for each in seconds)
    assert len(set(seconds)) == 50
    assert seconds == [late(time) for time in times]
    assert all(abs(late(time) - others(time)) > 0 for time in times)
    timer = Timer(Due().ring, lambda: NOON, late)
    timer.every(HALF_HOURLY, BOTH)
    due = NOON.replace(minute=30)
    timer.start()
    assert timer.next_run() == due + timedelta(seconds=late(due))
    timer.stop()
