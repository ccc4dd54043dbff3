"""Identifies digests, threads and posts: each worker gets the same keys, with any ledger."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from bot.formatter.render import CLOSING, OPENING
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Digest, Network, Post, State, Thread
from bot.posters.bluesky.tids import CLOCKS, tid

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_MICROSECONDS_A_DAY = 86_400_000_000
_OUT_OF_USE = date(2000, 1, 1)
_DAYS_OUT_OF_USE = 20 * 365


def key(account: str, digest: str, generation: int, part: str) -> str:
    """Return the key of a post, 32 hexadecimal characters, from these four values alone.

    Text, time, URL and position do not count: the post has the same key after its template changed,
    on another machine, and with an empty ledger.
    """
    name = "\x1f".join((account, digest, str(generation), part))
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def record_key(key: str, digest: str) -> str:
    """Return the key of a post as a TID, which Bluesky needs (https://atproto.com/specs/tid).

    The time of the TID is on the day that the slug names, the same for all posts of a digest, so
    that one request reads them all. The rest of the TID comes from `key`.
    """
    day = _day_of(digest)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    number, clock = divmod(int(key, 16), CLOCKS)
    return tid(midnight + timedelta(microseconds=number % _MICROSECONDS_A_DAY), clock)


def _day_of(digest: str) -> date:
    """Return the day that a slug names, else a day made from the slug, from before Bluesky existed.

    The digest's own day does not serve: it may come from the name of a file, or, if the same digest
    is read from a URL, from its publication.
    """
    for text in re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", digest):
        with suppress(ValueError):  # the digits are not a day
            return date.fromisoformat(text)
    number = int.from_bytes(hashlib.sha256(digest.encode("utf-8", "surrogatepass")).digest())
    return _OUT_OF_USE + timedelta(days=number % _DAYS_OUT_OF_USE)


SAME = 0.8
ALIKE = 0.4
"""The shares of common papers from which two digests of one day are, or may be, the same digest."""


def find_alike(ledger: Ledger, day: date, thread: Thread) -> tuple[StoredThread | None, float]:
    """Find the account's thread of a digest of about this day with the most papers in common.

    Returns the thread and the share of common papers; None where the share is under `ALIKE`.
    """
    papers = thread.papers or papers_of(thread.posts)
    shares = [
        (overlap(papers, other.papers or papers_of(other.posts)), other)
        for other in ledger.neighbours(thread.account.name, day)
    ]
    share, found = max(shares, key=lambda each: each[0], default=(0.0, None))
    return (found, share) if share >= ALIKE else (None, 0.0)


def overlap(papers: Collection[str], others: Collection[str]) -> float:
    """Return how much of the smaller of two sets of papers is in the other, from 0 to 1."""
    smaller = min(len(set(papers)), len(set(others)))
    return len(set(papers) & set(others)) / smaller if smaller else 0.0


def papers_of(posts: Sequence[Post] | Sequence[StoredPost]) -> tuple[str, ...]:
    """Return the ids of the papers that have a post of their own."""
    return tuple(post.part for post in posts if post.part not in (OPENING, CLOSING))


def is_retracted(thread: StoredThread) -> bool:
    """Tell whether all posts of a thread are retracted."""
    return all(post.state is State.RETRACTED for post in thread.posts)


def is_half_retracted(thread: StoredThread) -> bool:
    """Tell whether some posts of a thread were deleted on purpose, and others were not."""
    deleted = any(post.state is State.RETRACTED and not post.reason for post in thread.posts)
    return deleted and not is_retracted(thread)


def fingerprint(digest: Digest) -> str:
    """Return a hash of a digest's title and papers, without their counts and ranks, which move."""
    papers = sorted(
        (paper.key, paper.title, paper.authors, paper.abstract) for paper in digest.papers
    )
    text = json.dumps([digest.title, papers], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def reads_for_free(network: Network) -> bool:
    """Tell whether the network does not bill reads, so that every finished thread is checked."""
    return network is not Network.TWITTER
