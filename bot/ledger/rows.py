"""The values that the ledger stores and returns, and how they are read from its rows.

Times are aware and in UTC; in a column they are text that sorts by time. Money is a whole number of
millionths of a dollar.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import ROUND_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from bot.errors import LedgerError
from bot.model import Card, Media, Network, Span, State

if TYPE_CHECKING:
    import sqlite3

    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


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

    @property
    def chain_place(self) -> int:
        """Its place in the published chain, or in the planned one where it has none there."""
        return self.position if self.place is None else self.place


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

    @property
    def chain(self) -> list[StoredPost]:
        """The published posts, in the order of the published chain."""
        sent = (post for post in self.posts if post.state is State.SENT)
        return sorted(sent, key=lambda post: post.chain_place)


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
    """A problem that the operator should know of, and whether it was reported to them.

    `key` stays the same as long as the problem is the same. `account` and `subject` (a digest's
    slug, or the source) are empty where the problem concerns none. `message` says what is wrong,
    `fix` what to do. `told_at` is None until the problem is reported, `over_at` is None while it
    lasts. A problem that is over is stored until its end is reported, too.
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


_MILLIONTH = Decimal("0.000001")


def time_of(text: str) -> datetime:
    """Return the time of a column. Raises LedgerError for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - a time without a zone is refused below
    if found.tzinfo is None:
        fix = "Restore a backup of the ledger, or move it away: bot finds published posts again."
        raise LedgerError(f"the ledger holds a time that bot did not write: {text[:40]!r}", fix)
    return found


def moment(text: str | None) -> datetime | None:
    """Return the time of a column; None for NULL. Raises LedgerError."""
    return None if text is None else time_of(text)


def words(text: str) -> str:
    """Replace the lone surrogates of a text: a JSON answer can hold them and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def micros(amount: Decimal) -> int:
    """Convert US dollars to millionths, rounded away from zero so that no spending is lost."""
    return int(amount.quantize(_MILLIONTH, ROUND_UP).scaleb(6))


def dollars(millionths: int) -> Decimal:
    """Convert millionths to US dollars."""
    return Decimal(millionths).scaleb(-6)


def write_media(media: Sequence[Media]) -> str:
    """Return the files of a post as JSON."""
    return json.dumps([{"alt": one.alt, "type": one.type} for one in media])


def write_rich(spans: Sequence[Span], card: Card | None) -> str:
    """Return the links, hashtags and card of a post as JSON; empty where it has none."""
    if not spans and card is None:
        return ""
    links = [[span.start, span.end, span.uri, span.tag] for span in spans]
    shown = None if card is None else [card.uri, card.title, card.description]
    return json.dumps({"spans": links, "card": shown})


_READERS: Mapping[str, Callable[[str], object]] = {
    "network": Network,
    "state": State,
    "day": date.fromisoformat,
    "papers": lambda text: tuple(text.split()),
    "media": lambda text: tuple(Media(one["alt"], one["type"]) for one in json.loads(text)),
    **dict.fromkeys(("at", "until", "published", "planned_at", "raised_at"), time_of),
    **dict.fromkeys(
        ("looked_at", "checked_at", "tried_at", "doubted_at", "told_at", "over_at"), moment
    ),
}
"""How a column is read whose value SQLite has no type for."""


def read_row(kind: type[T], row: sqlite3.Row, **other: object) -> T:
    """Make a value of `kind` from the columns of its fields' names, and from `other` fields.

    Raises ValueError, TypeError and KeyError for values that no release of bot wrote.
    """
    values = {
        each.name: _READERS[each.name](row[each.name]) if each.name in _READERS else row[each.name]
        for each in fields(kind)
        if each.name not in other
    }
    return kind(**values, **other)


def columns(value: DataclassInstance, *without: str) -> dict[str, Any]:
    """Return the columns of a value by the names of its fields, but for the fields `without`."""
    names = (each.name for each in fields(value))
    return {name: getattr(value, name) for name in names if name not in without}


@lru_cache(maxsize=512)
def read_post(row: sqlite3.Row) -> StoredPost:
    """Convert a row of `posts`, as `read_row` does; a thread that is read again is in the cache."""
    rich = json.loads(row["rich"] or '{"spans": [], "card": null}')
    card = Card(*rich["card"]) if rich["card"] else None
    return read_row(StoredPost, row, spans=tuple(Span(*each) for each in rich["spans"]), card=card)
