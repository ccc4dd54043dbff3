"""What a run is given, what it tells, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.delivery.decide import Policy
from bot.ledger.rows import StoredThread
from bot.posters.poster import CannotRead

CLOCKS_APART = timedelta(hours=1)
"""How far the clocks of a publisher, a network and ours may be apart without harm."""


class End(StrEnum):
    """How a run ended."""

    DONE = "done"
    LATER = "later"
    HELD = "held"
    FAILED = "failed"
    WRONG = "wrong"
    """A setting cannot be right, such as the address of the account's server."""


def end_of(error: CannotRead) -> End:
    """How a run ends that this error ends."""
    if error.wrong:
        return End.WRONG
    return End.FAILED if error.final else End.LATER


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a thread in this run; `until` is when to go on, where that is known.

    `named` says that the network, or the budget, named that time. `stops` says that it is about the
    account as a whole, which can do nothing before its credentials or its address are mended.
    """

    end: End
    thread: StoredThread
    reason: str = ""
    until: datetime | None = None
    stops: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a post, for whoever watches.

    `what` is a state or a step, `position` the post's and `last` that of the thread's last post.
    `id` is the post's on its network, `seconds` how long the request took.
    """

    account: str
    digest: str
    what: str
    position: int | None = None
    last: int = 0
    detail: str = ""
    id: str = ""
    seconds: float | None = None


def _silent(event: Event) -> None:
    del event


@dataclass(frozen=True, slots=True)
class RunTools:
    """What a run takes from outside.

    `clock` gives aware UTC times, `monotonic` seconds that only grow, `sleep` waits for seconds and
    returns early when the program is to stop; `stopping` says so. `tell` gets every Event.
    """

    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    stopping: Callable[[], bool] = lambda: False
    tell: Callable[[Event], None] = _silent


def _allow(thread: StoredThread) -> None:
    del thread


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """How an account is served.

    `patience` is how many seconds one run waits in all, `pause` those between two posts. `unsent`
    says that a person has looked, and nothing of the thread is out. `application` is the name our
    posts appear under, `identity` changes when the account's tokens or address do.
    `allows` is asked before the first post of a thread goes out, and raises Ended if it must not.
    `replies` is how those of a public thread are listed. `as_planned` says that the thread has the
    order of the chain that was found of it.
    """

    policy: Policy
    patience: float
    pause: float
    unsent: bool = False
    application: str = ""
    identity: str = ""
    replies: str = "unlisted"
    allows: Callable[[StoredThread], None] = _allow
    as_planned: bool = False


class Replan(Exception):
    """Raised where a chain was found that holds the thread's papers in this order.

    `order` are the ids of the papers as they stand and are to follow; None for one that the thread
    does not have.
    """

    def __init__(self, order: Sequence[str | None]) -> None:
        super().__init__()
        self.order = order


class RunEnded(Exception):  # the way out of a run's loop, and no error
    """Raised by a step that ends the run; a time is `named` unless the run itself reckoned it."""

    def __init__(
        self,
        end: End,
        reason: str = "",
        until: datetime | None = None,
        *,
        stops: bool = False,
        named: bool = True,
    ) -> None:
        super().__init__(reason)
        self.end = end
        self.reason = reason
        self.until = until
        self.stops = stops
        self.named = named and until is not None
