"""Poll the source: keep what it gave last, and ask again later what it refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from threading import Lock

from bot.digests.result import Memory, Source, SourceOutcome, SourceResult
from bot.errors import Nowhere, Unreachable
from bot.scheduler.decide import DAY, PassRules, is_to_come
from bot.scheduler.problems import PATIENCE_WITH_SOURCE
from bot.settings.options import CatchUp

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=30)
LONGEST_WAIT = timedelta(hours=6)
"""The longest wait that a source may ask for."""

_PAGE = 20
_PAGES = 25
_FIRST_WINDOW = 8  # days
_FAILED = (SourceOutcome.MALFORMED, SourceOutcome.UNREACHABLE)


def growing(
    failures: int, first: timedelta = FIRST_RETRY, longest: timedelta = LONGEST_RETRY
) -> timedelta:
    """Return the wait after this many failures in a row, from 1: `first`, doubled up to `longest`.

    >>> [growing(n) // FIRST_RETRY for n in (1, 2, 5, 6, 999)]
    [1, 2, 16, 30, 30]
    """
    doublings = min(failures - 1, 10)
    return min(first * (1 << doublings), longest)


@dataclass(slots=True)
class SourcePoller:
    """The source, and what is known of it. Any thread may call `candidates`."""

    source: Source
    rules: PassRules
    clock: Callable[[], datetime]
    gave: bool = field(default=False, init=False)
    """Whether the source had a digest once. If so, it is a failure that the source has none."""
    latest: SourceResult | None = field(default=None, init=False)
    failing_since: datetime | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _wait: int = field(default=0, init=False)
    _turn: Lock = field(default_factory=Lock, init=False)
    _memory: Memory = field(default_factory=dict, init=False)
    _missed: dict[tuple[date, int], tuple[SourceResult, ...]] = field(
        default_factory=dict, init=False
    )

    def ask(self) -> SourceResult:
        """Read the newest digest; return the last result where nothing has changed."""
        reading = self.source.latest(self._memory)
        self._memory = reading.memory
        self._missed.clear()
        if reading.outcome is SourceOutcome.UNCHANGED and self.latest is not None:
            reading = self.latest
        if reading.outcome is SourceOutcome.UNREACHABLE:
            self._failures += 1
            problem = reading.problem
            self._wait = problem.wait if isinstance(problem, Unreachable) else 0
        else:
            self._failures = 0
            self.latest = reading
        is_gone = reading.outcome is SourceOutcome.NONE and (
            self.gave or isinstance(reading.problem, Nowhere)
        )
        failed = is_gone or reading.outcome in _FAILED
        self.failing_since = (self.failing_since or self.clock()) if failed else None
        return reading

    def retry(self) -> datetime | None:
        """Return when to ask a source again that did not answer; None where it answered."""
        if not self._failures:
            return None
        asked = timedelta(seconds=self._wait)
        return self.clock() + max(growing(self._failures), min(asked, LONGEST_WAIT))

    def candidates(self, reading: SourceResult, last_day: date | None) -> tuple[SourceResult, ...]:
        """Return the digests that an account may publish whose last digest is of `last_day`.

        These are the newest digest; with BOT_CATCH_UP=all every later one; and earlier ones where
        the newest may not be published, or could not be read for a long time.
        """
        if reading.outcome is SourceOutcome.UNREACHABLE and not self._fails_for_long():
            return (reading,)
        if self.rules.catch_up is CatchUp.ALL and last_day is not None:
            # another digest of that day may have come later
            missed = self._all_since(last_day - DAY)
            return (*missed, *([reading] if not missed or not self._is_usable(reading) else []))
        if self._is_usable(reading):
            return (reading,)
        return (*self._newest(last_day), reading)

    def _fails_for_long(self) -> bool:
        since = self.failing_since
        return since is not None and self.clock() - since >= PATIENCE_WITH_SOURCE

    def _all_since(self, day: date) -> tuple[SourceResult, ...]:
        """Return the digests after a day, oldest first, until one of them may be published."""
        found: tuple[SourceResult, ...] = ()
        for _ in range(_PAGES):
            page = self._since(day, _PAGE)
            found = (*found, *page)
            days = [each.digest.day for each in page if each.digest]
            if (
                len(page) < _PAGE
                or any(map(self._is_usable, page))
                or max(days, default=day) <= day
            ):
                break
            day = max(days)
        return found

    def _newest(self, last_day: date | None) -> tuple[SourceResult, ...]:
        """Return the latest digests; earlier ones too, if none of them may be published."""
        today = self.clock().date()
        # a digest is published after its day; none before the account's last one may be published
        oldest = (self.clock() - self.rules.max_age - 3 * DAY).date()
        oldest = max(oldest, last_day - DAY) if last_day else oldest
        found: tuple[SourceResult, ...] = ()
        back = _FIRST_WINDOW
        while not any(map(self._is_usable, found)):
            day = max(today - back * DAY, oldest)
            found = self._since(day, _PAGE + back)
            if day == oldest:
                break
            back *= 2
        return found

    def _since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Ask the source, once in a pass: most accounts had the same digest last."""
        key = (day, most)
        with self._turn:  # accounts are served side by side
            if key not in self._missed:
                self._missed[key] = self.source.since(day, most)
            return self._missed[key]

    def _is_usable(self, reading: SourceResult) -> bool:
        """Tell whether the result is a digest that may be published, whatever its age."""
        digest = reading.digest
        if digest is None or reading.outcome not in (SourceOutcome.FOUND, SourceOutcome.STALE):
            return False
        if digest.slug in self.rules.skip:
            return False
        return not digest.draft and bool(digest.papers) and not is_to_come(digest, self.clock())
