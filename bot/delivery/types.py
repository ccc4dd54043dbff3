"""Types of delivery: what a run needs, which events it sends, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.delivery.decide import Policy
from bot.ledger.rows import StoredThread
from bot.posters.poster import CannotRead

CLOCKS_APART = timedelta(hours=1)
"""How much the clocks of the publisher, the network and this machine may differ."""


class End(StrEnum):
    """How a run ended."""

    DONE = "done"
    LATER = "later"
    HELD = "held"
    FAILED = "failed"
    WRONG = "wrong"
    """A setting is wrong, such as the address of the account's server."""


def end_of(error: CannotRead) -> End:
    """Return how a run ends after this error."""
    if error.wrong:
        return End.WRONG
    return End.FAILED if error.final else End.LATER


@dataclass(frozen=True, slots=True)
class Result:
    """How a run of a thread ended; `until` is when to run again, where that is known.

    `named` says that the network or the budget named that time. `stops` says that the account
    cannot be used until its credentials or its address are corrected.
    """

    end: End
    thread: StoredThread
    reason: str = ""
    until: datetime | None = None
    stops: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a post, for the listener of the run.

    `what` is a state or a step, `position` that of the post, `last` that of the thread's last post.
    `id` is the post's id on its network, `seconds` how long the request took.
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
    """The functions that a run takes from outside.

    `clock` returns aware UTC times, `monotonic` seconds that only grow. `sleep` waits for seconds,
    and returns early when the program is to stop; `stopping` says whether it is. `tell` gets every
    Event.
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
    """The rules for one account and one run.

    `patience` is how many seconds one run may wait in total, `pause` the seconds between two posts.
    `unsent` says that a person looked, and no post of the thread is published. `application` is the
    name under which our posts appear. `identity` changes when the account's tokens or address
    change. `allows` is called before the first post of a thread is sent, and raises RunEnded if the
    thread may not begin. `replies` is how the replies of a public thread are listed. `as_planned`
    says that the thread already has the order of the chain that was found.
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
    """Raised where the chain that was found has the thread's papers in another order.

    `order` are the ids of the papers in the chain and then of those that are to follow; None for a
    paper that the thread does not have.
    """

    def __init__(self, order: Sequence[str | None]) -> None:
        super().__init__()
        self.order = order


class RunEnded(Exception):  # it ends the loop of a run, and is not an error
    """Raised by a step that ends the run. `named` is False where the run itself chose `until`."""

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
