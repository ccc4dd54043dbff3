"""What came of a pass, and what of it a person should know. Pure."""

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
"""The troubles that make a pass a bad one: what it was to do could not be done, or not be told."""

PATIENCE_WITH_SOURCE = timedelta(minutes=30)
"""A source that does not answer for so long is a trouble; before, it is weather."""

PATIENCE_WITH_NETWORK = timedelta(hours=1)
"""The same of a network that does not say when to come again."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step and what became of it; no step where only the credentials were tried."""

    step: Step | None
    served: AccountResult

    @property
    def slug(self) -> str:
        """The digest it was about; empty for none."""
        match self.step:
            case BeginDigest(digest):
                return digest.slug
            case ResumeThread(thread) | GiveToPerson(thread, _):
                return thread.digest
            case None:
                return ""

    @property
    def used(self) -> bool:
        """Whether the account's credentials were put to use, and taken."""
        served = self.served
        if self.step is None:
            return served.end is End.DONE
        if served.thread is None or isinstance(self.step, GiveToPerson):
            return False
        before = self.step.thread if isinstance(self.step, ResumeThread) else None
        further = _reached(served.thread) > _reached(before)
        return served.end in (End.DONE, End.HELD) or (served.end is End.LATER and further)


def _reached(thread: StoredThread | None) -> tuple[bool, int]:
    """How far a thread has come: whether the account was read for it, and how much is out."""
    if thread is None:
        return False, 0
    out = sum(post.state is State.SENT for post in thread.posts)
    return thread.looked_at is not None, out


@dataclass(frozen=True, slots=True)
class Retry:
    """A digest that is not out though it should be, or with no slug, credentials that were tried.

    It was so `since`, in so many tries, the last one `tried`, and is tried again at `until`, None
    for the next pass. `told` says that the network, or the budget, named that time. `published` is
    the digest's, None where its thread is in the ledger, which then knows more.
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
    """One account in one pass: what it was to do, what became of it, and what still waits.

    `cut_since` is when what `plan` is cut at was first found so; None where the source is to blame.
    A turn that is not `whole` broke off, and tells nothing of what there was to do. `rests` says
    why nothing was tried: the account was refused before.
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
        """Why the account can do nothing at all; empty where it can, or was not asked to."""
        return next((each.served.reason for each in self.done if each.served.stops), self.rests)


def of_source(
    reading: SourceResult, failing_since: datetime | None, now: datetime
) -> Iterator[Problem]:
    """The trouble with the source: text that is no digest at once, silence after a while."""
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
    """The troubles of one account; `threads` are those that are not at their end."""
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
    """Say why a pass reached no network at all, though it was to; empty where it did."""
    tried = [done.served for turn in turns for done in turn.done]
    silent = [each for each in tried if each.end is End.LATER and not each.named]
    if not tried or len(silent) < len(tried) or any(d.used for turn in turns for d in turn.done):
        return ""
    return f"no network could be reached: {'; '.join(each.reason for each in silent)}"


def _of_thread(account: str, thread: StoredThread) -> Iterator[Problem]:
    """The first post of a thread that is held or unknown: those after it wait for it."""
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
    """Whether this pass could tell that the trouble with this key is over.

    One of an account that is not among the `accounts` any more is. What takes time to be a trouble
    is not over for being young after a restart: a source that is `failing`, a silent network.
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
