"""One pass of the worker: the source is asked, and every account that is due is served.

Nothing that goes wrong in a pass ends the worker. What was put off is remembered with its time, and
`Runner.run` says when to come again for whom.
"""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from bot import plan
from bot.delivery.accounts import Publisher, side_by_side
from bot.delivery.identity import fingerprint
from bot.delivery.publish import AccountPublisher, PublishOptions, identity, refused
from bot.delivery.types import AccountResult, End
from bot.digests.result import SourceOutcome, SourceResult
from bot.errors import BotError, Replaced
from bot.http.urls import shown
from bot.ledger.rows import time_of
from bot.model import Account, Digest, Network
from bot.scheduler.decide import (
    AccountPlan,
    BeginDigest,
    GiveToPerson,
    PassRules,
    ResumeThread,
    Step,
    decide,
    goes_on,
    is_begun,
)
from bot.scheduler.history import account_history, record_nothing_for, with_known_slugs
from bot.scheduler.poll_source import SourcePoller, growing
from bot.scheduler.problems import AccountRun, Retry, StepResult
from bot.scheduler.reporter import Reporter
from bot.scheduler.retries import RetryState

EVERYBODY = ""
"""The name under which all accounts are rung for."""

CREDENTIALS_EVERY = timedelta(days=1)
CREDENTIALS_AT_START = timedelta(hours=1)
"""How old the last use of an account's credentials may be; at a start a fresher one is wanted."""

FIRST_REST = timedelta(minutes=15)
LONGEST_REST = timedelta(days=1)
"""How long a refused account is left alone, at first and at most."""

_BEGUN = "pass begun"
_TRIED = "credentials tried"
_GAVE = "source that gave a digest"


@dataclass(slots=True)
class Runner:
    """What is done each time the worker is rung for. Not for two threads at once."""

    service: Publisher
    accounts: Sequence[Account]
    poller: SourcePoller
    rules: Mapping[str, PassRules]
    reporter: Reporter
    _pending: dict[str, RetryState] = field(default_factory=dict, init=False)
    _nothing: defaultdict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set), init=False
    )
    _started: set[str] = field(default_factory=set, init=False)
    lost: bool = field(default=False, init=False)
    """Whether the ledger was replaced under us; another start opens it anew."""
    _broken: int = field(default=0, init=False)

    def run(self, names: Collection[str]) -> dict[str, datetime]:
        """Serve the accounts with these names; when to come again, by name, where that is known."""
        due = [each for each in self.accounts if EVERYBODY in names or each.name in names]
        self.reporter.begun(due)
        try:
            wakes = self._pass(due)
        except Exception as error:  # noqa: BLE001 - what nobody thought of must not end the worker
            self._broken += 1
            self.lost = isinstance(error, Replaced)
            self.reporter.failed(_worded(error))
            return dict.fromkeys((each.name for each in due), self._now() + growing(self._broken))
        self._broken = 0
        return wakes

    def _pass(self, accounts: Sequence[Account]) -> dict[str, datetime]:
        # a ledger that was deleted or replaced under us is found out here, before anything is sent
        self.service.ledger.set_fact("", _BEGUN, self._now().isoformat())
        self.reporter.asks()
        reading = self._asked()
        self.reporter.asked(reading, self.poller.failing_since)
        turns = side_by_side(lambda account: self._turn(account, reading), accounts)
        self.reporter.ended(reading, self.poller.failing_since, turns)
        retry = self.poller.retry()
        times = {
            turn.account.name: [turn.plan.wake, self._of(turn.account).wake(self._now()), retry]
            for turn in turns
        }
        return {
            name: min(known) for name, each in times.items() if (known := [*filter(None, each)])
        }

    def _asked(self) -> SourceResult:
        """Ask the source; the ledger keeps how its digest looks, and that it has given one."""
        ledger, source = self.service.ledger, shown(self.service.settings.digests or "")
        gave = self.poller.gave = ledger.get_fact("", _GAVE) == source
        reading = self.poller.ask()
        if reading.outcome is SourceOutcome.FOUND and reading.digest:
            # so that a change after its publication is known
            digest = reading.digest
            ledger.digest_seen(digest.slug, fingerprint(digest), digest.title, self._now())
            if not gave:
                ledger.set_fact("", _GAVE, source)
        return reading

    # One account ---------------------------------------------------------------------------------

    def _turn(self, account: Account, reading: SourceResult) -> AccountRun:
        """Do for an account what there is to do; its troubles are its own."""
        pending = self._of(account)
        try:
            if rest := self._rest(account):
                account_plan = AccountPlan(wake=rest[0])
                return AccountRun(
                    account, account_plan, (), pending.all(), whole=False, rests=rest[1]
                )
            pending.forget(self._settled(account, pending.all()))
            account_plan = self._todo(account, reading, pending.waits(self._now()))
            done = tuple(self._steps(account, account_plan.steps))
            waits = pending.waits(self._now())
            if not done and "" not in waits and self._is_due(account):
                done = (StepResult(None, self._tried(account)),)
            pending.went_through()
            self._started.add(account.name)
            if any(each.used for each in done):
                self.service.ledger.set_fact(account.name, _TRIED, self._stamp(account))
        except Exception as error:  # noqa: BLE001 - one account's trouble never stops another's
            account_plan, done = (
                None,
                (StepResult(None, AccountResult(account, End.FAILED, reason=_worded(error))),),
            )
        pending.after(done, self._now())
        cut_since = None
        if account_plan is not None and not self.poller.failing_since:
            cut_since = pending.cut_since(account_plan.cut, self._now())
        return AccountRun(
            account,
            account_plan or AccountPlan(),
            done,
            pending.all(),
            cut_since,
            account_plan is not None,
        )

    def _rest(self, account: Account) -> tuple[datetime, str] | None:
        """When an account that is refused as a whole is tried again, and why; None for now.

        Some networks mail the owner at each refused login, or bar an account after some. So it is
        tried at each start, with other settings, and else after waits that grow to a day.
        """
        known = refused(self.service.settings, self.service.ledger, account)
        if known is None or account.name not in self._started:
            return None
        again = known.at + growing(known.times, FIRST_REST, LONGEST_REST)
        return (again, known.reason) if known.at <= self._now() < again else None

    def _of(self, account: Account) -> RetryState:
        return self._pending.setdefault(account.name, RetryState())

    def _todo(
        self, account: Account, reading: SourceResult, waits: Mapping[str, datetime]
    ) -> AccountPlan:
        name, ledger, now = account.name, self.service.ledger, self._now()
        known = account_history(ledger, name, now, waits)
        candidates = self.poller.candidates(reading, known.last and known.last[0])
        known = with_known_slugs(known, ledger, name, candidates)
        known = replace(known, known=known.known | self._nothing[name])
        return decide(known, candidates, now, self.rules[name])

    def _settled(self, account: Account, pending: Iterable[Retry]) -> Iterator[str]:
        """The digests that are pending no more: a person posted them, or has to decide."""
        now, rules = self._now(), self.rules[account.name]
        for each in pending:
            thread = self.service.ledger.thread(account.name, each.slug)
            if thread is not None and not goes_on(thread, now, rules):
                yield each.slug

    def _steps(self, account: Account, steps: Sequence[Step]) -> Iterator[StepResult]:
        for step in steps:
            served = self._do(account, step)
            yield StepResult(step, served)
            if isinstance(step, BeginDigest) and _is_past(served, step.digest):
                record_nothing_for(self.service.ledger, account.name, step.digest)
                self._nothing[account.name].add(step.digest.slug)
            waits = served.end not in (End.DONE, End.HELD) and not is_begun(served.thread)
            if served.stops or waits or self.service.around.stopping():
                return  # digests keep their order, and no account is hammered

    def _do(self, account: Account, step: Step) -> AccountResult:
        match step:
            case ResumeThread(thread):
                return self._guarded(account, lambda publisher: publisher.resume(thread.number))
            case GiveToPerson(thread, reason):
                return self._guarded(
                    account, lambda publisher: publisher.hold(thread.number, reason)
                )
            case BeginDigest(digest):
                return self._begun(account, digest)

    def _begun(self, account: Account, digest: Digest) -> AccountResult:
        settings, ledger, told = self.service.settings, self.service.ledger, self.reporter.undrawn
        try:
            threads = plan.threads(settings, digest, [account], None, ledger, told)
        except Exception as error:  # noqa: BLE001 - a template may raise what it likes
            return AccountResult(account, End.FAILED, reason=_worded(error))
        reorder = partial(plan.in_order, settings, digest, account)
        return self._guarded(
            account,
            lambda publisher: publisher.publish(digest, threads[0], PublishOptions(), reorder),
        )

    def _guarded(
        self, account: Account, work: Callable[[AccountPublisher], AccountResult]
    ) -> AccountResult:
        try:
            return self.service.serve(account, work)
        except Exception as error:  # noqa: BLE001 - what nobody thought of is this account's alone
            return AccountResult(account, End.FAILED, reason=_worded(error))

    # Its credentials -----------------------------------------------------------------------------

    def _is_due(self, account: Account) -> bool:
        """Whether its credentials were not put to use for long; once more after each start.

        Those of a plan of X that cannot read are first tried by a post.
        """
        if account.network is Network.TWITTER and not self.service.settings.twitter_reads:
            return False
        said = self.service.ledger.get_fact(account.name, _TRIED) or ""
        owner, _, tried = said.partition(" ")
        if owner != identity(self.service.settings, account):
            return True
        longest = CREDENTIALS_EVERY if account.name in self._started else CREDENTIALS_AT_START
        return not timedelta(0) <= self._now() - time_of(tried) < longest

    def _stamp(self, account: Account) -> str:
        """When credentials were last put to use, and whose."""
        return f"{identity(self.service.settings, account)} {self._now().isoformat()}"

    def _tried(self, account: Account) -> AccountResult:
        return self._guarded(account, lambda publisher: publisher.try_credentials())

    def _now(self) -> datetime:
        return self.service.around.clock()


def _is_past(served: AccountResult, digest: Digest) -> bool:
    """Whether an account is done with a digest that it has no thread of: nothing, or another's."""
    own = served.thread is not None and served.thread.digest == digest.slug
    return served.end is End.DONE and not own


def _worded(error: Exception) -> str:
    """What went wrong; where in the program, for an error that nobody thought of."""
    if isinstance(error, BotError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"a bug in bot: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
