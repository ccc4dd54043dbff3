"""Converts values to columns and back where SQLite has no type of its own.

Times are text that sorts by time. Money is a whole number of millionths of a dollar.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_UP, Decimal
from functools import lru_cache

from bot.errors import LedgerError
from bot.ledger.rows import Attempt, StoredPost, StoredThread
from bot.model import Card, Media, Network, Span, State

_MILLIONTH = Decimal("0.000001")


def stamp(at: datetime) -> str:
    """Return a time as text. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """Return the time that `stamp` wrote. Raises LedgerError for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - a time without a zone is refused below
    if found.tzinfo is None:
        fix = "Restore a backup of the ledger, or move it away: bot finds published posts again."
        raise LedgerError(f"the ledger holds a time that bot did not write: {text[:40]!r}", fix)
    return found


def moment(text: str | None) -> datetime | None:
    """Return the time that `stamp` wrote; None for NULL. Raises LedgerError."""
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


def _spans(rich: str) -> tuple[Span, ...]:
    return tuple(Span(*each) for each in json.loads(rich)["spans"]) if rich else ()


def _card(rich: str) -> Card | None:
    shown = json.loads(rich)["card"] if rich else None
    return Card(*shown) if shown else None


@lru_cache(maxsize=512)
def read_post(row: sqlite3.Row) -> StoredPost:
    """Convert a row of `posts`. Raises ValueError for values that no release of bot wrote.

    The cache helps where a thread is read again: all its rows but one are unchanged.
    """
    return StoredPost(
        position=row["position"],
        part=row["part"],
        key=row["key"],
        text=row["text"],
        token=row["token"],
        media=tuple(Media(one["alt"], one["type"]) for one in json.loads(row["media"])),
        state=State(row["state"]),
        id=row["id"],
        url=row["url"],
        tries=row["tries"],
        tried_at=moment(row["tried_at"]),
        doubted_at=moment(row["doubted_at"]),
        misses=row["misses"],
        missed_after=row["missed_after"],
        reason=row["reason"],
        spans=_spans(row["rich"]),
        card=_card(row["rich"]),
        refusals=row["refusals"],
        place=row["place"],
    )


def read_thread(row: sqlite3.Row, posts: Sequence[sqlite3.Row]) -> StoredThread:
    """Convert a row of `threads` and its rows of `posts`. Raises ValueError as `read_post` does."""
    return StoredThread(
        number=row["number"],
        account=row["account"],
        network=Network(row["network"]),
        digest=row["digest"],
        day=date.fromisoformat(row["day"]),
        generation=row["generation"],
        title=row["title"],
        published=time_of(row["published"]),
        fingerprint=row["fingerprint"],
        language=row["language"],
        visibility=row["visibility"],
        planned_at=time_of(row["planned_at"]),
        looked_at=moment(row["looked_at"]),
        checked_at=moment(row["checked_at"]),
        posts=tuple(map(read_post, posts)),
        papers=tuple(row["papers"].split()),
        owner=row["owner"],
    )


def read_attempt(row: sqlite3.Row) -> Attempt:
    """Convert a row of `attempts`."""
    at = time_of(row["at"])
    return Attempt(at, row["kind"], row["position"], row["outcome"], row["detail"])
