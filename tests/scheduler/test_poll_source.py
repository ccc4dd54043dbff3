"""What the worker remembers of its source, when it asks again, and what it offers to whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bot.digests.result import NOTHING, Memory, SourceOutcome, SourceResult
from bot.errors import NoDigest, Nowhere, Unreachable
from bot.http.page import CacheValidators
from bot.model import Digest
from bot.scheduler.decide import DAY, PassRules
from bot.scheduler.poll_source import (
    FIRST_RETRY,
    LONGEST_RETRY,
    LONGEST_WAIT,
    SourcePoller,
    growing,
)
from bot.scheduler.problems import PATIENCE_WITH_SOURCE
from bot.settings.options import CatchUp
from tests.helpers.fake_world import digest

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SEEN: Memory = {"posts": CacheValidators(etag='"1"')}
SILENT = SourceResult(SourceOutcome.UNREACHABLE, "posts")


def of_day(days_ago: int, **fields: object) -> Digest:
    published = NOW - timedelta(days=days_ago)
    made = digest(day=(published - DAY).date(), published=published)
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


def found(source: Digest, memory: Memory = NOTHING) -> SourceResult:
    return SourceResult(SourceOutcome.FOUND, "posts/x.md", digest=source, memory=memory)


@dataclass
class ScriptedSource:
    """A source that gives what the test says, and notes what it was asked."""

    answers: list[SourceResult] = field(default_factory=list)
    archive: tuple[Digest, ...] = ()
    asked: list[object] = field(default_factory=list)

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        self.asked.append(memory)
        return self.answers.pop(0)

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        self.asked.append(day)
        return tuple(found(each) for each in self.archive if each.day > day)[:most]

    def find(self, wanted: date | str) -> SourceResult:
        raise AssertionError(wanted)


def poller(source: ScriptedSource, catch_up: CatchUp = CatchUp.LATEST) -> SourcePoller:
    return SourcePoller(source, PassRules(timedelta(days=3), catch_up), lambda: NOW)


def test_an_unchanged_source_gives_what_it_gave() -> None:
    first = found(of_day(0), SEEN)
    source = ScriptedSource([first, SourceResult(SourceOutcome.UNCHANGED, "posts", memory=SEEN)])
    ask = poller(source)
    assert [ask.ask(), ask.ask()] == [first, first]
    assert source.asked == [NOTHING, SEEN]


def test_a_source_that_was_never_read_has_nothing_to_be_unchanged() -> None:
    ask = poller(ScriptedSource([SourceResult(SourceOutcome.UNCHANGED, "posts")]))
    assert ask.ask().outcome is SourceOutcome.UNCHANGED


def test_a_silent_source_is_asked_after_growing_waits_until_it_answers() -> None:
    source = ScriptedSource([*[SILENT] * 8, found(of_day(0))])
    ask = poller(source)
    waits = []
    for _ in range(8):
        assert ask.ask() is SILENT
        waits.append((ask.retry() or NOW) - NOW)
    assert waits == [FIRST_RETRY * n for n in (1, 2, 4, 8, 16, 30, 30, 30)]
    assert ask.failing_since == NOW
    ask.ask()
    assert ask.retry() is None
    assert ask.failing_since is None


def test_a_source_that_names_its_wait_is_not_asked_before() -> None:
    waits = []
    for asked in (5, 600, 10**6):
        problem = Unreachable("the rate limit is reached", wait=asked)
        ask = poller(ScriptedSource([replace(SILENT, problem=problem), SILENT]))
        ask.ask()
        waits.append((ask.retry() or NOW) - NOW)
        ask.ask()
        assert ask.retry() == NOW + 2 * FIRST_RETRY
    assert waits == [FIRST_RETRY, timedelta(minutes=10), LONGEST_WAIT]


def test_what_was_read_survives_silence() -> None:
    kept = found(of_day(0), SEEN)
    source = ScriptedSource(
        [kept, replace(SILENT, memory=SEEN), SourceResult(SourceOutcome.UNCHANGED, "p")]
    )
    ask = poller(source)
    assert [ask.ask().outcome for _ in range(3)] == ["found", "unreachable", "found"]
    assert source.asked == [NOTHING, SEEN, SEEN]


def test_text_that_is_no_digest_is_a_failure_and_needs_no_hurry() -> None:
    ask = poller(ScriptedSource([SourceResult(SourceOutcome.MALFORMED, "posts/x.md")]))
    ask.ask()
    assert (ask.failing_since, ask.retry()) == (NOW, None)


@pytest.mark.parametrize(
    ("problem", "gave", "fails"),
    [
        (NoDigest("posts: no digest"), False, False),
        (NoDigest("posts: no digest"), True, True),
        (Nowhere("https://x: there is nothing (404)"), False, True),
    ],
    ids=["not yet", "no more", "nowhere"],
)
def test_no_digest_is_a_failure_where_there_was_one_or_there_is_no_such_place(
    problem: NoDigest, *, gave: bool, fails: bool
) -> None:
    ask = poller(
        ScriptedSource(
            [SourceResult(SourceOutcome.NONE, "posts", problem=problem), found(of_day(0))]
        )
    )
    ask.gave = gave
    ask.ask()
    assert (ask.failing_since is not None) is fails
    ask.ask()
    assert ask.failing_since is None


def test_waits_grow_to_half_an_hour_and_no_number_is_too_large() -> None:
    assert growing(1) == FIRST_RETRY
    assert growing(10**6) == LONGEST_RETRY
    assert all(growing(n) <= growing(n + 1) for n in range(1, 20))


def test_the_latest_alone_is_offered_and_nothing_else_is_read() -> None:
    source = ScriptedSource(archive=(of_day(2), of_day(1)))
    latest = found(of_day(0))
    assert poller(source).candidates(latest, of_day(5).day) == (latest,)
    assert poller(source, CatchUp.ALL).candidates(latest, None) == (latest,)
    assert poller(source, CatchUp.ALL).candidates(SILENT, of_day(5).day) == (SILENT,)
    assert source.asked == []


@pytest.mark.parametrize(
    "useless",
    [
        SourceResult(SourceOutcome.MALFORMED, "posts/x.md"),
        found(of_day(0, draft=True)),
        found(of_day(0, papers=())),
    ],
    ids=["malformed", "draft", "empty"],
)
def test_where_the_latest_is_of_no_use_those_before_it_are_offered(useless: SourceResult) -> None:
    archive = (of_day(3), of_day(2), of_day(1))
    source = ScriptedSource(archive=archive)
    candidates = poller(source).candidates(useless, of_day(3).day)
    assert candidates == (*map(found, archive), useless)
    # without history: no further back than a digest may be old
    candidates = poller(source).candidates(useless, None)
    assert source.asked[-1] == date(2026, 3, 4)
    assert source.asked == [of_day(3).day - DAY, date(2026, 3, 4)]
    assert candidates[-1] == useless


@pytest.mark.parametrize("catch_up", CatchUp)
def test_where_the_latest_cannot_be_read_for_long_those_before_it_are_offered(
    catch_up: CatchUp,
) -> None:
    archive = (of_day(2), of_day(1))
    ask = poller(ScriptedSource([SILENT], archive=archive), catch_up)
    ask.ask()
    assert ask.candidates(SILENT, of_day(3).day) == (SILENT,)
    ask.clock = lambda: NOW + PATIENCE_WITH_SOURCE
    assert ask.candidates(SILENT, of_day(3).day) == (*map(found, archive), SILENT)


def test_catching_up_offers_all_since_the_last_and_others_of_its_day() -> None:
    archive = tuple(of_day(n) for n in range(9, -1, -1))
    source = ScriptedSource(archive=archive)
    ask = poller(source, CatchUp.ALL)
    latest = found(of_day(0))
    assert ask.candidates(latest, of_day(4).day) == tuple(map(found, archive[5:]))
    ask.candidates(latest, of_day(4).day)
    assert source.asked == [of_day(4).day - DAY], "asked once for accounts that had the same"
    source.answers = [latest]
    ask.ask()
    ask.candidates(latest, of_day(4).day)
    assert len(source.asked) == 3, "and anew in the next pass"


def test_the_newest_of_use_is_found_however_long_an_age_is_allowed() -> None:
    archive = tuple(of_day(n) for n in range(300, 40, -1))
    source = ScriptedSource(archive=archive)
    ask = SourcePoller(source, PassRules(timedelta(days=365)), lambda: NOW)
    candidates = ask.candidates(SourceResult(SourceOutcome.MALFORMED, "posts/x.md"), None)
    assert candidates[-2] == found(of_day(41))
    assert len(candidates) < 50


def test_catching_up_gets_past_many_that_are_of_no_use() -> None:
    drafts = tuple(of_day(n, draft=True) for n in range(90, 10, -1))
    source = ScriptedSource(archive=(*drafts, of_day(5)))
    candidates = poller(source, CatchUp.ALL).candidates(found(of_day(5)), of_day(91).day)
    assert candidates[-1] == found(of_day(5))


def test_catching_up_on_one_day_of_a_whole_page_comes_to_an_end() -> None:
    same = tuple(of_day(3, slug=f"draft-{n}", draft=True) for n in range(40))
    candidates = poller(ScriptedSource(archive=same), CatchUp.ALL).candidates(
        found(of_day(0)), of_day(9).day
    )
    assert 0 < len(candidates) <= 40


def test_catching_up_with_nothing_listed_offers_the_latest() -> None:
    latest = found(of_day(0))
    assert poller(ScriptedSource(), CatchUp.ALL).candidates(latest, of_day(4).day) == (latest,)
