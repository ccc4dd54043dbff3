"""Find the problems of a pass that a person should know about. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.delivery.types import AccountResult, End
from bot.digests.result import SourceOutcome, SourceResult
from bot.ledger.rows import StoredThread
from bot.model import Account, State
from bot.monitoring.problem import Problem
from bot.scheduler.decide import AccountPlan, BeginDigest, GiveToPerson, ResumeThread, Step
from bot.terminal import argument

SOURCE = "source"
BAD = frozenset({SOURCE, "failed", "refused", "silent", "unread"})
"""The problems that make a pass a failed one: its work could not be done, or not be known."""

PATIENCE_WITH_SOURCE = timedelta(minutes=30)
"""How long a source may not answer before that is a problem."""

PATIENCE_WITH_NETWORK = timedelta(hours=1)
"""How long a network may not answer, without naming a time, before that is a problem."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step and its result; `step` is None where only the credentials were tried."""

    step: Step | None
    served: AccountResult

    @property
    def slug(self) -> str:
        """The slug of the step's digest; empty for none."""
        match self.step:
            case BeginDigest(digest):
                return digest.slug
            case ResumeThread(thread) | GiveToPerson(thread, _):
                return thread.digest
            case None:
                return ""

    @property
    def used(self) -> bool:
        """Whether the account's credentials were used, and the network accepted them."""
        served = self.served
        if self.step is None:
            return served.end is End.DONE
        if served.thread is None or isinstance(self.step, GiveToPerson):
            return False
        before = self.step.thread if isinstance(self.step, ResumeThread) else None
        further = _reached(served.thread) > _reached(before)
        return served.end in (End.DONE, End.HELD) or (served.end is End.LATER and further)


def _reached(thread: StoredThread | None) -> tuple[bool, int]:
    """Return whether the account was read for the thread, and how many posts are published."""
    if thread is None:
        return False, 0
    out = sum(post.state is State.SENT for post in thread.posts)
    return thread.looked_at is not None, out


@dataclass(frozen=True, slots=True)
class Retry:
    """A digest that could not be published; without a slug, credentials that were refused.

    The first try was at `since`, the last of the `times` tries at `tried`. The next try is at
    `until`, or in the next pass if that is None. `told` says that the network or the budget named
    that time. `published` is when the digest was published; None where the ledger has its thread.
    """

    slug: str
    end: End
    reason: str
    since: datetime
    tried: datetime
    times: int
    until: datetime | None
    told: bool
    published: datetime | None


@dataclass(frozen=True, slots=True)
class AccountRun:
    """One account in one pass: its plan, the results of its steps, and what still waits.

    `cut_since` is when the digest that `plan.cut` names could first not be read; None where the
    whole source cannot be read. A run that is not `whole` broke off, so its plan is not known.
    `rests` says why nothing was tried: the network refused the account before.
    """

    account: Account
    plan: AccountPlan
    done: tuple[StepResult, ...]
    pending: tuple[Retry, ...] = ()
    cut_since: datetime | None = None
    whole: bool = True
    rests: str = ""

    @property
    def refused(self) -> str:
        """Why the network refuses the account; empty where it does not, or was not asked."""
        return next((each.served.reason for each in self.done if each.served.stops), self.rests)


def of_source(
    reading: SourceResult, failing_since: datetime | None, now: datetime
) -> Iterator[Problem]:
    """Yield the problem of the source: a text that is no digest, or no answer for a while."""
    if failing_since is None:
        return
    if reading.outcome is SourceOutcome.MALFORMED or now - failing_since >= PATIENCE_WITH_SOURCE:
        problem = reading.problem
        yield Problem(
            key=SOURCE,
            account="",
            what=SOURCE,
            subject=reading.source,
            message=problem.message if problem else reading.outcome.value,
            fix=(problem.fix if problem else "") or "Look at it with bot check.",
        )


def of_account(
    turn: AccountRun, threads: Sequence[StoredThread], max_age: timedelta, now: datetime
) -> Iterator[Problem]:
    """Yield the problems of one account; `threads` are those that are not finished."""
    name = turn.account.name
    if turn.refused:
        yield _problem(name, "refused", "", turn.refused, "See bot check.")
    for thread in threads:
        yield from _of_thread(name, thread)
    for thread in turn.plan.given_up:
        yield _left(name, thread.digest, "nothing of it went out within BOT_MAX_AGE")
    if turn.plan.cut and turn.cut_since and now - turn.cut_since >= PATIENCE_WITH_SOURCE:
        yield _unread(name, turn.plan.cut)
    for each in turn.pending:
        yield from _of_pending(name, each, max_age, now)


def all_silent(turns: Sequence[AccountRun]) -> str:
    """Return why a pass reached none of the networks that it tried; empty where it reached one."""
    tried = [done.served for turn in turns for done in turn.done]
    silent = [each for each in tried if each.end is End.LATER and not each.named]
    if not tried or len(silent) < len(tried) or any(d.used for turn in turns for d in turn.done):
        return ""
    return f"no network could be reached: {'; '.join(each.reason for each in silent)}"


def _of_thread(account: str, thread: StoredThread) -> Iterator[Problem]:
    """Yield the problem of the first post that is held or unknown: later posts wait for it."""
    for post in thread.posts:
        if post.state in _FIXES:
            message = f"post {post.number} is {post.state}: {post.reason}"
            yield _problem(account, post.state.value, thread.digest, message, _FIXES[post.state])
            return


def _of_pending(account: str, each: Retry, max_age: timedelta, now: datetime) -> Iterator[Problem]:
    if each.end is End.FAILED:
        skip = f" To go on without it, put {each.slug} into BOT_SKIP." if each.slug else ""
        yield _problem(account, "failed", each.slug, each.reason, f"It is tried again.{skip}")
        return
    again = each.until or now
    if each.published is not None and max(again, now) > each.published + max_age:
        yield _left(account, each.slug, f"{each.reason}; by {again:%Y-%m-%d} it is too old")
    if not each.told and now - each.since >= PATIENCE_WITH_NETWORK:
        message = f"{each.reason}; so it is since {each.since:%Y-%m-%d %H:%M} UTC"
        yield _problem(account, "silent", "", message, "It is tried again; see bot check.")


def _unread(account: str, cut: SourceResult) -> Problem:
    said, fix = (cut.problem.message, cut.problem.fix) if cut.problem else (cut.source, "")
    ways = "take what cannot be read away, or set BOT_CATCH_UP=latest."
    fix = f"{fix} Or {ways}" if fix else f"Make it readable, {ways}"
    return _problem(account, "unread", cut.source, f"{said}; what came after it waits", fix)


def _left(account: str, slug: str, message: str) -> Problem:
    fix = f"The worker gives it up; to post it: bot post {argument(slug)}"
    return _problem(account, "left", slug, message, fix)


def _problem(account: str, what: str, subject: str, message: str, fix: str) -> Problem:
    key = ":".join(filter(None, (what, account, subject)))
    return Problem(key, account, what, subject, " ".join(message.split()), fix)


_FIXES = {
    State.HELD: "Decide with bot settle, or take it back with bot retract; see bot status.",
    State.UNKNOWN: "The next pass goes on asking; nothing is to be done yet.",
}


def judges(
    key: str, turns: Sequence[AccountRun], accounts: Collection[str], *, failing: bool
) -> bool:
    """Tell whether this pass could see that the problem with this key is over.

    A problem of an account that is not among the `accounts` any more is over. A source that is
    `failing`, or a network that does not answer, becomes a problem only after a while. So such a
    problem is not over only because the worker was started again.
    """
    what, _, rest = key.partition(":")
    if what == SOURCE:
        return not failing
    if what == "pass":
        return True
    name = rest.partition(":")[0]
    turn = next((turn for turn in turns if turn.account.name == name), None)
    if turn is None:
        return name not in accounts
    if what in {"refused", "silent"}:
        return any(done.used for done in turn.done)
    if what == "unread":
        return turn.whole and turn.plan.cut is None
    return turn.whole or what != "left"
