"""What to do next with a thread: a function of what the ledger holds, the time, and nothing else.

The rules are those of docs/exactly-once.md. In short: read before anything is sent; send the
first post that is not out, and no other; an unknown outcome is settled by reading, never by
guessing; what cannot be settled is held for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State

MOST_REFUSALS = 5
"""After so many refusals of one post as a duplicate that no read finds a person must decide."""

LONGEST_BACKOFF = 3600.0
"""Seconds between two tries of a post at most, however often they failed."""

LONGEST_DOUBT = timedelta(hours=24)
"""A post that cannot be looked for for so long, its outcome unknown, is for a person to decide."""

SHORTEST_WAIT = 0.01
"""Seconds; what is left by the rounding of fractions may be less than a clock can show."""

READS_OF_ABSENCE = 2
"""Reads that must not find a post before it counts as absent, the last after `settle`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient delivery is.

    All in seconds: `settle` is how long after a try a post must stay unseen to count as absent,
    `retry_wait` the first wait between two reads, which doubles up to `longest_wait`, `turn` the
    longest time between two posts of a sender that is well. `reads` says whether the account may
    be read at all, `lags` whether a read may not show yet what was published a moment ago, `keyed`
    whether the network never takes a second post of the same key, `checks` whether a finished
    thread is read once more.
    """

    settle: float
    retry_wait: float
    longest_wait: float = 60
    turn: float = 0
    reads: bool = True
    lags: bool = False
    keyed: bool = False
    checks: bool = True

    def wait_after(self, failures: int, longest: float | None = None) -> float:
        """Return the seconds to wait after so many failures in a row, from 1.

        They begin at `retry_wait` and double, up to `longest`, by default `longest_wait`.
        """
        most = self.longest_wait if longest is None else longest
        return min(self.retry_wait * 2.0 ** min(failures - 1, 30), most)

    def unseen(self, post: StoredPost) -> float:
        """Return for how many seconds a post must stay unseen before it counts as absent.

        A ledger that never tried it waits half as long again as the sender at work may, so that
        two that watch each other do not end their waits together. An opening that was never tried
        is waited for because reads lag, and no longer.
        """
        was_tried = post.tries or post.refusals
        return self.settle if was_tried or post.position == 0 else 1.5 * max(self.settle, self.turn)

    def is_stale(self, idle: float) -> bool:
        """Tell whether a read or a post that is `idle` seconds old says nothing of now."""
        return self.reads and idle > max(self.settle / 2, _SHORTEST_SILENCE)


@dataclass(frozen=True, slots=True)
class ReadTimeline:
    """Read the account before anything of the thread is sent in this run."""


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this post. `absent` says that an unknown try of it is proven to have failed."""

    position: int
    absent: bool = False


@dataclass(frozen=True, slots=True)
class FindPost:
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
class CheckThread:
    """Read the finished thread once more: a server may say yes and keep nothing."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Every post is out, or was taken back, or passed over."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A post is held: nothing after it is sent before a person has decided."""

    position: int
    reason: str


Action = ReadTimeline | Send | FindPost | Wait | Hold | CheckThread | Finished | Stopped


def decide(  # noqa: PLR0911, PLR0913 - all that the next step depends on, a line a step
    thread: StoredThread,
    policy: Policy,
    *,
    looked: bool,
    gone: float,
    idle: float = 0.0,
    backoff: float = 0.0,
    new: bool = False,
) -> Action:
    """Return the next step.

    `looked` says whether the account was read for the thread in this run, `new` that the ledger
    knows of no post of the account. `gone` are the seconds that have surely passed since the last
    try of the post in doubt, `idle` those since this run's last post or read: both are measured by
    clocks that cannot be set, since the wall clock may jump, and would then prove an absence.
    `backoff` are the seconds that are left before a post whose last try failed is tried again.
    """
    post = next((post for post in thread.posts if post.state not in _OUT_OF_THE_WAY), None)
    if post is None:
        return CheckThread() if policy.checks and thread.checked_at is None else Finished()
    if post.state is State.HELD:
        return Stopped(post.position, post.reason)
    if policy.reads and not looked:
        return ReadTimeline()
    if post.state is State.PLANNED:
        if new and not policy.reads:
            return Hold(post.position, _NEW_AND_BLIND)
        return _try(post, policy, idle, backoff, absent=False)
    if not policy.reads:
        return Hold(post.position, f"it may be out, and nothing may be read: {post.reason}")
    if is_absent(post, policy):
        return _try(post, policy, idle, backoff, absent=True)
    wait = next_read(post, policy) - gone
    if wait <= 0:
        return FindPost(post.position)
    why = "to see whether it is out" if post.tries else post.reason
    return Wait(max(wait, SHORTEST_WAIT), why)


_OUT_OF_THE_WAY = (State.SENT, State.RETRACTED)
_SHORTEST_SILENCE = 1.0
_NEW_AND_BLIND = (
    "the ledger is new, and the account cannot be read to see whether the thread is out; look "
    "yourself, and if nothing of it is out, say so with bot post --assume-unsent"
)


def _try(post: StoredPost, policy: Policy, idle: float, backoff: float, *, absent: bool) -> Action:
    if post.refusals >= MOST_REFUSALS:
        return Hold(post.position, f"tried {post.tries + post.refusals} times: {post.reason}")
    if backoff > 0:
        return Wait(max(backoff, SHORTEST_WAIT), post.reason)
    if policy.is_stale(idle):
        return ReadTimeline()
    return Send(post.position, absent)


def is_absent(post: StoredPost, policy: Policy) -> bool:
    """Whether the post is proven not to be out: seen by no read, and the last one late enough."""
    return post.misses >= READS_OF_ABSENCE and post.missed_after >= policy.unseen(post)


def next_read(post: StoredPost, policy: Policy) -> float:
    """How many seconds after the try to read next.

    At once, then after growing waits, and as soon as the post may count as absent.
    """
    if not post.misses:
        return 0
    following = post.missed_after + policy.wait_after(post.misses)
    if post.missed_after < policy.unseen(post):
        return min(following, policy.unseen(post))
    return following
