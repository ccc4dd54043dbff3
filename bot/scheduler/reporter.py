"""Everything the worker lets be known of itself: log, health, alerts, heartbeat, the ledger's note.

It is told what happens, and says it in each of these places; it decides nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from bot.delivery.budget import month_of
from bot.delivery.types import End, Event
from bot.digests.result import SourceResult
from bot.errors import BotError
from bot.model import Account, State
from bot.monitoring.alert_once import AlertSender, ProblemReport, ProblemsInMemory, report
from bot.monitoring.health import verdict
from bot.monitoring.problem import Problem
from bot.monitoring.worker_state import AccountHealth, WorkerState
from bot.output.report import LAST_GOOD_PASS, LAST_PASS, NEXT_RUN
from bot.scheduler.decide import GiveToPerson, IdleReason
from bot.scheduler.problems import BAD, AccountRun, StepResult, all_silent, of_account, of_source
from bot.scheduler.problems import judges as pass_judges

if TYPE_CHECKING:
    from bot.ledger.store import Ledger
    from bot.monitoring.log import Log

_SOURCE_TAKES = 15 * 60.0  # a feed, or a folder on GitHub, is many answers
_MOST_SAID = 500
_QUIET = frozenset({"sending", "not seen yet"})
_LOUD = {
    "held": "error",
    "unknown": "warning",
    "limited": "warning",
    "picture left out": "warning",
    "picture lost": "warning",
}
_LEVELS = {End.DONE: "info", End.LATER: "warning"}  # else "error"


class Beats(Protocol):
    """Whoever tells that a pass is over: `Heartbeat`."""

    def beat(self, *, good: bool) -> str:
        """Tell it; why that failed, empty if it did not."""
        ...


@dataclass(slots=True)
class Reporter:
    """What tells the world. Told by the main thread, but `event`, which any thread may call."""

    log: Log
    watch: WorkerState
    heartbeat: Beats | None
    alerts: AlertSender | None
    ledger: Ledger
    accounts: Collection[str]
    max_age: timedelta
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    stopping: Callable[[], bool]
    _accounts: dict[str, AccountHealth] = field(default_factory=dict, init=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, init=False)
    _source_reason: str = field(default="", init=False)
    _hung: ProblemsInMemory = field(default_factory=ProblemsInMemory, init=False)
    _memory: ProblemsInMemory = field(default_factory=ProblemsInMemory, init=False)
    _stuck: bool = field(default=False, init=False)
    _idle: dict[str, IdleReason] = field(default_factory=dict, init=False)
    _said: set[str] = field(default_factory=set, init=False)
    _began: float = field(default=0.0, init=False)

    # What happens in a pass ----------------------------------------------------------------------

    def begun(self, accounts: Sequence[Account]) -> None:
        """A pass begins, for these accounts."""
        self._began = self.monotonic()
        self.watch.begun([account.name for account in accounts])

    def asks(self) -> None:
        """The source is about to be asked, which may be several requests."""
        self.watch.sign(_SOURCE_TAKES)

    def asked(self, reading: SourceResult, failing_since: datetime | None) -> None:
        """The source was asked."""
        slug = reading.digest.slug if reading.digest else ""
        problem = reading.problem if failing_since is not None else None
        reason = _line(problem.message) if problem else ""
        self.watch.source(
            reading.outcome.value, ok=failing_since is None, digest=slug, reason=reason
        )
        if problem and reason != self._source_reason:
            self.log("source.failed", level="warning", reason=reason, mend=problem.fix or None)
        self._source_reason = reason
        for warning in reading.warnings:
            named = warning if reading.source in warning else f"{reading.source}: {warning}"
            self._once("digest.warning", named, level="warning")

    def event(self, happened: Event) -> None:
        """Something happened to a post."""
        self.watch.sign()
        self.watch.count(happened.what, happened.account)
        if happened.what in _QUIET:
            return
        subject = "thread" if happened.position is None else "post"
        self.log(
            f"{subject}.{happened.what.replace(' ', '_')}",
            level=_LOUD.get(happened.what, "info"),
            digest=happened.digest,
            account=happened.account,
            position=happened.position,
            id=happened.id or None,
            seconds=None if happened.seconds is None else round(happened.seconds, 3),
            url=happened.detail if happened.id else None,
            reason=None if happened.id else happened.detail,
        )

    def undrawn(self, reason: str) -> None:
        """A picture could not be drawn; may be called from any thread."""
        self.log("picture.undrawn", level="warning", reason=reason)

    def ended(
        self, reading: SourceResult, failing_since: datetime | None, turns: Sequence[AccountRun]
    ) -> None:
        """The pass is over: tell what came of it, wherever that is told."""
        for turn in turns:
            self._turn(turn)
        found = list(self._problems(reading, failing_since, turns))
        failing = failing_since is not None
        stopping = self.stopping()
        if stopping:  # what a stop broke off is no trouble: the next start goes on with it
            found = [each for each in found if each.what != State.UNKNOWN]

        def judges(key: str) -> bool:
            is_open = stopping and key.startswith(f"{State.UNKNOWN}:")
            return not is_open and pass_judges(key, turns, self.accounts, failing=failing)

        self._report(found, judges)
        bad = [problem for problem in found if problem.what in BAD]
        reason = "; ".join(dict.fromkeys(f"{one.what}: {one.message}" for one in bad))
        if failing_since is not None and not reason:
            reason = f"source: {self._source_reason or reading.outcome}"
        reason = reason or all_silent(turns)
        self._over(reason, reading)

    def failed(self, reason: str) -> None:
        """The pass broke off."""
        self.log("pass.failed", level="error", reason=reason)
        problem = Problem("pass", "", "failed", "", reason, "It is tried again.")
        self._report([problem], lambda key: key == "pass")
        self._over(reason, None)

    def tick(self) -> None:
        """The timer's sign of life; once for each time, it notices that the worker is stuck."""
        self.watch.ticked()
        judged = verdict(self.watch.snapshot())
        if judged.stuck is self._stuck:
            return
        self._stuck = judged.stuck
        if not judged.stuck:
            self.log("worker.unstuck")
            threading.Thread(target=self._calm, daemon=True).start()
            return
        reason = "; ".join(judged.reasons)
        fix = "Restart it: nothing is lost, and nothing posted twice."
        self.log("worker.stuck", level="error", reason=reason, mend=fix)
        # beside the pass that hangs, and without the ledger, which may be what it hangs on
        threading.Thread(target=self._cry, args=(reason, fix), daemon=True).start()

    def _cry(self, reason: str, fix: str) -> None:
        if self.heartbeat:
            self.heartbeat.beat(good=False)
        problem = Problem("stuck", "", "stuck", "", reason, fix)
        self._tell_of_hanging([problem])

    def _calm(self) -> None:
        self._tell_of_hanging([])

    def _tell_of_hanging(self, problems: Sequence[Problem]) -> None:
        """Without the ledger, which may be what it hangs on."""
        with self._telling:
            told = report(self._hung, self.alerts, problems, lambda _: True, self.clock())
        for reason in told.reasons:
            self.log("alerts.failed", level="warning", reason=reason)

    def next_run(self, moment: datetime | None) -> None:
        """When the next pass is due."""
        self.watch.next_run(moment)
        self._note(NEXT_RUN, moment)

    # What is told where --------------------------------------------------------------------------

    def _over(self, reason: str, reading: SourceResult | None) -> None:
        good = not reason
        self.watch.ended(good=good, reason=reason)
        self.log(
            "pass.ended",
            level="info" if good else "warning",
            good=good,
            reason=reason or None,
            seconds=round(self.monotonic() - self._began, 3),
            source=reading.outcome.value if reading else None,
            digest=reading.digest.slug if reading and reading.digest else None,
        )
        now = self.clock()
        self._note(LAST_PASS, now)
        if good:
            self._note(LAST_GOOD_PASS, now)
        if self.heartbeat and not self.stopping():
            problem = self.heartbeat.beat(good=good)
            if problem:
                self.log("heartbeat.failed", level="warning", reason=problem)

    def _turn(self, turn: AccountRun) -> None:
        name = turn.account.name
        if turn.plan.idle is not None and self._idle.get(name) is not turn.plan.idle:
            self.log("account.idle", account=name, reason=turn.plan.idle.value)
        self._idle[name] = turn.plan.idle or IdleReason.NOTHING_NEW
        for done in turn.done:
            self._done(name, done)
        self.watch.account(self._health(turn))

    def _health(self, turn: AccountRun) -> AccountHealth:
        account, now = turn.account, self.clock()
        known = self._accounts.get(account.name) or AccountHealth(account.name, account.network)
        used = any(done.used for done in turn.done)
        waiting = next(iter(turn.pending), None)
        open_threads = self.ledger.threads(account.name, unfinished=True)
        states = [post.state for thread in open_threads for post in thread.posts]
        newest = next(iter(self.ledger.threads(account.name, most=1)), None)
        last = self.ledger.last_known(account.name)
        health = replace(
            known,
            able=False if turn.refused else True if used else known.able,
            reason=turn.refused or (waiting.reason if waiting else ""),
            fix="See bot check." if turn.refused else "",
            until=waiting.until if waiting else None,
            tried_at=now if used or turn.refused else known.tried_at,
            last_sent_at=last[1] if last else None,
            last_digest=newest.digest if newest else "",
            pending=sum(state in {State.PLANNED, State.SENDING} for state in states),
            unknown=states.count(State.UNKNOWN),
            held=states.count(State.HELD),
            spent_usd=self.ledger.spent(account.name, month_of(now)),
            budget_usd=account.monthly_budget,
            limits=self.ledger.limits(account.name, now),
        )
        self._accounts[account.name] = health
        return health

    def _done(self, name: str, done: StepResult) -> None:
        served, about = done.served, {"account": name, "digest": done.slug or None}
        if served.stops:
            self.log("account.refused", level="error", reason=_line(served.reason), **about)
        elif done.step is None:
            ready = served.end is End.DONE
            self.log(
                "account.ready" if ready else "account.untried",
                level="info" if ready else "warning",
                reason=_line(served.reason) or None,
                **about,
            )
        elif served.end is End.DONE and served.thread is None:
            self.log("thread.none", level="info", reason=served.reason, **about)
        elif served.end is not End.HELD or isinstance(done.step, GiveToPerson):
            posts = served.thread.posts if served.thread else ()
            left = sum(post.state not in {State.SENT, State.RETRACTED} for post in posts)
            self.log(
                f"thread.{served.end}",
                level=_LEVELS.get(served.end, "error"),
                posts=len(posts) or None,
                left=left or None,
                url=(posts[0].url or None) if posts else None,
                reason=_line(served.reason) or None,
                until=served.until,
                **about,
            )

    def _problems(
        self, reading: SourceResult, failing_since: datetime | None, turns: Sequence[AccountRun]
    ) -> Iterator[Problem]:
        yield from of_source(reading, failing_since, self.clock())
        for turn in turns:
            open_threads = self.ledger.threads(turn.account.name, unfinished=True)
            yield from of_account(turn, open_threads, self.max_age, self.clock())

    def _report(self, found: Sequence[Problem], judges: Callable[[str], bool]) -> None:
        """Keep what is wrong, and tell the operator what is new and what is over."""
        told = self._reported(found, judges)
        for problem in told.raised:
            self.log(
                "trouble.raised",
                level="warning",
                trouble=problem.what,
                account=problem.account,
                digest=problem.subject,
                reason=problem.message,
                mend=problem.fix,
            )
        for gone in told.over:
            self.log("trouble.over", trouble=gone.what, account=gone.account, digest=gone.subject)
        for reason in told.reasons:
            self.log("alerts.failed", level="warning", reason=reason)

    def _reported(self, found: Sequence[Problem], judges: Callable[[str], bool]) -> ProblemReport:
        """Keep it in the ledger; while that cannot be used, its own trouble in memory."""
        now, always = self.clock(), lambda _: True
        with self._telling:
            try:
                told = report(self.ledger, self.alerts, found, judges, now)
            except BotError as error:
                problem = Problem("ledger", "", "failed", "ledger", error.message, error.fix)
                return report(self._memory, self.alerts, [problem], always, now)
            over = report(self._memory, self.alerts, [], always, now).over
        return replace(told, over=(*told.over, *over))

    def _note(self, name: str, moment: datetime | None) -> None:
        """Keep a time in the ledger, for `bot status`; a ledger that fails is told of elsewhere."""
        with suppress(BotError):
            self.ledger.set_fact("", name, moment.isoformat() if moment else "")

    def _once(self, event: str, reason: str, level: str) -> None:
        if reason not in self._said:
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said.add(reason)
            self.log(event, level=level, reason=reason)


def _line(text: str) -> str:
    return " ".join(text.split())
