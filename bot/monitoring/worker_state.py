"""What is known of how the worker is: written from any thread, read as one frozen snapshot.

Nothing is judged here; `bot/monitoring/health.py` does that.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bot.ledger.rows import StoredLimit
from bot.model import Network


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time by both clocks: `at` (UTC) can be set by anybody, `seconds` only grow."""

    at: datetime
    seconds: float

    def since(self, then: Moment) -> float:
        """Return the seconds from `then` to here, whatever became of the wall clock."""
        return self.seconds - then.seconds

    def past(self, due: Moment) -> float:
        """Return how many seconds `due` is surely past: by both clocks, so that none's jump counts.

        Less than nothing where it is not.
        """
        return min(self.since(due), (self.at - due.at).total_seconds())


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """An account as the last pass left it.

    `able` says whether its credentials were taken when they were last put to use; None where they
    never were. `reason` says why it cannot post, or what it waits for `until` then, and `fix` what
    to do about it. `pending`, `unknown` and `held` are its posts in these states; `spent_usd` and
    `budget_usd` are this month's, the latter None for none. `limits` are those in force.
    """

    name: str
    network: Network
    able: bool | None = None
    reason: str = ""
    fix: str = ""
    until: datetime | None = None
    tried_at: datetime | None = None
    last_sent_at: datetime | None = None
    last_digest: str = ""
    pending: int = 0
    unknown: int = 0
    held: int = 0
    spent_usd: Decimal = Decimal(0)
    budget_usd: Decimal | None = None
    limits: tuple[StoredLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The source as it was when it was last asked.

    `state` is the outcome in one word, `reason` says why it is not well, `digest` is the slug of
    what it holds, `since` when it began to be `ok`, or not to be.
    """

    state: str
    ok: bool
    digest: str
    asked: Moment
    since: Moment
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CurrentPass:
    """A pass that is not over, and the accounts it is for. `due` is when a sign of life is due."""

    begun: Moment
    accounts: tuple[str, ...]
    due: float


@dataclass(frozen=True, slots=True)
class FinishedPass:
    """A pass that is over. `reason` says why it was not a good one; it took so many `seconds`."""

    ended: Moment
    seconds: float
    good: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known at one moment, `now`.

    `ticked` is the timer's last sign of life, at first the start. `due` is when a pass must have
    begun, which at first is at once; None while one is at work, and where none will ever be due.
    `next_run` is the same for people, None where it was not said. `good` and `bad` count passes,
    `counts` events by name and account.
    """

    now: Moment
    started: Moment
    ticked: Moment
    at_work: CurrentPass | None
    last: FinishedPass | None
    last_good: FinishedPass | None
    good: int
    bad: int
    due: Moment | None
    next_run: datetime | None
    source: SourceHealth | None
    accounts: tuple[AccountHealth, ...]
    counts: tuple[tuple[str, str, int], ...]


class WorkerState:
    """Keeps what it is told; every method may be called from any thread.

    `clock` gives aware UTC times, `monotonic` seconds that only grow. `redact` takes secrets out of
    every reason, since what is kept here is shown to whoever asks.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        redact: Callable[[str], str] = str,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._redact = redact
        # a signal handler may tell something while the thread that it interrupts does
        self._lock = threading.RLock()
        now = self._now()
        self._known = Snapshot(
            now=now,
            started=now,
            ticked=now,
            at_work=None,
            last=None,
            last_good=None,
            good=0,
            bad=0,
            due=now,
            next_run=None,
            source=None,
            accounts=(),
            counts=(),
        )
        self._counts: Counter[tuple[str, str]] = Counter()

    def snapshot(self) -> Snapshot:
        """Return all that is known now."""
        with self._lock:
            counts = tuple((*key, number) for key, number in sorted(self._counts.items()))
            return replace(self._known, now=self._now(), counts=counts)

    # The work ------------------------------------------------------------------------------------

    def begun(self, accounts: Collection[str]) -> None:
        """A pass begins, for the accounts with these names; what was due has come."""
        with self._lock:
            now = self._now()
            work = CurrentPass(now, tuple(accounts), now.seconds)
            self._known = replace(self._known, at_work=work, due=None, next_run=None)

    def sign(self, seconds: float = 0) -> None:
        """Give a sign of life from within a pass, and promise the next within `seconds`.

        Accounts work side by side: the promise that reaches furthest holds.
        """
        with self._lock:
            work = self._known.at_work
            if work is not None:
                due = max(work.due, self._monotonic() + seconds)
                self._known = replace(self._known, at_work=replace(work, due=due))

    def ended(self, *, good: bool, reason: str = "") -> None:
        """The pass is over, with a reason if it was not good. `next_run` is to be said soon."""
        with self._lock:
            now, known = self._now(), self._known
            begun = known.at_work.begun if known.at_work else now
            over = FinishedPass(now, now.since(begun), good, self._redact(reason))
            self._known = replace(
                known,
                at_work=None,
                last=over,
                last_good=over if good else known.last_good,
                good=known.good + good,
                bad=known.bad + (not good),
                due=now,
            )

    def next_run(self, moment: datetime | None) -> None:
        """The next pass begins at this time; None where the schedule has no other."""
        with self._lock:
            now = self._now()
            due = None
            if moment is not None:
                due = Moment(moment, now.seconds + (moment - now.at).total_seconds())
            self._known = replace(self._known, due=due, next_run=moment)

    def ticked(self) -> None:
        """Give a sign of life of the timer, which it must do every minute or so."""
        with self._lock:
            self._known = replace(self._known, ticked=self._now())

    # What it found -------------------------------------------------------------------------------

    def source(self, state: str, *, ok: bool, digest: str = "", reason: str = "") -> None:
        """The source was asked: the outcome in a word, whether that is well, and what it holds."""
        with self._lock:
            now, before = self._now(), self._known.source
            since = before.since if before and before.ok is ok else now
            source = SourceHealth(
                self._redact(state), ok, self._redact(digest), now, since, self._redact(reason)
            )
            self._known = replace(self._known, source=source)

    def account(self, health: AccountHealth) -> None:
        """Keep how an account is, in place of what was known of it."""
        told = replace(
            health,
            reason=self._redact(health.reason),
            fix=self._redact(health.fix),
            limits=tuple(replace(one, reason=self._redact(one.reason)) for one in health.limits),
        )
        with self._lock:
            known = {one.name: one for one in self._known.accounts} | {health.name: told}
            self._known = replace(self._known, accounts=tuple(known.values()))

    def count(self, event: str, account: str = "") -> None:
        """Count an event; both names are to be few, each is a line of /metrics for ever."""
        with self._lock:
            self._counts[event, account] += 1

    def _now(self) -> Moment:
        return Moment(self._clock(), self._monotonic())
