"""Every state a thread can be in, and what is done next: by enumeration, then by example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.delivery.decide import (
    LONGEST_UNKNOWN,
    MOST_REFUSALS,
    READS_OF_ABSENCE,
    Action,
    CheckThread,
    FindPost,
    Finished,
    Hold,
    Policy,
    ReadTimeline,
    Send,
    Stopped,
    Wait,
    decide,
    is_absent,
    next_read,
)
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State
from tests.helpers.stored_threads import NOW, post, thread

POLICY = Policy(settle=120.0, retry_wait=2.0)
SETTLE = POLICY.settle
OUT = (State.SENT, State.RETRACTED)
IN_DOUBT = (State.SENDING, State.UNKNOWN)
YOUNG = LONGEST_UNKNOWN - timedelta(seconds=1)
BOTH = (False, True)


def histories() -> Iterator[StoredPost]:
    """All that can be known of one post, around every border that counts."""
    for tries, misses, after, age in product(
        range(MOST_REFUSALS + 1),
        range(4),
        (0.0, SETTLE - 0.5, SETTLE, 1.5 * SETTLE),
        (None, timedelta(0), YOUNG, LONGEST_UNKNOWN),
    ):
        since = None if age is None else NOW - age
        yield post(
            State.PLANNED,
            tries=tries,
            misses=misses,
            missed_after=after,
            doubted_at=since,
            tried_at=since,
        )


def act(  # noqa: PLR0913 - all that the next step depends on
    made: StoredThread,
    policy: Policy = POLICY,
    *,
    looked: bool = True,
    gone: float = 0.0,
    idle: float = 0.0,
    backoff: float = 0.0,
    new: bool = False,
) -> Action:
    return decide(made, policy, looked=looked, gone=gone, idle=idle, backoff=backoff, new=new)


def first_open(posts: Sequence[StoredPost]) -> StoredPost | None:
    return next((each for each in posts if each.state not in OUT), None)


def check_laws(made: StoredThread, policy: Policy, action: Action, *, looked: bool) -> None:
    """The laws that hold whatever the state: see docs/exactly-once.md."""
    current = first_open(made.posts)
    if current is None:
        unread = policy.checks and made.checked_at is None
        assert isinstance(action, CheckThread if unread else Finished)
        return
    assert not isinstance(action, CheckThread | Finished)
    if current.state is State.HELD:
        assert action == Stopped(current.position, current.reason)
        return
    assert not isinstance(action, Stopped)
    if policy.reads and not looked:
        assert action == ReadTimeline(), "sent, or waited, before the account was read"
        return
    assert not isinstance(action, ReadTimeline)
    if isinstance(action, Send | FindPost | Hold):
        assert action.position == current.position, "not the first post that is not out"
    if isinstance(action, Wait):
        assert action.seconds > 0
    if isinstance(action, FindPost | Wait):
        assert policy.reads
        assert current.state in IN_DOUBT
    if isinstance(action, Send):
        check_send(current, policy, action)


def check_send(current: StoredPost, policy: Policy, action: Send) -> None:
    assert current.refusals < MOST_REFUSALS
    assert action.absent == (current.state in IN_DOUBT)
    if action.absent:
        assert policy.reads, "absence cannot be proven without reading"
        assert current.misses >= READS_OF_ABSENCE >= 2
        own = current.tries or current.refusals or current.position == 0
        assert current.missed_after >= policy.settle * (1 if own else 1.5)


@pytest.mark.slow
def test_the_laws_hold_for_every_history_of_a_post_in_every_state() -> None:
    tried = set()
    for known, state, looked, reads, gone in product(
        histories(), State, BOTH, BOTH, (0.0, SETTLE, 1e9)
    ):
        policy = replace(POLICY, reads=reads)
        made = thread(post(State.SENT), replace(known, state=state))
        action = act(made, policy, looked=looked, gone=gone)
        check_laws(made, policy, action, looked=looked)
        tried.add(type(action))
    assert tried == {ReadTimeline, Send, FindPost, Wait, Hold, CheckThread, Stopped}


def test_the_laws_hold_for_every_thread_of_three_posts() -> None:
    proven = {"misses": 2, "missed_after": SETTLE, "tries": 1, "tried_at": NOW}
    fresh: dict[str, object] = {}
    seen = 0
    for states, history, looked, reads, checks, checked in product(
        product(State, repeat=3), (fresh, proven), BOTH, BOTH, BOTH, BOTH
    ):
        policy = replace(POLICY, reads=reads, checks=checks)
        made = thread(*(post(state, **history) for state in states), checked=checked)
        check_laws(made, policy, act(made, policy, looked=looked), looked=looked)
        seen += 1
    assert seen == 6**3 * 2**5


def test_what_lies_behind_the_first_open_post_changes_nothing() -> None:
    for states in product(State, repeat=3):
        made = thread(*(post(state) for state in states))
        current = first_open(made.posts)
        for later in State if current else ():
            assert current
            cut = [*made.posts[: current.position + 1], post(later), post(later)]
            assert act(thread(*cut)) == act(made)


def test_nothing_is_left_to_do_exactly_when_every_post_is_out_or_taken_back() -> None:
    for states in product(State, repeat=3):
        made = thread(*(post(state) for state in states), checked=True)
        assert (act(made) == Finished()) == all(state in OUT for state in states)


def test_an_absence_without_reads_is_held_however_old() -> None:
    policy = replace(POLICY, reads=False)
    for known, state in product(histories(), IN_DOUBT):
        action = act(thread(replace(known, state=state)), policy, looked=False, gone=1e9)
        assert action == Hold(
            0, "so it was; it may have been published, and this account may not be read to find out"
        )


@pytest.mark.parametrize(
    ("current", "gone", "action"),
    [
        (post(State.PLANNED), 0.0, Send(0)),
        (post(State.PLANNED, tries=99), 0.0, Send(0)),
        (post(State.PLANNED, tries=99, refusals=4), 0.0, Send(0)),
        (
            post(State.PLANNED, refusals=5),
            0.0,
            Hold(0, "it was tried 5 times without success; so it was"),
        ),
        (post(State.PLANNED, misses=9, missed_after=1e6), 0.0, Send(0, absent=False)),
        (post(State.SENDING, tries=1, tried_at=NOW), 0.0, FindPost(0)),
        (post(State.UNKNOWN, doubted_at=NOW), 0.0, FindPost(0)),
        (
            post(State.UNKNOWN, misses=1, tries=1),
            1.5,
            Wait(0.5, "it is not known yet whether post 1 is published"),
        ),
        (post(State.UNKNOWN, misses=1), 1.5, Wait(0.5, "so it was")),
        (post(State.UNKNOWN, misses=1), 2.0, FindPost(0)),
        (post(State.UNKNOWN, misses=1, missed_after=SETTLE, tries=1), SETTLE + 2, FindPost(0)),
        (post(State.UNKNOWN, misses=2, missed_after=SETTLE - 1, tries=1), SETTLE, FindPost(0)),
        (post(State.UNKNOWN, misses=2, missed_after=SETTLE, tries=1), 0.0, Send(0, absent=True)),
        # refused as a duplicate, and not found; the opening of a new ledger, where reads may lag
        (
            post(State.UNKNOWN, misses=2, missed_after=SETTLE, refusals=1),
            0.0,
            Send(0, absent=True),
        ),
        (post(State.UNKNOWN, misses=2, missed_after=SETTLE), 0.0, Send(0, absent=True)),
        (
            post(State.UNKNOWN, misses=2, missed_after=SETTLE, tries=3, refusals=5),
            0.0,
            Hold(0, "it was tried 8 times without success; so it was"),
        ),
        (post(State.HELD, reason="refused"), 0.0, Stopped(0, "refused")),
    ],
)
def test_by_example(current: StoredPost, gone: float, action: Action) -> None:
    assert act(thread(current), gone=gone) == action


def test_the_account_is_read_once_a_run_and_before_anything_is_settled() -> None:
    proven = post(State.UNKNOWN, misses=2, missed_after=SETTLE, tries=1)
    unknown = thread(post(State.SENT), proven)
    assert act(unknown, looked=False) == ReadTimeline()
    assert act(unknown, looked=True) == Send(1, absent=True)
    assert act(thread(post(State.PLANNED)), replace(POLICY, reads=False), looked=False) == Send(0)


@pytest.mark.parametrize("state", [State.PLANNED, State.UNKNOWN])
def test_a_sender_that_waited_looks_again_before_it_sends(state: State) -> None:
    current = thread(post(state, misses=2, missed_after=SETTLE, tries=1))
    assert isinstance(act(current, idle=SETTLE / 2), Send)
    assert act(current, idle=SETTLE / 2 + 0.001) == ReadTimeline()
    blind = replace(POLICY, reads=False)
    assert isinstance(act(thread(post(State.PLANNED)), blind, idle=1e9), Send)


@pytest.mark.parametrize("state", [State.PLANNED, State.UNKNOWN])
def test_a_post_whose_last_try_failed_waits_before_the_next(state: State) -> None:
    current = thread(post(state, misses=2, missed_after=SETTLE, tries=9))
    assert act(current, backoff=7.5) == Wait(7.5, "so it was")
    assert act(current, backoff=7.5, looked=False) == ReadTimeline()
    assert act(current, backoff=0.0) == Send(0, absent=state is State.UNKNOWN)


def test_a_new_ledger_that_may_not_read_holds_its_first_post() -> None:
    blind = replace(POLICY, reads=False)
    action = act(thread(post(State.PLANNED)), blind, looked=False, new=True)
    assert isinstance(action, Hold)
    assert "--assume-unsent" in action.reason
    assert act(thread(post(State.PLANNED)), POLICY, new=True) == Send(0)


def test_another_senders_post_is_waited_for_as_long_as_two_turns_of_it() -> None:
    slow = replace(POLICY, turn=400.0)
    opening, watched = post(State.SENT), post(State.UNKNOWN, misses=9, missed_after=599.0)
    assert isinstance(act(thread(opening, watched), slow, gone=599.5), Wait)
    assert act(thread(opening, watched), slow, gone=600.0) == FindPost(1)
    seen_late = replace(watched, missed_after=600.0)
    assert act(thread(opening, seen_late), slow) == Send(1, absent=True)
    tried = replace(watched, tries=1, missed_after=SETTLE)
    assert act(thread(opening, tried), slow) == Send(1, absent=True)


def test_a_finished_thread_is_read_once_more_where_that_is_wanted() -> None:
    out = (post(State.SENT), post(State.RETRACTED))
    assert act(thread(*out), looked=False) == CheckThread()
    assert act(thread(*out, checked=True)) == Finished()
    assert act(thread(*out), replace(POLICY, checks=False)) == Finished()


@pytest.mark.parametrize(
    ("settle", "retry_wait", "read_at"),
    [
        (120.0, 2.0, [0, 2, 6, 14, 30, 62, 120]),
        (120.0, 50.0, [0, 50, 110, 120]),
        (1.0, 600.0, [0, 1]),
        (0.0, 2.0, [0, 2]),
    ],
)
def test_reads_come_at_once_then_later_and_later_until_it_counts_as_absent(
    settle: float, retry_wait: float, read_at: list[float]
) -> None:
    policy = Policy(settle=settle, retry_wait=retry_wait)
    current, times = post(State.UNKNOWN, tries=1), []
    while not is_absent(current, policy):
        now = next_read(current, policy)
        if now:
            step = thread(current)
            early = act(step, policy, gone=now - 0.25)
            assert early == Wait(0.25, "it is not known yet whether post 1 is published")
        assert act(thread(current), policy, gone=now) == FindPost(0)
        times.append(now)
        current = replace(current, misses=current.misses + 1, missed_after=now)
    assert times == read_at


@given(
    misses=st.integers(0, 10**9),
    after=st.floats(0, 1e7),
    settle=st.floats(0, 1e6),
    retry_wait=st.floats(0.001, 600),
)
def test_the_next_read_is_never_past_and_never_far(
    misses: int, after: float, settle: float, retry_wait: float
) -> None:
    policy = Policy(settle=settle, retry_wait=retry_wait)
    current = post(State.UNKNOWN, misses=misses, missed_after=after, tries=1)
    following = next_read(current, policy)
    if not misses:
        assert following == 0
        return
    assert after < following or following == settle
    assert 0 <= following <= after + policy.longest_wait
    more = next_read(replace(current, misses=misses + 1), policy)
    assert more >= following, "waits grow"


@given(misses=st.integers(0, 5), after=st.floats(0, 1000), settle=st.floats(0, 1000))
def test_absence_needs_two_reads_and_the_time_to_settle(
    misses: int, after: float, settle: float
) -> None:
    current = post(State.UNKNOWN, misses=misses, missed_after=after, tries=1)
    policy = Policy(settle=settle, retry_wait=2)
    assert is_absent(current, policy) == (misses > 1 and after >= settle)
