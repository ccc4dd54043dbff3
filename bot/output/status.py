"""Show what the ledger knows, as lines of text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from click import style

from bot.ledger.rows import StoredLimit, StoredPost, StoredThread
from bot.model import Account, State

_dim = partial(style, dim=True)
_LATE = timedelta(minutes=10)
_COLOURS = {
    State.SENT: "green",
    State.HELD: "red",
    State.UNKNOWN: "yellow",
    State.SENDING: "yellow",
}


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account: whether it can post, why not, and what it spent this month (US dollars)."""

    account: Account
    ready: bool
    reason: str
    spent: Decimal
    limits: tuple[StoredLimit, ...] = ()
    sender: str = ""


@dataclass(frozen=True, slots=True)
class ThreadStatus:
    """One thread, and whether its digest changed after the thread was planned."""

    thread: StoredThread
    changed: bool


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """When the worker's last pass and last good pass ended, and when the next pass begins."""

    last: datetime | None
    good: datetime | None
    following: datetime | None


def data(accounts: Sequence[AccountStatus], threads: Sequence[ThreadStatus]) -> dict[str, object]:
    """Return what `bot status --json` prints (docs/programs.md)."""
    return {
        "accounts": [
            {
                "account": one.account.name,
                "network": one.account.network.value,
                "ready": one.ready,
                "reason": one.reason or None,
                "spent_usd": float(one.spent),
            }
            for one in accounts
        ],
        "threads": [
            {
                "digest": one.thread.digest,
                "account": one.thread.account,
                "network": one.thread.network.value,
                "changed": one.changed,
                "posts": [_post(post) for post in one.thread.posts],
            }
            for one in threads
        ],
    }


def _post(post: StoredPost) -> dict[str, object]:
    return {
        "position": post.position,
        "number": post.number,
        "state": post.state.value,
        "id": post.id or None,
        "url": post.url or None,
        "attempts": post.tries,
        "error": post.reason or None,
    }


def lines(
    accounts: Sequence[AccountStatus],
    threads: Sequence[ThreadStatus],
    now: datetime,
    *,
    whole: bool,
    worker: WorkerStatus | None = None,
) -> Iterator[str]:
    """Yield the status as lines of text. `whole` shows every post of every thread."""
    if worker is not None:
        yield from _worker(worker, now)
    for one in accounts:
        ready = style("ready", fg="green") if one.ready else style("not ready", fg="red")
        spent = f", ${one.spent:.2f} spent this month" if one.spent else ""
        why = f"; {one.reason}" if one.reason else ""
        yield f"{one.account.name} ({one.account.network}): {ready}{why}{spent}"
        for limit in one.limits:
            yield f"  limited until {minute(limit.until)}: {limit.reason}"
        if one.sender:
            yield f"  {one.sender} publishes for this account now"
    if not threads:
        yield f"Nothing was planned or sent{' for this digest' if whole else ''} yet."
    for status in threads:
        yield ""
        yield from _thread(status, now, whole=whole)


def _worker(worker: WorkerStatus, now: datetime) -> Iterator[str]:
    if worker.last is None:
        yield "worker: the first pass is not finished"
    elif worker.good == worker.last:
        yield f"worker: last pass {minute(worker.last)}, good"
    else:
        good = f"last good pass {minute(worker.good)}" if worker.good else "no good pass yet"
        failed = style("failed", fg="red")
        yield f"worker: last pass {minute(worker.last)}, {failed} ({good}). See the worker's log."
    if worker.following is not None:
        late = now - worker.following > _LATE
        due = f"next run {minute(worker.following)}"
        yield f"  {due}{style(' is overdue. Is the worker running?', fg='red') if late else ''}"


def minute(moment: datetime) -> str:
    """Return a time in words, rounded up to the minute, since a retry must not come too early."""
    later = moment + timedelta(seconds=60 - 1e-6)
    return f"{later:%Y-%m-%d %H:%M} UTC"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _thread(status: ThreadStatus, now: datetime, *, whole: bool) -> Iterator[str]:
    thread = status.thread
    counts = ", ".join(
        f"{count} {state}"
        for state in State
        if (count := sum(post.state is state for post in thread.posts))
    )
    again = f", published again {_times(thread.generation)}" if thread.generation else ""
    yield style(f"{thread.digest} on {thread.account}: {counts}{again}", bold=True)
    if status.changed:
        yield "  The digest changed after this thread was planned. The posts stay as planned."
    for post in thread.posts:
        if whole or post.state not in (State.SENT, State.PLANNED, State.RETRACTED):
            yield from _line(post, now)


def _line(post: StoredPost, now: datetime) -> Iterator[str]:
    state = style(f"{post.state:<9}", fg=_COLOURS.get(post.state))
    first = post.text.split("\n", 1)[0]
    yield f"  {post.number:>3} {state} {post.url or first[:60]}"
    if post.state in (State.UNKNOWN, State.SENDING) and post.tried_at:
        minutes = max((now - post.tried_at).total_seconds(), 0) / 60
        yield _dim(f"{'':<16}tried {_times(post.tries)}, last {minutes:.0f} min ago")
    if post.reason:
        yield f"{'':<16}{post.reason}"
