"""Values to columns and back: what SQLite has no type of its own for.

Times are text that sorts as time does; money is a whole number of millionths of a dollar.
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
    """A time as text. Raises ValueError for one without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """The time that `stamp` wrote. Raises LedgerError for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - it has no zone, as is refused
    if found.tzinfo is None:
        fix = "Put a copy of the ledger back, or move it away: what is out is found on the network."
        raise LedgerError(f"a time in the ledger is not as bot wrote it: {text[:40]!r}", fix)
    return found


def moment(text: str | None) -> datetime | None:
    """The time that `stamp` wrote; None for NULL. Raises LedgerError."""
    return None if text is None else time_of(text)


def words(text: str) -> str:
    """Free text without the lone surrogates that a JSON answer can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def micros(amount: Decimal) -> int:
    """US dollars to millionths, rounded away from zero so that no spending is lost."""
    return int(amount.quantize(_MILLIONTH, ROUND_UP).scaleb(6))


def dollars(millionths: int) -> Decimal:
    """Millionths to US dollars."""
    return Decimal(millionths).scaleb(-6)


def write_media(media: Sequence[Media]) -> str:
    """The files of a post as JSON."""
    return json.dumps([{"alt": one.alt, "type": one.type} for one in media])


def write_rich(spans: Sequence[Span], card: Card | None) -> str:
    """What a post leads to as JSON; empty where it leads nowhere."""
    if not spans and card is None:
        return ""
    led = [[span.start, span.end, span.uri, span.tag] for span in spans]
    shown = None if card is None else [card.uri, card.title, card.description]
    return json.dumps({"spans": led, "card": shown})


def _spans(rich: str) -> tuple[Span, ...]:
    return tuple(Span(*each) for each in json.loads(rich)["spans"]) if rich else ()


def _card(rich: str) -> Card | None:
    shown = json.loads(rich)["card"] if rich else None
    return Card(*shown) if shown else None


@lru_cache(maxsize=512)
def read_post(row: sqlite3.Row) -> StoredPost:
    """A row of `posts`. Raises ValueError for what no version of ours wrote.

    Of a thread that is read again, all rows but one are as they were: they are not read anew.
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
    """A row of `threads` and its rows of `posts`. Raises ValueError as `read_post` does."""
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
    """A row of `attempts`."""
    at = time_of(row["at"])
    return Attempt(at, row["kind"], row["position"], row["outcome"], row["detail"])
