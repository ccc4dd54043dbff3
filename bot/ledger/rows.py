"""What the ledger holds, as values. Times are aware and in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bot.model import Card, Media, Network, Span, State


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """A post as it was worded for good. `key` is a function of what it is, never of its words."""

    position: int
    part: str
    key: str
    text: str
    token: str
    media: tuple[Media, ...] = ()
    spans: tuple[Span, ...] = ()
    card: Card | None = None


@dataclass(frozen=True, slots=True)
class PlannedThread:
    """A thread to be written down. `fingerprint` is the digest's, to see later that it changed.

    `generation` counts how often the digest was published again by this account, from 0. `papers`
    are the ids of the papers that the account publishes of the digest, those that BOT_REPEAT_DAYS
    leaves out included. `owner` names the network's account that the tokens belong to.
    """

    account: str
    network: Network
    digest: str
    day: date
    generation: int
    title: str
    published: datetime
    fingerprint: str
    language: str
    visibility: str
    posts: tuple[PlannedPost, ...]
    papers: tuple[str, ...] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A planned post and what is known of it.

    `tries` counts requests that may have published it, and `refusals` those that the network
    refused because it has such a post already. `tried_at` is when the last request was begun,
    `doubted_at` the first whose outcome is still unknown. `misses` are the reads since the
    last try that did not find it; `missed_after` are the seconds that had surely passed between
    the two when the last of them was made, measured by clocks that cannot be set. `reason` says why
    it is held, or what the last refusal was. `place` is where it stands in the chain that is out,
    None for a post that is not, or that an earlier release sent in its position.
    """

    position: int
    part: str
    key: str
    text: str
    token: str
    media: tuple[Media, ...]
    state: State
    id: str
    url: str
    tries: int
    tried_at: datetime | None
    doubted_at: datetime | None
    misses: int
    missed_after: float
    reason: str
    spans: tuple[Span, ...] = ()
    card: Card | None = None
    refusals: int = 0
    place: int | None = None

    @property
    def number(self) -> int:
        """Which post of its thread it is, counted from 1 as people do."""
        return self.position + 1


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A thread in the ledger.

    `number` is its row. `looked_at` is when the account was first read for it, None before;
    `checked_at` when it was read whole at the end. See `PlannedThread` for the other fields.
    """

    number: int
    account: str
    network: Network
    digest: str
    day: date
    generation: int
    title: str
    published: datetime
    fingerprint: str
    language: str
    visibility: str
    planned_at: datetime
    looked_at: datetime | None
    checked_at: datetime | None
    posts: tuple[StoredPost, ...]
    papers: tuple[str, ...] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what came of it. `kind` is `send`, `read` or `delete`."""

    at: datetime
    kind: str
    position: int | None
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StoredLimit:
    """What a network said of one of its limits: nothing of `kind` before `until`."""

    account: str
    kind: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Spending:
    """What an account spent, in US dollars."""

    account: str
    at: datetime
    kind: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class StoredProblem:
    """What a person should know, and whether they were told.

    `key` is the same for as long as it is the same trouble. `account` and `subject` (a digest's
    slug, or the source) are empty where it is about none. `message` says what is wrong, `fix` what
    to do. `told_at` is None until the operator was told of it; `over_at` is None while it lasts,
    and a trouble that is over is kept until the operator was told that, too.
    """

    key: str
    account: str
    what: str
    subject: str
    message: str
    fix: str
    raised_at: datetime
    told_at: datetime | None = None
    over_at: datetime | None = None
