"""What to do next with a thread: a function of what the ledger holds, the time, and nothing else.

The rules are those of README, "Exactly once". In short: read before anything is sent; send the
first post that is not out, and no other; an unknown outcome is settled by reading, never by
guessing; what cannot be settled is held for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State

MOST_TRIES = 5
"""After so many tries of one post a person must decide."""

LONGEST_DOUBT = timedelta(hours=24)
"""An outcome that is unknown for so long is for a person to decide."""

SHORTEST_WAIT = 0.01
"""Seconds; what is left by the rounding of fractions may be less than a clock can show."""

READS_OF_ABSENCE = 2
"""Reads that must not find a post before it counts as absent, the last after `settle`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient delivery is.

    All in seconds: `settle` is how long after a try a post must stay unseen to count as absent,
    `retry_wait` the first wait between two reads, which doubles up to `longest_wait`. `reads` says
    whether the account may be read at all, `checks` whether a finished thread is read once more.
    """

    settle: float
    retry_wait: float
    longest_wait: float = 60
    reads: bool = True
    checks: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """Read the account before anything of the thread is sent in this run."""


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this post. `absent` says that an unknown try of it is proven to have failed."""

    position: int
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """Look for this post, whose outcome is unknown."""

    position: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave this post to a person."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """Read the finished thread once more: a server may say yes and keep nothing."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Every post is out, or was taken back, or passed over."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A post is held: nothing after it is sent before a person has decided."""

    position: int
    reason: str


Action = Look | Send | Read | Wait | Hold | Check | Finished | Stopped


def decide(
    thread: StoredThread, now: datetime, policy: Policy, *, looked: bool, gone: float
) -> Action:
    """The next step.

    `looked` says whether the account was read for the thread in this run. `gone` are the seconds
    that have surely passed since the last try of the post in doubt, measured by clocks that cannot
    be set: the wall clock may jump, and would then prove an absence that is none.
    """
    post = next((post for post in thread.posts if post.state not in _OUT_OF_THE_WAY), None)
    if post is None:
        return Check() if policy.checks and thread.checked_at is None else Finished()
    if post.state is State.HELD:
        return Stopped(post.position, post.reason)
    if policy.reads and not looked:
        return Look()
    if post.state is State.PLANNED:
        return _try(post, absent=False)
    return _settle(post, now, policy, gone)


_OUT_OF_THE_WAY = (State.SENT, State.RETRACTED)


def _try(post: StoredPost, *, absent: bool) -> Action:
    if post.tries >= MOST_TRIES:
        return Hold(post.position, f"tried {post.tries} times: {post.reason}")
    return Send(post.position, absent)


def _settle(post: StoredPost, now: datetime, policy: Policy, gone: float) -> Action:
    """A post that was tried, and of which nobody knows whether it is out."""
    if not policy.reads:
        return Hold(post.position, f"it may be out, and nothing may be read: {post.reason}")
    doubted_at = post.doubted_at or post.tried_at or now
    if now - doubted_at >= LONGEST_DOUBT:
        return Hold(post.position, f"unknown for {LONGEST_DOUBT}: {post.reason}")
    if is_absent(post, policy):
        return _try(post, absent=True)
    wait = next_read(post, policy) - gone
    if wait <= 0:
        return Read(post.position)
    return Wait(max(wait, SHORTEST_WAIT), "to see whether it is out")


def is_absent(post: StoredPost, policy: Policy) -> bool:
    """Whether the post is proven not to be out: seen by no read, and the last one late enough."""
    return post.misses >= READS_OF_ABSENCE and post.missed_after >= policy.settle


def next_read(post: StoredPost, policy: Policy) -> float:
    """How many seconds after the try to read next.

    At once, then after growing waits, and as soon as the post may count as absent.
    """
    if not post.misses:
        return 0
    grown = policy.retry_wait * 2.0 ** min(post.misses - 1, 30)
    following = post.missed_after + min(grown, policy.longest_wait)
    if post.missed_after < policy.settle:
        return min(following, policy.settle)
    return following
