"""What the worker does for an account: every state by enumeration, then the laws, then examples."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.reading import SourceOutcome, SourceResult
from bot.ledger.rows import StoredThread
from bot.model import Digest, State
from bot.settings.options import CatchUp
from bot.worker.tick import (
    CATCH_UP_A_DAY,
    DAY,
    AccountHistory,
    BeginDigest,
    GiveToPerson,
    IdleReason,
    PassRules,
    ResumeThread,
    decide,
)
from tests.helpers.fake_world import digest
from tests.helpers.stored_threads import post, thread

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
AGE = timedelta(days=3)
LATEST, ALL = PassRules(AGE), PassRules(AGE, CatchUp.ALL)
OUT = {State.SENT, State.RETRACTED}


def of_day(days_ago: int, **fields: object) -> Digest:
    """A digest that came out so many days ago, at noon, and is of the day before."""
    published = NOW - timedelta(days=days_ago)
    made = digest(day=(published - DAY).date(), published=published)
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


def had_of(day: date) -> tuple[date, datetime]:
    """The newest digest that was had: as `of_day` makes that of this day."""
    return day, datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + DAY


def found(source: Digest) -> SourceResult:
    return SourceResult(SourceOutcome.FOUND, "posts/x.md", digest=source)


def stored(*states: State, days_ago: float = 0.5, **fields: object) -> StoredThread:
    posts = [post(state, position=n) for n, state in enumerate(states)]
    when = NOW - timedelta(days=days_ago)
    made = replace(thread(*posts), published=when, planned_at=when)
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


# Threads that are there already -------------------------------------------------------------------


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("days_ago", [0.5, 2.99, 3.01, 40])
@pytest.mark.parametrize("states", [*product(State, repeat=2)])
def test_every_thread_is_gone_on_with_left_given_up_or_at_its_end(
    *, states: tuple[State, ...], days_ago: float, checks: bool, checked: bool
) -> None:
    one = stored(*states, days_ago=days_ago, checked_at=NOW if checked else None)
    todo = decide(AccountHistory(threads=(one,)), (), NOW, replace(LATEST, checks=checks))
    young, over = days_ago <= 3, set(states) <= OUT
    if State.HELD in states:
        assert (todo.steps, todo.given_up) == ((), ())  # a person decides
    elif over:
        wanted = checks and not checked and young and State.SENT in states
        assert todo.steps == ((ResumeThread(one),) if wanted else ())
        assert todo.given_up == ()
    elif young:
        assert todo.steps == (ResumeThread(one),)
    elif set(states) <= {State.PLANNED, State.RETRACTED}:
        assert (todo.steps, todo.given_up) == ((), (one,))  # nothing of it is out
    else:
        [step] = todo.steps
        assert isinstance(step, GiveToPerson)
        assert step.thread == one
        assert "BOT_MAX_AGE" in step.reason
    assert todo.idle is IdleReason.NOTHING_NEW


def test_an_old_digest_that_a_person_posted_is_as_old_as_the_wish() -> None:
    one = stored(State.SENT, State.PLANNED, days_ago=300, planned_at=NOW - HOUR)
    assert decide(AccountHistory(threads=(one,)), (), NOW, LATEST).steps == (ResumeThread(one),)


def test_a_thread_that_waits_is_gone_on_with_at_its_time_and_not_before() -> None:
    one = stored(State.SENT, State.PLANNED)
    for seconds, steps in ((-1, (ResumeThread(one),)), (0, (ResumeThread(one),)), (1, ())):
        until = NOW + timedelta(seconds=seconds)
        todo = decide(AccountHistory(threads=(one,), waits={one.digest: until}), (), NOW, LATEST)
        assert todo.steps == steps
        assert todo.wake == (None if steps else until)


def test_a_thread_that_waits_longer_than_it_may_is_left_to_a_person() -> None:
    one = stored(State.SENT, State.PLANNED, days_ago=4)
    todo = decide(AccountHistory(threads=(one,), waits={one.digest: NOW + DAY}), (), NOW, LATEST)
    assert [type(step) for step in todo.steps] == [GiveToPerson]


def test_older_threads_come_first_and_a_new_digest_last() -> None:
    old = stored(State.SENT, State.PLANNED, days_ago=2, number=7, digest="old")
    young = stored(State.PLANNED, days_ago=1, number=3, digest="young")
    new = of_day(0)
    todo = decide(AccountHistory(threads=(young, old)), [found(new)], NOW, LATEST)
    assert todo.steps == (ResumeThread(old), ResumeThread(young), BeginDigest(new))
    assert todo.idle is None


def test_a_thread_of_which_nothing_is_out_is_not_overtaken_while_it_waits() -> None:
    until, new = NOW + HOUR, found(of_day(0))
    untouched = stored(State.PLANNED, State.PLANNED, days_ago=1, number=3, digest="a")
    half = stored(State.SENT, State.PLANNED, days_ago=1, number=3, digest="a")
    behind = stored(State.PLANNED, number=4, digest="b")
    waits = {"a": until}
    todo = decide(AccountHistory(threads=(behind, untouched), waits=waits), [new], NOW, LATEST)
    assert (todo.steps, todo.idle, todo.wake) == ((), IdleReason.WAITS, until)
    todo = decide(AccountHistory(threads=(behind, half), waits=waits), [new], NOW, LATEST)
    assert todo.steps == (ResumeThread(behind), BeginDigest(of_day(0)))


def test_a_thread_in_bot_skip_is_not_gone_on_with() -> None:
    one = stored(State.SENT, State.PLANNED)
    rules = replace(LATEST, skip=frozenset({one.digest}))
    assert decide(AccountHistory(threads=(one,)), (), NOW, rules).steps == ()


# A new digest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", SourceOutcome)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("skipped", [True, False])
@pytest.mark.parametrize("days_ago", [0, 2, 4])
@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize("rules", [LATEST, ALL], ids=["latest", "all"])
def test_a_digest_is_begun_if_it_is_good_new_young_and_none_after_it_was(  # noqa: PLR0913 - the table's columns
    *,
    outcome: SourceOutcome,
    known: bool,
    skipped: bool,
    days_ago: int,
    behind: bool,
    rules: PassRules,
) -> None:
    source = of_day(days_ago)
    readable = outcome in {
        SourceOutcome.FOUND,
        SourceOutcome.EMPTY,
        SourceOutcome.DRAFT,
        SourceOutcome.STALE,
    }
    reading = SourceResult(outcome, "x", digest=source if readable else None)
    had = AccountHistory(
        known=frozenset({source.slug} if known else ()),
        last=had_of(source.day + (DAY if behind else -DAY)),
    )
    rules = replace(rules, skip=frozenset({source.slug} if skipped else ()))
    todo = decide(had, [reading], NOW, rules)
    young = days_ago <= 3 or rules.catch_up is CatchUp.ALL
    good = outcome is SourceOutcome.FOUND and young and not (known or skipped or behind)
    assert todo.steps == ((BeginDigest(source),) if good else ())
    assert (todo.idle is None) == good


@pytest.mark.parametrize(
    ("reading", "idle"),
    [
        (SourceResult(SourceOutcome.UNREACHABLE, "x"), IdleReason.CANNOT_TELL),
        (SourceResult(SourceOutcome.MALFORMED, "x"), IdleReason.CANNOT_TELL),
        (SourceResult(SourceOutcome.NONE, "x"), IdleReason.NO_DIGEST),
        (SourceResult(SourceOutcome.UNCHANGED, "x"), IdleReason.NOTHING_NEW),
        (found(replace(of_day(0), draft=True)), IdleReason.DRAFT),
        (found(replace(of_day(0), papers=())), IdleReason.EMPTY),
        (found(of_day(9)), IdleReason.STALE),
    ],
    ids=lambda value: str(getattr(value, "outcome", value)),
)
def test_nothing_new_and_cannot_tell_are_different_words(
    reading: SourceResult, idle: IdleReason
) -> None:
    assert decide(AccountHistory(), [reading], NOW, LATEST).idle is idle


def test_a_first_start_on_an_archive_begins_one_at_most() -> None:
    archive = [found(of_day(n)) for n in range(294, -1, -1)]
    for rules in (LATEST, ALL):
        todo = decide(AccountHistory(), archive, NOW, rules)
        assert todo.steps == (BeginDigest(of_day(0)),)


def test_a_week_without_us_begins_the_latest_alone() -> None:
    had = AccountHistory(last=had_of(of_day(7).day))
    week = [found(of_day(n)) for n in range(6, -1, -1)]
    assert decide(had, week, NOW, LATEST).steps == (BeginDigest(of_day(0)),)


def test_catching_up_begins_the_oldest_first_and_a_few_a_day() -> None:
    week = [found(of_day(n)) for n in range(6, -1, -1)]
    todo = decide(AccountHistory(last=had_of(of_day(7).day)), week, NOW, ALL)
    assert todo.steps == tuple(BeginDigest(of_day(n)) for n in (6, 5, 4))
    assert todo.wake == NOW + DAY

    lately = tuple(NOW - n * HOUR for n in (23, 5, 5))
    had = AccountHistory(last=had_of(of_day(4).day), begun=lately)
    todo = decide(had, week[3:], NOW, ALL)
    assert (todo.steps, todo.idle) == ((), IdleReason.ENOUGH)
    assert todo.wake == NOW + HOUR

    todo = decide(had, week[3:], NOW + HOUR, ALL)
    assert todo.steps == (BeginDigest(of_day(3)),)
    assert todo.wake == NOW - 5 * HOUR + DAY


def test_catching_up_waits_for_a_digest_that_cannot_be_read_now() -> None:
    hidden = SourceResult(SourceOutcome.UNREACHABLE, "posts/y.md")
    week = [found(of_day(2)), hidden, found(of_day(0))]
    had = AccountHistory(last=had_of(of_day(3).day))
    todo = decide(had, week, NOW, ALL)
    assert (todo.steps, todo.cut) == ((BeginDigest(of_day(2)),), hidden)
    todo = decide(had, week[1:], NOW, ALL)
    assert (todo.steps, todo.idle, todo.cut) == ((), IdleReason.CANNOT_TELL, hidden)
    todo = decide(had, week[1:], NOW, LATEST)
    assert (todo.steps, todo.cut) == ((BeginDigest(of_day(0)),), None)


def test_two_digests_of_one_day_both_go_out_where_all_do() -> None:
    morning, evening = of_day(0, slug="morning"), of_day(0, slug="evening")
    offer = [found(morning), found(evening)]
    assert decide(AccountHistory(last=had_of(of_day(1).day)), offer, NOW, ALL).steps == (
        BeginDigest(morning),
        BeginDigest(evening),
    )
    had = AccountHistory(last=had_of(morning.day), known=frozenset({"morning"}))
    assert decide(had, [found(evening)], NOW, LATEST).steps == (BeginDigest(evening),)


def test_an_older_one_of_the_same_day_stays_behind() -> None:
    morning = of_day(1, slug="morning")
    had = AccountHistory(last=(morning.day, morning.published + HOUR))
    empty = found(of_day(0, papers=()))
    for rules in (LATEST, ALL):
        assert decide(had, [found(morning), empty], NOW, rules).steps == ()


def test_a_digest_that_waits_keeps_its_place() -> None:
    week = [found(of_day(n)) for n in (2, 1, 0)]
    until = NOW + HOUR
    had = AccountHistory(last=had_of(of_day(3).day), waits={of_day(2).slug: until})
    todo = decide(had, week, NOW, ALL)
    assert (todo.steps, todo.idle, todo.wake) == ((), IdleReason.WAITS, until)
    # ... but the latest never waits for an older one where only the latest goes out
    assert decide(had, week, NOW, LATEST).steps == (BeginDigest(of_day(0)),)


days = st.integers(0, 12)


@given(
    st.lists(days, max_size=8, unique=True),
    st.none() | days,
    st.sets(days),
    st.lists(st.integers(0, 30), max_size=4),
    st.sampled_from([LATEST, ALL]),
)
def test_digests_are_begun_in_order_never_twice_and_few_at_a_time(
    offered: list[int],
    last: int | None,
    known: set[int],
    begun: list[int],
    rules: PassRules,
) -> None:
    had = AccountHistory(
        known=frozenset(of_day(n).slug for n in known),
        last=None if last is None else had_of(of_day(last).day),
        begun=tuple(NOW - hours * HOUR for hours in begun if hours < 24),
    )
    offer = [found(of_day(n)) for n in sorted(offered, reverse=True)]
    todo = decide(had, offer, NOW, rules)
    started = [step.digest for step in todo.steps if isinstance(step, BeginDigest)]
    assert [each.day for each in started] == sorted({each.day for each in started})
    assert not {each.slug for each in started} & had.known
    assert all(had.last is None or (each.day, each.published) >= had.last for each in started)
    if rules is LATEST or last is None:
        assert len(started) <= 1
        assert all(NOW - each.published <= AGE for each in started)
    else:
        assert len(started) + len(had.begun) <= max(CATCH_UP_A_DAY, len(had.begun))
    assert (todo.idle is None) == bool(started)
    if todo.wake:
        assert todo.wake > NOW
