"""The fake poster does what a test tells it to; the contract it keeps is in test_contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.posters.poster import (
    AccountProfile,
    CannotRead,
    Outcome,
    OutcomeKind,
    Poster,
    PostRequest,
    RemotePost,
    Timeline,
)
from tests.helpers.fake_poster import (
    DUPLICATE,
    LOST,
    NOT_SENT,
    UNAUTHORIZED,
    Commit,
    FakePoster,
    Kind,
    Step,
    limited,
)
from tests.helpers.process_killed import ProcessKilled

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FixedClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def fake(clock: FixedClock) -> FakePoster:
    return FakePoster(clock)


def post(text: str, parent: str = "", key: str = "") -> PostRequest:
    return PostRequest(text, key or text, parent)


def texts(look: Timeline) -> list[str]:
    return [seen.text for seen in look.posts]


def test_it_is_a_poster(fake: FakePoster) -> None:
    poster: Poster = fake
    assert poster.publish(post("a")).sort is OutcomeKind.SENT


def test_a_step_is_for_one_request_of_its_kind(fake: FakePoster) -> None:
    fake.script(Step(LOST, Commit.NEVER))
    assert fake.look(START).posts == ()
    assert fake.publish(post("a")) == LOST
    assert fake.publish(post("a")).sort is OutcomeKind.SENT
    assert len(fake.live()) == 1


def test_a_step_may_be_for_a_request_by_its_number(fake: FakePoster) -> None:
    fake.script(Step(LOST), at=3)
    assert fake.publish(post("a")).sort is OutcomeKind.SENT
    fake.look(START)
    assert fake.publish(post("b")) == LOST
    assert [seen.text for seen in fake.live()] == ["a", "b"]
    assert [(call.number, call.kind) for call in fake.calls] == [
        (1, Kind.PUBLISH),
        (2, Kind.LOOK),
        (3, Kind.PUBLISH),
    ]
    assert fake.count(Kind.PUBLISH) == 2


def test_a_step_may_be_for_whatever_comes_next(fake: FakePoster) -> None:
    fake.script(Step(CannotRead("no")), kind=None)
    with pytest.raises(CannotRead):
        fake.profile()
    assert fake.profile().id == "42"


def test_a_step_may_be_committed_late(fake: FakePoster, clock: FixedClock) -> None:
    fake.script(Step(LOST, Commit.LATE, timedelta(seconds=30)))
    assert fake.publish(post("a")) == LOST
    assert (fake.live(), fake.look(START).posts) == ((), ())
    clock.now += timedelta(seconds=30)
    assert texts(fake.look(START)) == ["a"]


@pytest.mark.parametrize(("commit", "there"), [(Commit.NOW, 1), (Commit.NEVER, 0)])
def test_a_crash_is_caught_by_nothing(fake: FakePoster, commit: Commit, there: int) -> None:
    fake.script(Step(ProcessKilled("killed"), commit))
    with pytest.raises(ProcessKilled):
        fake.publish(post("a"))
    assert len(fake.live()) == there
    assert not issubclass(ProcessKilled, Exception)


def test_what_is_not_committed_and_not_scripted_otherwise_was_not_sent(fake: FakePoster) -> None:
    sent = fake.publish(post("a")).id
    fake.script(Step(commit=Commit.NEVER))
    fake.script(Step(commit=Commit.NEVER), kind=Kind.DELETE)
    assert fake.publish(post("b")) == NOT_SENT
    assert fake.delete(sent) == NOT_SENT
    assert len(fake.live()) == 1
    fake.script(Step(UNAUTHORIZED), kind=Kind.DELETE)
    assert fake.delete(sent) == UNAUTHORIZED
    assert fake.live() == ()


def test_reads_may_be_answered_otherwise(fake: FakePoster) -> None:
    seen = RemotePost("9", "", "other", "", START)
    fake.script(Step(Timeline((seen,), complete=False)), kind=Kind.LOOK)
    fake.script(Step(seen), kind=Kind.READ)
    fake.script(Step(AccountProfile("7", "us", "")), kind=Kind.PROFILE)
    assert fake.look(START) == Timeline((seen,), complete=False)
    assert fake.read("1") == seen
    assert fake.profile() == AccountProfile("7", "us", "")


def test_an_account_that_cannot_be_read_can_still_post(fake: FakePoster) -> None:
    fake.unreadable = CannotRead("the plan does not allow it", final=True)
    assert fake.publish(post("a")).sort is OutcomeKind.SENT
    for ask in (lambda: fake.look(START), lambda: fake.read("1")):
        with pytest.raises(CannotRead):
            ask()
    assert fake.profile().id == "42"


def test_a_timeline_may_lag(fake: FakePoster, clock: FixedClock) -> None:
    fake.lag = timedelta(seconds=5)
    sent = fake.publish(post("a")).id
    assert fake.look(START).posts == ()
    assert fake.read(sent) is None
    clock.now += timedelta(seconds=5)
    assert [seen.id for seen in fake.look(START).posts] == [sent]


def test_keys_and_duplicates_count_where_they_are_told_to(fake: FakePoster) -> None:
    first = fake.publish(post("a", key="k"))
    assert fake.publish(post("a", key="k")).id != first.id
    fake.keeps_keys = True
    assert fake.publish(post("other words", key="k")) == first
    fake.keeps_keys = False
    fake.refuses_duplicates = True
    assert fake.publish(post("a")) == DUPLICATE
    assert fake.publish(post("b")).sort is OutcomeKind.SENT


def test_a_reply_may_forget_its_parent(fake: FakePoster) -> None:
    first = fake.publish(post("a")).id
    second = fake.publish(post("b", first)).id
    fake.remove(first)
    seen = fake.read(second)
    assert seen is not None
    assert seen.parent == ""
    fake.forgets_parents = False
    seen = fake.read(second)
    assert seen is not None
    assert seen.parent == first


def test_a_person_may_post_too(fake: FakePoster) -> None:
    fake.write("my own words")
    (seen,) = fake.look(START).posts
    assert (seen.text, seen.application) == ("my own words", "Web")


def test_it_costs_what_it_is_told_to(fake: FakePoster) -> None:
    fake.price, fake.read_price = Decimal("0.2"), Decimal("0.001")
    fake.publish(post("a"))
    fake.publish(post("b"))
    assert (fake.cost("a"), fake.cost("")) == (Decimal("0.2"), Decimal(0))
    assert fake.look(START).cost == Decimal("0.002")


def test_a_limit_ends_when_it_is_told_to() -> None:
    assert limited(START) == Outcome(OutcomeKind.LATER, reason="429", until=START)


def test_it_notes_what_it_was_asked(fake: FakePoster) -> None:
    asked = post("a", key="k")
    fake.publish(asked)
    fake.look(START, after="x")
    fake.delete("y")
    first, second, third = fake.calls
    assert first.post == asked
    assert (second.since, second.after) == (START, "x")
    assert third.post_id == "y"
    assert not fake.closed
    fake.close()
    assert fake.closed
