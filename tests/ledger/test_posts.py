from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.ledger.errors import LedgerError, WrongState
from bot.ledger.posts import MOVES
from bot.ledger.rows import StoredPost, StoredThread
from bot.ledger.store import Ledger
from bot.model import State
from tests.helpers.ledger_setup import FAR, MINUTE, T0, opened_ledger, planned_thread, post_at

LATER = T0 + MINUTE

# What may happen to a post in each state, and what state follows: the contract, written out again.
TABLE = """
                 planned  sending  unknown  sent  held     retracted
begin            sending  -        -        -     -        -
begin absent     sending  -        sending  -     -        -
sent             sent     sent     sent     sent  sent     -
adopt            sent     sent     sent     sent  sent     -
mark unknown     -        unknown  unknown  -     -        -
mark maybe sent  unknown  -        unknown  -     -        -
duplicate        -        unknown  -        -     -        -
record miss      -        -        unknown  -     -        -
mark not sent    -        -        planned  -     -        -
unsent           -        planned  -        -     -        -
hold             held     held     held     held  held     -
skip             retracted retracted retracted - retracted retracted
retracted        retracted -       retracted retracted retracted retracted
settle sent      -        -        sent     -     sent     -
settle unsent    -        -        planned  -     planned  -
"""

Change = Callable[[Ledger, int], StoredThread | bool]
CHANGES: dict[str, Change] = {
    "begin": lambda ledger, n: ledger.begin(n, 0, LATER),
    "begin absent": lambda ledger, n: ledger.begin(n, 0, LATER, absent=True),
    "sent": lambda ledger, n: ledger.sent(n, 0, "1", "https://x.test/1", LATER),
    "adopt": lambda ledger, n: ledger.adopt(n, 0, "1", "https://x.test/1", LATER),
    "mark unknown": lambda ledger, n: ledger.mark_unknown(n, 0, "timed out", LATER),
    "mark maybe sent": lambda ledger, n: ledger.mark_maybe_sent(n, 0, "half out", LATER),
    "duplicate": lambda ledger, n: ledger.duplicate(n, 0, "duplicate", LATER),
    "record miss": lambda ledger, n: ledger.record_miss(n, 0, 2.5, LATER),
    "mark not sent": lambda ledger, n: ledger.mark_not_sent(n, 0, LATER),
    "unsent": lambda ledger, n: ledger.unsent(n, 0, "refused", LATER),
    "hold": lambda ledger, n: ledger.hold(n, 0, "look at it", LATER),
    "skip": lambda ledger, n: ledger.skip(n, 0, "without it", LATER),
    "retracted": lambda ledger, n: ledger.retracted(n, 0, LATER),
    "settle sent": lambda ledger, n: ledger.settle(n, 0, "1", "", LATER),
    "settle unsent": lambda ledger, n: ledger.settle(n, 0, None, "", LATER),
}
TO_REACH: dict[State, tuple[str, ...]] = {
    State.PLANNED: (),
    State.SENDING: ("begin",),
    State.UNKNOWN: ("begin", "mark unknown"),
    State.SENT: ("begin", "sent"),
    State.HELD: ("hold",),
    State.RETRACTED: ("retracted",),
}


def table() -> Iterator[tuple[State, str, State | None]]:
    first, *lines = TABLE.strip().splitlines()
    for line in lines:
        name, cells = line[:17].strip(), line[17:].split()
        for source, target in zip(first.split(), cells, strict=True):
            yield State(source), name, None if target == "-" else State(target)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def reach(ledger: Ledger, number: int, state: State) -> StoredPost:
    for change in TO_REACH[state]:
        CHANGES[change](ledger, number)
    reached = post_at(ledger.refresh(number))
    assert reached.state is state
    return reached


def test_the_table_names_every_change() -> None:
    assert {name for _, name, _ in table()} == set(MOVES) == set(CHANGES)


@pytest.mark.parametrize(("source", "name", "target"), list(table()))
def test_each_change_from_each_state(
    path: Path, source: State, name: str, target: State | None
) -> None:
    with opened_ledger(path) as (ledger, thread):
        before = reach(ledger, thread.number, source)
        if target is None and name.startswith("begin"):
            assert CHANGES[name](ledger, thread.number) is False
        elif target is None:
            with pytest.raises(WrongState, match=f'is {source}, which does not allow "{name}"'):
                CHANGES[name](ledger, thread.number)
        else:
            changed = CHANGES[name](ledger, thread.number)
            assert changed in (True, ledger.refresh(thread.number))
            assert post_at(ledger.refresh(thread.number)).state is target
            return
        assert post_at(ledger.refresh(thread.number)) == before


def test_a_try_is_counted_and_its_answer_kept(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        assert ledger.begin(thread.number, 0, T0)
        tried = post_at(ledger.refresh(thread.number))
        assert (tried.tries, tried.tried_at, tried.doubted_at) == (1, T0, None)
        sent = post_at(ledger.sent(thread.number, 0, "17", "https://x.test/17", LATER))
        assert (sent.id, sent.url, sent.tries) == ("17", "https://x.test/17", 1)
        assert ledger.last_known("twitter") == ("17", LATER)


def test_only_who_holds_the_lock_begins(path: Path) -> None:
    with Ledger.open(path) as ledger:
        thread = ledger.plan(planned_thread(), T0)
        assert not ledger.begin(thread.number, 0, T0)
        with ledger.sending("mastodon", T0):
            assert not ledger.begin(thread.number, 0, T0)
        assert ledger.refresh(thread.number) == thread
        with ledger.sending("twitter", T0):
            assert ledger.begin(thread.number, 0, T0)
        assert not ledger.begin(thread.number, 1, T0)


def test_a_doubt_begins_with_the_first_try_and_ends_with_proof(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        number = thread.number
        ledger.begin(number, 0, T0)
        doubted = post_at(ledger.mark_unknown(number, 0, "timed out", LATER))
        assert (doubted.doubted_at, doubted.reason) == (T0, "timed out")
        ledger.record_miss(number, 0, 1.5, LATER)
        record_miss = post_at(ledger.record_miss(number, 0, 120.25, LATER))
        assert (record_miss.misses, record_miss.missed_after) == (2, 120.25)
        assert post_at(ledger.mark_unknown(number, 0, "still", FAR)).doubted_at == T0
        proven = post_at(ledger.mark_not_sent(number, 0, FAR))
        assert (proven.state, proven.doubted_at, proven.tries) == (State.PLANNED, None, 1)
        ledger.begin(number, 0, LATER)
        again = post_at(ledger.refresh(number))
        assert (again.misses, again.missed_after, again.tries) == (0, 0.0, 2)
        refused = post_at(ledger.unsent(number, 0, "429", FAR))
        assert (refused.state, refused.reason) == (State.PLANNED, "429")


def test_a_refusal_speaks_only_of_its_own_try(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        number = thread.number
        reach(ledger, number, State.UNKNOWN)
        assert ledger.begin(number, 0, LATER + MINUTE, absent=True)
        refused = post_at(ledger.unsent(number, 0, "403", FAR))
        assert (refused.state, refused.doubted_at) == (State.UNKNOWN, LATER)
        assert (refused.tries, refused.tried_at) == (1, LATER + MINUTE)
        assert post_at(ledger.mark_unknown(number, 0, "still", FAR)).doubted_at == LATER


def test_a_suspicion_needs_no_try_and_forgets_old_reads(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        reach(ledger, thread.number, State.UNKNOWN)
        ledger.record_miss(thread.number, 0, 1.0, T0)
        ledger.mark_not_sent(thread.number, 0, T0)
        suspected = post_at(ledger.mark_maybe_sent(thread.number, 0, "half out", FAR))
        assert (suspected.doubted_at, suspected.misses, suspected.missed_after) == (FAR, 0, 0.0)


def test_a_person_may_settle_what_was_held_either_way(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        number = thread.number
        reach(ledger, number, State.SENT)
        held = post_at(ledger.hold(number, 0, "dropped by the server", T0))
        assert (held.id, held.reason) == ("1", "dropped by the server")
        assert ledger.last_known("twitter") is None
        settled = post_at(ledger.settle(number, 0, None, "", T0))
        assert (settled.state, settled.id, settled.url) == (State.PLANNED, "", "")
        ledger.hold(number, 0, "again", T0)
        settled = post_at(ledger.settle(number, 0, "2", "https://x.test/2", T0))
        assert (settled.state, settled.id, settled.reason) == (State.SENT, "2", "")


def test_one_id_is_never_two_posts(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        number = thread.number
        ledger.adopt(number, 0, "1", "", T0)
        assert post_at(ledger.sent(number, 0, "1", "", T0)).id == "1"
        for change, position, taken in (
            (ledger.sent, 0, "2"),
            (ledger.sent, 1, "1"),
            (ledger.adopt, 1, "1"),
        ):
            with pytest.raises(WrongState, match="another id, or another post has that id"):
                change(number, position, taken, "", T0)
        assert post_at(ledger.refresh(number), 1) == post_at(thread, 1)
        # accounts are on networks of their own, whose ids may be alike
        other = ledger.plan(planned_thread(account="mastodon"), T0)
        assert post_at(ledger.adopt(other.number, 0, "1", "", T0)).id == "1"


def test_a_post_that_is_not_there_is_named(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        with pytest.raises(LedgerError, match="the ledger has no post 8 of hot-papers"):
            ledger.mark_not_sent(thread.number, 7, T0)
        with pytest.raises(LedgerError, match="no thread number 99"):
            ledger.mark_not_sent(99, 0, T0)


def test_words_from_a_network_that_are_no_text_are_kept_as_far_as_they_go(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        held = post_at(ledger.hold(thread.number, 0, "it said \ud83d", T0))
        assert held.reason == "it said ?"


# A model that knows the states and nothing of SQL, against the ledger, which may crash at any time.


@dataclass(frozen=True)
class Model:
    state: State = State.PLANNED
    tries: int = 0
    doubted: bool = False
    id: str = ""

    def after(self, name: str, id: str) -> Model | None:  # noqa: A002, PLR0911 - one line a change
        target = NEXT[self.state, name]
        if target is None or (name == "sent" and self.state is State.SENT and self.id != id):
            return None
        match name:
            case "begin" | "begin absent":
                return replace(self, state=target, tries=self.tries + 1)
            case "sent" | "adopt" | "settle sent":
                return replace(self, state=target, id=id, doubted=False)
            case "mark unknown" | "mark maybe sent":
                return replace(self, state=target, doubted=True)
            case "duplicate":
                return replace(self, state=target, doubted=True, tries=self.tries - 1)
            case "unsent":
                state = State.UNKNOWN if self.doubted else target
                return replace(self, state=state, tries=self.tries - 1)
            case "settle unsent":
                return replace(self, state=target, id="", doubted=False, tries=0)
            case "mark not sent" | "skip" | "retracted":
                return replace(self, state=target, doubted=False)
        return replace(self, state=target)


NEXT = {(source, name): target for source, name, target in table()}
PLACES = st.integers(0, 2)


class Posts(RuleBasedStateMachine):
    """Three posts of one thread; ids are unlike for unlike posts, as a network's are."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "bot.db"
        self.open()
        self.number = self.ledger.plan(planned_thread(3), T0).number
        self.model = [Model()] * 3
        self.now = T0

    def open(self) -> None:
        with ExitStack() as stack:
            self.ledger = stack.enter_context(Ledger.open(self.path))
            stack.enter_context(self.ledger.sending("twitter", T0))
            self.close = stack.pop_all().close

    def change(self, name: str, position: int, id: str) -> bool:  # noqa: A002
        ledger, number, now = self.ledger, self.number, self.now
        match name:
            case "begin" | "begin absent":
                absent = name == "begin absent"
                return ledger.begin(number, position, now, absent=absent)
            case "sent" | "adopt":
                getattr(ledger, name)(number, position, id, "", now)
            case "settle sent":
                ledger.settle(number, position, id, "", now)
            case "settle unsent":
                ledger.settle(number, position, None, "", now)
            case "record miss":
                ledger.record_miss(number, position, 1.0, now)
            case "mark not sent" | "retracted":
                getattr(ledger, name.replace(" ", "_"))(number, position, now)
            case _:
                getattr(ledger, name.replace(" ", "_"))(number, position, "why", now)
        return True

    @rule(name=st.sampled_from(sorted(MOVES)), position=PLACES, second=st.booleans())
    def do(self, name: str, position: int, *, second: bool) -> None:
        before = self.model[position]
        id = f"{position}{'b' * second}"  # noqa: A001
        after = before.after(name, id)
        self.now += MINUTE / 60
        try:
            done = self.change(name, position, id)
        except WrongState:
            done = False
        assert done == (after is not None)
        if after:
            self.model[position] = after
            self.hold_the_promise(name, before, after)

    def hold_the_promise(self, name: str, before: Model, after: Model) -> None:
        assert after.tries >= before.tries or name in ("unsent", "settle unsent", "duplicate")
        if before.state is State.SENT:
            assert after.state in (State.SENT, State.HELD, State.RETRACTED)
        if before.state is State.RETRACTED:
            assert after.state is State.RETRACTED
        if before.doubted and after.state is State.PLANNED:
            assert name in ("mark not sent", "settle unsent")

    @rule(position=PLACES)
    def crash_before_the_commit(self, position: int) -> None:
        with pytest.raises(LedgerError, match="closed"):
            self.change_and_close(position)
        self.close()
        self.open()

    def change_and_close(self, position: int) -> None:
        sql = "UPDATE posts SET state = 'sent', id = 'lost', tries = 9 WHERE position = :p"
        with self.ledger.together():
            self.ledger._change(sql, p=position)
            self.ledger._file.close()

    @precondition(lambda self: self.now < FAR)
    @rule()
    def reopen(self) -> None:
        self.close()
        self.open()

    @invariant()
    def the_ledger_holds_what_the_model_says(self) -> None:
        for each, model in zip(self.ledger.refresh(self.number).posts, self.model, strict=True):
            assert (each.state, each.tries, each.id) == (model.state, model.tries, model.id)
            assert (each.doubted_at is not None) == model.doubted

    def teardown(self) -> None:
        self.close()
        self.folder.cleanup()


@pytest.mark.slow
def test_whatever_happens_the_ledger_and_the_model_agree() -> None:
    run_state_machine_as_test(Posts, settings=settings(max_examples=40, stateful_step_count=40))
