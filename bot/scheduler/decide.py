"""Decide what the worker does for an account now, from the time and from what is known.

Threads that were begun are continued first, the oldest first. Then a new digest may be begun. A
digest that is older than the newest one of the account is never begun. No digest is begun while a
thread waits of which no post is published, so that digests are published in their order. A thread
that is half published blocks no other thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from bot.delivery.identity import is_half_retracted
from bot.digests.result import SourceOutcome, SourceResult
from bot.digests.source import judge
from bot.http.urls import slug_of
from bot.ledger.rows import StoredThread
from bot.model import Digest, State
from bot.settings.options import CatchUp

CATCH_UP_A_DAY = 3
"""The most threads that are begun within 24 hours with BOT_CATCH_UP=all."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PassRules:
    """What the operator set: the age a digest may have, what is caught up, what is never published.

    `checks` says whether a published thread is read once more. That is so where reading is free.
    """

    max_age: timedelta
    catch_up: CatchUp = CatchUp.LATEST
    skip: frozenset[str] = frozenset()
    checks: bool = True


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """An account's publishing history from the ledger, as input for `decide`.

    `threads` are those that are not finished, and those that are published and not yet checked.
    `known` are the slugs of the candidates that the account has a thread of. `last` is the first
    day and the publication of the newest digest that the account had, or that had no paper for the
    account; None before the first. `begun` is when each thread of the last 24 hours was planned.
    `waits` gives, by slug, the time before which it is no use to continue.
    """

    threads: tuple[StoredThread, ...] = ()
    known: frozenset[str] = frozenset()
    last: tuple[date, datetime] | None = None
    begun: tuple[datetime, ...] = ()
    waits: Mapping[str, datetime] = field(default_factory=dict)


class IdleReason(StrEnum):
    """Why no new digest is begun, as the log says it."""

    NOTHING_NEW = "nothing new"
    CANNOT_TELL = "cannot tell"
    NO_DIGEST = "no digest at the source"
    DRAFT = "the latest is a draft"
    EMPTY = "the latest holds no papers"
    STALE = "the latest is too old"
    FUTURE = "the latest is of a day to come"
    SKIPPED = "the latest is in BOT_SKIP"
    WAITS = "a digest waits for its time"
    ENOUGH = "enough was made up for today"


@dataclass(frozen=True, slots=True)
class ResumeThread:
    """Continue this thread."""

    thread: StoredThread


@dataclass(frozen=True, slots=True)
class GiveToPerson:
    """Hold this thread for a person: it is half published, and waited too long to be continued."""

    thread: StoredThread
    reason: str


@dataclass(frozen=True, slots=True)
class BeginDigest:
    """Publish this digest."""

    digest: Digest


Step = ResumeThread | GiveToPerson | BeginDigest


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The steps for an account, in their order.

    `idle` says why no digest is begun, None where one is begun. `wake` is the latest time of the
    next look, where something waits for a known time. `given_up` are threads without a published
    post that waited too long, so that no post of them is published any more. `cut` is a digest that
    cannot be read now; the digests after it wait for it.
    """

    steps: tuple[Step, ...] = ()
    idle: IdleReason | None = None
    wake: datetime | None = None
    given_up: tuple[StoredThread, ...] = ()
    cut: SourceResult | None = None


def decide(
    history: AccountHistory, candidates: Sequence[SourceResult], now: datetime, rules: PassRules
) -> AccountPlan:
    """Return what to do for one account.

    `candidates` are the source's results, the oldest first; empty where the source was not asked.
    """
    steps: list[Step] = []
    given_up: list[StoredThread] = []
    times = []
    cut = _cut(history, candidates, rules)
    for thread in sorted(history.threads, key=lambda each: (each.planned_at, each.number)):
        wait = history.waits.get(thread.digest)
        verdict = _of(thread, now, rules)
        if verdict is None:
            continue
        if isinstance(verdict, ResumeThread) and wait is not None and wait > now:
            times.append(wait)
            if not is_begun(thread):
                return AccountPlan(tuple(steps), IdleReason.WAITS, min(times), tuple(given_up), cut)
        elif isinstance(verdict, StoredThread):
            given_up.append(verdict)
        else:
            steps.append(verdict)
    chosen, idle, wake = _new(history, candidates, now, rules)
    steps += map(BeginDigest, chosen)
    times += [wake] if wake else []
    return AccountPlan(tuple(steps), idle, min(times, default=None), tuple(given_up), cut)


def _of(
    thread: StoredThread, now: datetime, rules: PassRules
) -> ResumeThread | GiveToPerson | StoredThread | None:
    """Return what happens to a thread: it continues, is held, is given up, or None."""
    states = {post.state for post in thread.posts}
    over = states <= {State.SENT, State.RETRACTED}
    # an old ledger may hold a slug in a form that is not made any more
    is_skipped = bool(rules.skip & {thread.digest, slug_of(thread.digest)})
    if State.HELD in states or is_skipped or is_half_retracted(thread):
        return None
    if over and (not rules.checks or thread.checked_at or states == {State.RETRACTED}):
        return None
    # a person may post an old digest: its age counts from that moment
    age = now - max(thread.published, thread.planned_at)
    if age <= rules.max_age:
        return ResumeThread(thread)
    if over:
        return None
    if states <= {State.PLANNED, State.RETRACTED}:
        return thread
    return GiveToPerson(
        thread, f"half of it has been out for longer than BOT_MAX_AGE: {_days(age)} days"
    )


def goes_on(thread: StoredThread, now: datetime, rules: PassRules) -> bool:
    """Tell whether anything is left to do for a thread, now or later."""
    return isinstance(_of(thread, now, rules), ResumeThread | GiveToPerson)


def is_begun(thread: StoredThread | None) -> bool:
    """Tell whether a post of the thread is known to be published."""
    return thread is not None and any(post.state is State.SENT for post in thread.posts)


def _days(age: timedelta) -> str:
    return f"{age / DAY:.1f}"


def _new(
    history: AccountHistory, candidates: Sequence[SourceResult], now: datetime, rules: PassRules
) -> tuple[tuple[Digest, ...], IdleReason | None, datetime | None]:
    """Return the digests to begin, oldest first; or why none is begun, and when one may be."""
    every, cut = _is_every(history, rules), _cut(history, candidates, rules)
    age = None if every else rules.max_age
    judged = [judge(each, now, age) for each in takewhile(lambda each: each is not cut, candidates)]
    usable = [r.digest for r in judged if r.outcome is SourceOutcome.FOUND and r.digest is not None]
    fresh = [
        digest
        for digest in usable
        if _is_new(digest, history, rules) and not is_to_come(digest, now)
    ]
    if not fresh:
        last = judged[-1] if judged else None
        return (), IdleReason.CANNOT_TELL if cut else _idle(last, rules, now), None
    if not every:
        fresh = fresh[-1:]
    waits = [
        history.waits[digest.slug] for digest in fresh if history.waits.get(digest.slug, now) > now
    ]
    if waits:
        return (), IdleReason.WAITS, min(waits)
    if not every:
        return tuple(fresh), None, None
    lately = sorted(moment for moment in history.begun if now - moment < DAY)
    left = CATCH_UP_A_DAY - len(lately)
    if left <= 0:
        return (), IdleReason.ENOUGH, lately[-CATCH_UP_A_DAY] + DAY
    wake = (lately[0] if lately else now) + DAY if len(fresh) > left else None
    return tuple(fresh[:left]), None, wake


def _is_every(history: AccountHistory, rules: PassRules) -> bool:
    """Tell whether all missed digests are published. A first digest is always the latest alone."""
    return rules.catch_up is CatchUp.ALL and history.last is not None


def _cut(
    history: AccountHistory, candidates: Sequence[SourceResult], rules: PassRules
) -> SourceResult | None:
    """Return the first digest that cannot be read now, where those after it must wait for it."""
    silent = (each for each in candidates if each.outcome is SourceOutcome.UNREACHABLE)
    return next(silent, None) if _is_every(history, rules) else None


def _is_new(digest: Digest, history: AccountHistory, rules: PassRules) -> bool:
    in_order = history.last is None or (digest.day, digest.published) >= history.last
    return in_order and digest.slug not in history.known and digest.slug not in rules.skip


_WORDS = {
    SourceOutcome.DRAFT: IdleReason.DRAFT,
    SourceOutcome.EMPTY: IdleReason.EMPTY,
    SourceOutcome.STALE: IdleReason.STALE,
    SourceOutcome.NONE: IdleReason.NO_DIGEST,
    SourceOutcome.MALFORMED: IdleReason.CANNOT_TELL,
    SourceOutcome.UNREACHABLE: IdleReason.CANNOT_TELL,
}


def is_to_come(digest: Digest, now: datetime) -> bool:
    """Tell whether the digest's day has not begun anywhere on Earth."""
    return digest.day > (now + DAY).date()


def _idle(latest: SourceResult | None, rules: PassRules, now: datetime) -> IdleReason:
    if latest is None:
        return IdleReason.NOTHING_NEW
    if latest.outcome is SourceOutcome.FOUND and latest.digest and is_to_come(latest.digest, now):
        return IdleReason.FUTURE
    if latest.digest is not None and latest.digest.slug in rules.skip:
        return IdleReason.SKIPPED
    return _WORDS.get(latest.outcome, IdleReason.NOTHING_NEW)
