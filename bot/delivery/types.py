"""Types of delivery: what a run needs, which events it sends, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.delivery.decide import Policy
from bot.ledger.rows import StoredThread
from bot.model import Account
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


@dataclass(frozen=True, slots=True)
class AccountResult:
    """How a run for one account ended. `thread` is None where no thread was planned.

    `until` is when to run again, where that is known. `named` says that the network or the budget
    named that time. `stops` says that the account cannot be used until its credentials or address
    are corrected.
    """

    account: Account
    end: End
    thread: StoredThread | None = None
    reason: str = ""
    until: datetime | None = None
    stops: bool = False
    named: bool = False


def cannot_read(account: Account, error: CannotRead, reason: str = "") -> AccountResult:
    """Return how a run ends after this error; `reason` replaces the error's own message."""
    return AccountResult(
        account,
        End.WRONG if error.wrong else End.FAILED if error.final else End.LATER,
        reason=reason or str(error),
        until=error.until,
        stops=error.stops,
        named=error.until is not None and error.named,
    )


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
    tell: Callable[[Event], None] = lambda _: None


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

    account: Account
    policy: Policy
    patience: float
    pause: float
    unsent: bool = False
    application: str = ""
    identity: str = ""
    replies: str = "unlisted"
    allows: Callable[[StoredThread], None] = lambda _: None
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
    """Raised by a step after which the run cannot continue; success is returned instead."""

    def __init__(self, result: AccountResult) -> None:
        super().__init__(result.reason)
        self.result = result
