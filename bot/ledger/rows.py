"""The values that the ledger stores and returns. Times are aware and in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bot.model import Card, Media, Network, Span, State


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """A post with its final text. `key` depends on what the post is, and never on its text."""

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
    """A thread to be stored. `fingerprint` is the digest's; it shows later whether that changed.

    `generation` counts how often this account published the digest again, from 0. `papers` are the
    ids of the papers that the account publishes of the digest, including those that BOT_REPEAT_DAYS
    leaves out. `owner` names the account on the network that the tokens belong to.
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

    `tries` counts the requests that may have published the post, and `refusals` those that the
    network refused because it has such a post already. `tried_at` is when the last request was
    begun, `doubted_at` when the first request was begun whose outcome is still unknown. `misses`
    counts the reads since the last try that did not find the post. `missed_after` is how many
    seconds at least passed from that try to the last of these reads, by a clock that cannot be
    set. `reason` says why the post is held, or what the last refusal was. `place` is its place in
    the published chain; None for a post that is not published, or that an earlier release sent in
    its position.
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
        """The post's number in its thread, counted from 1."""
        return self.position + 1


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A thread in the ledger.

    `number` is its row. `looked_at` is when the account was first read for the thread, `checked_at`
    when the finished thread was read completely; None before that. See `PlannedThread` for the
    other fields.
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
    """One request and its outcome. `kind` is `send`, `read`, `check`, `upload` or `delete`."""

    at: datetime
    kind: str
    position: int | None
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StoredLimit:
    """A limit that a network named: no request of `kind` before `until`."""

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
    """A problem that the operator should know of, and whether they were told.

    `key` stays the same as long as the problem is the same. `account` and `subject` (a digest's
    slug, or the source) are empty where the problem concerns none. `message` says what is wrong,
    `fix` what to do. `told_at` is None until the operator is told of the problem, `over_at` is None
    while it lasts. A problem that is over is stored until the operator is told that, too.
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
