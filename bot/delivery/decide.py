"""Decides the next step of a thread from the ledger and the time, and from nothing else.

The rules are those of docs/exactly-once.md. In short: read the account before anything is sent;
send only the first post that is not published; settle an unknown outcome by reading, never by
guessing; hold for a person what cannot be settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State

MOST_REFUSALS = 5
"""A post that is refused as a duplicate this often, and that no read finds, is held."""

LONGEST_BACKOFF = 3600.0
"""The longest wait between two tries of a post, in seconds."""

LONGEST_UNKNOWN = timedelta(hours=24)
"""A post whose outcome is unknown, and that cannot be looked for, is held after this time."""

SHORTEST_WAIT = 0.01
"""Seconds. Rounding can leave a remainder that is smaller than a clock can show."""

READS_OF_ABSENCE = 2
"""How many reads must miss a post before it counts as absent; the last of them after `settle`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long delivery waits, and what it may do on the network.

    All times are in seconds: `settle` is how long after a try a post must stay unseen to count as
    absent, `retry_wait` the first wait between two reads, which doubles up to `longest_wait`,
    `turn` the longest time between two posts of a healthy sender. `reads` says whether the account
    may be read at all, `lags` whether a read may miss what was just published, `keyed` whether the
    network never takes a second post with the same key, `checks` whether a finished thread is read
    once more.
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
        """Return the seconds to wait after this number of failures in a row, counted from 1.

        The waits begin at `retry_wait` and double, up to `longest`, by default `longest_wait`.
        """
        most = self.longest_wait if longest is None else longest
        return min(self.retry_wait * 2.0 ** min(failures - 1, 30), most)

    def unseen(self, post: StoredPost) -> float:
        """Return for how many seconds a post must stay unseen before it counts as absent.

        A sender that never tried the post waits half as long again as another active sender may
        take, so that two that watch each other do not end their waits together. An opening that was
        never tried waits for `settle` only, since reads may lag.
        """
        was_tried = post.tries or post.refusals
        return self.settle if was_tried or post.position == 0 else 1.5 * max(self.settle, self.turn)

    def is_stale(self, idle: float) -> bool:
        """Tell whether the last read or post, `idle` seconds ago, is too old to rely on."""
        return self.reads and idle > max(self.settle / 2, _SHORTEST_SILENCE)


@dataclass(frozen=True, slots=True)
class ReadTimeline:
    """Read the account before anything of the thread is sent in this run."""


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this post. `absent` says that an earlier unknown try is proven to have failed."""

    position: int
    absent: bool = False


@dataclass(frozen=True, slots=True)
class FindPost:
    """Look for this post, whose outcome is unknown."""

    position: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for `seconds`."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold this post for a person."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class CheckThread:
    """Read the finished thread once more: a server may confirm a post and lose it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Every post is sent or retracted."""


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

    `looked` says whether this run read the account for the thread, `new` that the ledger knows no
    post of the account. `gone` is how many seconds at least have passed since the last try of the
    unknown post, `idle` how many since this run's last post or read. Both come from clocks that
    cannot be set: a wall clock that jumps would prove an absence that is none. `backoff` is how
    many seconds are left before a post whose last try failed is tried again.
    """
    post = next((post for post in thread.posts if post.state not in _DONE), None)
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
        return Hold(post.position, f"{post.reason}; {_UNREADABLE}")
    if is_absent(post, policy):
        return _try(post, policy, idle, backoff, absent=True)
    wait = next_read(post, policy) - gone
    if wait <= 0:
        return FindPost(post.position)
    unknown = f"it is not known yet whether post {post.number} is published"
    return Wait(max(wait, SHORTEST_WAIT), unknown if post.tries else post.reason)


_DONE = (State.SENT, State.RETRACTED)
_SHORTEST_SILENCE = 1.0
_UNREADABLE = "it may have been published, and this account may not be read to find out"
_NEW_AND_BLIND = (
    "the ledger is new, and this account may not be read to find out whether the thread is "
    "published. Look at the account, and if no post of the thread is there, run bot post "
    "--assume-unsent"
)


def _try(post: StoredPost, policy: Policy, idle: float, backoff: float, *, absent: bool) -> Action:
    if post.refusals >= MOST_REFUSALS:
        tries = post.tries + post.refusals
        return Hold(post.position, f"it was tried {tries} times without success; {post.reason}")
    if backoff > 0:
        return Wait(max(backoff, SHORTEST_WAIT), post.reason)
    if policy.is_stale(idle):
        return ReadTimeline()
    return Send(post.position, absent)


def is_absent(post: StoredPost, policy: Policy) -> bool:
    """Tell whether the post is proven absent: no read saw it, and the last came late enough."""
    return post.misses >= READS_OF_ABSENCE and post.missed_after >= policy.unseen(post)


def next_read(post: StoredPost, policy: Policy) -> float:
    """Return how many seconds after the try the account is read next.

    It is read at once, then after growing waits, and as soon as the post may count as absent.
    """
    if not post.misses:
        return 0
    following = post.missed_after + policy.wait_after(post.misses)
    if post.missed_after < policy.unseen(post):
        return min(following, policy.unseen(post))
    return following
