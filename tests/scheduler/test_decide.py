"""What the worker does for an account: every state by enumeration, then the laws, then examples."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.result import SourceOutcome, SourceResult
from bot.ledger.rows import StoredThread
from bot.model import Digest, State
from bot.scheduler.decide import (
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
from bot.settings.options import CatchUp
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
    plan = decide(AccountHistory(threads=(one,)), (), NOW, replace(LATEST, checks=checks))
    young, over = days_ago <= 3, set(states) <= OUT
    if State.HELD in states:
        assert (plan.steps, plan.given_up) == ((), ())  # a person decides
    elif over:
        wanted = checks and not checked and young and State.SENT in states
        assert plan.steps == ((ResumeThread(one),) if wanted else ())
        assert plan.given_up == ()
    elif young:
        assert plan.steps == (ResumeThread(one),)
    elif set(states) <= {State.PLANNED, State.RETRACTED}:
        assert (plan.steps, plan.given_up) == ((), (one,))  # nothing of it is out
    else:
        [step] = plan.steps
        assert isinstance(step, GiveToPerson)
        assert step.thread == one
        assert "BOT_MAX_AGE" in step.reason
    assert plan.idle is IdleReason.NOTHING_NEW


def test_an_old_digest_that_a_person_posted_is_as_old_as_the_wish() -> None:
    one = stored(State.SENT, State.PLANNED, days_ago=300, planned_at=NOW - HOUR)
    assert decide(AccountHistory(threads=(one,)), (), NOW, LATEST).steps == (ResumeThread(one),)


def test_a_thread_that_waits_is_gone_on_with_at_its_time_and_not_before() -> None:
    one = stored(State.SENT, State.PLANNED)
    for seconds, steps in ((-1, (ResumeThread(one),)), (0, (ResumeThread(one),)), (1, ())):
        until = NOW + timedelta(seconds=seconds)
        plan = decide(AccountHistory(threads=(one,), waits={one.digest: until}), (), NOW, LATEST)
        assert plan.steps == steps
        assert plan.wake == (None if steps else until)


def test_a_thread_that_waits_longer_than_it_may_is_left_to_a_person() -> None:
    one = stored(State.SENT, State.PLANNED, days_ago=4)
    plan = decide(AccountHistory(threads=(one,), waits={one.digest: NOW + DAY}), (), NOW, LATEST)
    assert [type(step) for step in plan.steps] == [GiveToPerson]


def test_older_threads_come_first_and_a_new_digest_last() -> None:
    old = stored(State.SENT, State.PLANNED, days_ago=2, number=7, digest="old")
    young = stored(State.PLANNED, days_ago=1, number=3, digest="young")
    new = of_day(0)
    plan = decide(AccountHistory(threads=(young, old)), [found(new)], NOW, LATEST)
    assert plan.steps == (ResumeThread(old), ResumeThread(young), BeginDigest(new))
    assert plan.idle is None


def test_a_thread_of_which_nothing_is_out_is_not_overtaken_while_it_waits() -> None:
    until, new = NOW + HOUR, found(of_day(0))
    untouched = stored(State.PLANNED, State.PLANNED, days_ago=1, number=3, digest="a")
    half = stored(State.SENT, State.PLANNED, days_ago=1, number=3, digest="a")
    behind = stored(State.PLANNED, number=4, digest="b")
    waits = {"a": until}
    plan = decide(AccountHistory(threads=(behind, untouched), waits=waits), [new], NOW, LATEST)
    assert (plan.steps, plan.idle, plan.wake) == ((), IdleReason.WAITS, until)
    plan = decide(AccountHistory(threads=(behind, half), waits=waits), [new], NOW, LATEST)
    assert plan.steps == (ResumeThread(behind), BeginDigest(of_day(0)))


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
    history = AccountHistory(
        known=frozenset({source.slug} if known else ()),
        last=had_of(source.day + (DAY if behind else -DAY)),
    )
    rules = replace(rules, skip=frozenset({source.slug} if skipped else ()))
    plan = decide(history, [reading], NOW, rules)
    young = days_ago <= 3 or rules.catch_up is CatchUp.ALL
    good = outcome is SourceOutcome.FOUND and young and not (known or skipped or behind)
    assert plan.steps == ((BeginDigest(source),) if good else ())
    assert (plan.idle is None) == good


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
        plan = decide(AccountHistory(), archive, NOW, rules)
        assert plan.steps == (BeginDigest(of_day(0)),)


def test_a_week_without_us_begins_the_latest_alone() -> None:
    history = AccountHistory(last=had_of(of_day(7).day))
    week = [found(of_day(n)) for n in range(6, -1, -1)]
    assert decide(history, week, NOW, LATEST).steps == (BeginDigest(of_day(0)),)


def test_catching_up_begins_the_oldest_first_and_a_few_a_day() -> None:
    week = [found(of_day(n)) for n in range(6, -1, -1)]
    plan = decide(AccountHistory(last=had_of(of_day(7).day)), week, NOW, ALL)
    assert plan.steps == tuple(BeginDigest(of_day(n)) for n in (6, 5, 4))
    assert plan.wake == NOW + DAY

    lately = tuple(NOW - n * HOUR for n in (23, 5, 5))
    history = AccountHistory(last=had_of(of_day(4).day), begun=lately)
    plan = decide(history, week[3:], NOW, ALL)
    assert (plan.steps, plan.idle) == ((), IdleReason.ENOUGH)
    assert plan.wake == NOW + HOUR

    plan = decide(history, week[3:], NOW + HOUR, ALL)
    assert plan.steps == (BeginDigest(of_day(3)),)
    assert plan.wake == NOW - 5 * HOUR + DAY


def test_catching_up_waits_for_a_digest_that_cannot_be_read_now() -> None:
    hidden = SourceResult(SourceOutcome.UNREACHABLE, "posts/y.md")
    week = [found(of_day(2)), hidden, found(of_day(0))]
    history = AccountHistory(last=had_of(of_day(3).day))
    plan = decide(history, week, NOW, ALL)
    assert (plan.steps, plan.cut) == ((BeginDigest(of_day(2)),), hidden)
    plan = decide(history, week[1:], NOW, ALL)
    assert (plan.steps, plan.idle, plan.cut) == ((), IdleReason.CANNOT_TELL, hidden)
    plan = decide(history, week[1:], NOW, LATEST)
    assert (plan.steps, plan.cut) == ((BeginDigest(of_day(0)),), None)


def test_two_digests_of_one_day_both_go_out_where_all_do() -> None:
    morning, evening = of_day(0, slug="morning"), of_day(0, slug="evening")
    candidates = [found(morning), found(evening)]
    assert decide(AccountHistory(last=had_of(of_day(1).day)), candidates, NOW, ALL).steps == (
        BeginDigest(morning),
        BeginDigest(evening),
    )
    history = AccountHistory(last=had_of(morning.day), known=frozenset({"morning"}))
    assert decide(history, [found(evening)], NOW, LATEST).steps == (BeginDigest(evening),)


def test_an_older_one_of_the_same_day_stays_behind() -> None:
    morning = of_day(1, slug="morning")
    history = AccountHistory(last=(morning.day, morning.published + HOUR))
    empty = found(of_day(0, papers=()))
    for rules in (LATEST, ALL):
        assert decide(history, [found(morning), empty], NOW, rules).steps == ()


def test_a_digest_that_waits_keeps_its_place() -> None:
    week = [found(of_day(n)) for n in (2, 1, 0)]
    until = NOW + HOUR
    history = AccountHistory(last=had_of(of_day(3).day), waits={of_day(2).slug: until})
    plan = decide(history, week, NOW, ALL)
    assert (plan.steps, plan.idle, plan.wake) == ((), IdleReason.WAITS, until)
    # ... but the latest never waits for an older one where only the latest goes out
    assert decide(history, week, NOW, LATEST).steps == (BeginDigest(of_day(0)),)


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
    history = AccountHistory(
        known=frozenset(of_day(n).slug for n in known),
        last=None if last is None else had_of(of_day(last).day),
        begun=tuple(NOW - hours * HOUR for hours in begun if hours < 24),
    )
    candidates = [found(of_day(n)) for n in sorted(offered, reverse=True)]
    plan = decide(history, candidates, NOW, rules)
    started = [step.digest for step in plan.steps if isinstance(step, BeginDigest)]
    assert [each.day for each in started] == sorted({each.day for each in started})
    assert not {each.slug for each in started} & history.known
    assert all(
        history.last is None or (each.day, each.published) >= history.last for each in started
    )
    if rules is LATEST or last is None:
        assert len(started) <= 1
        assert all(NOW - each.published <= AGE for each in started)
    else:
        assert len(started) + len(history.begun) <= max(CATCH_UP_A_DAY, len(history.begun))
    assert (plan.idle is None) == bool(started)
    if plan.wake:
        assert plan.wake > NOW
