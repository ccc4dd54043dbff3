"""What a thread and a post are, whatever their words: the same from any worker and any ledger."""

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
    """The key of a post: 32 hexadecimal characters, a function of what it is and of nothing else.

    Never of text, clock, address or position: the same post has the same key after its template
    changed, on another machine, and with an empty ledger.
    """
    named = "\x1f".join((account, digest, str(generation), part))
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def record_key(key: str, digest: str) -> str:
    """The key of a post as Bluesky files it: a TID, as much a function of what the post is.

    https://atproto.com/specs/tid. Its time is of one day for all posts of a digest, so that they
    lie together and are read back with one request: the day that the slug says. What is left of it
    is the key's.
    """
    day = _day_of(digest)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    number, clock = divmod(int(key, 16), CLOCKS)
    return tid(midnight + timedelta(microseconds=number % _MICROSECONDS_A_DAY), clock)


def _day_of(digest: str) -> date:
    """The day that a slug says; of one that says none, a day of years before there was Bluesky.

    The digest's own day would not do: a digest read from a file may get it from the file's name,
    and the same digest read from an address from when it was published.
    """
    for named in re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", digest):
        with suppress(ValueError):  # digits that are no day
            return date.fromisoformat(named)
    number = int.from_bytes(hashlib.sha256(digest.encode("utf-8", "surrogatepass")).digest())
    return _OUT_OF_USE + timedelta(days=number % _DAYS_OUT_OF_USE)


SAME = 0.8
ALIKE = 0.4
"""The share of common papers from which two digests of one day are the same, or may be."""


def find_alike(ledger: Ledger, day: date, thread: Thread) -> tuple[StoredThread | None, float]:
    """Find the account's thread of a digest of these days with most of the same papers.

    Returns it with the share of papers that are the same; None where the share is under `ALIKE`.
    """
    papers = thread.papers or papers_of(thread.posts)
    shares = [
        (overlap(papers, other.papers or papers_of(other.posts)), other)
        for other in ledger.neighbours(thread.account.name, day)
    ]
    share, found = max(shares, key=lambda each: each[0], default=(0.0, None))
    return (found, share) if share >= ALIKE else (None, 0.0)


def overlap(papers: Collection[str], others: Collection[str]) -> float:
    """Say how much of the smaller of two sets of papers is in the other, from 0 to 1."""
    smaller = min(len(set(papers)), len(set(others)))
    return len(set(papers) & set(others)) / smaller if smaller else 0.0


def papers_of(posts: Sequence[Post] | Sequence[StoredPost]) -> tuple[str, ...]:
    """Give the ids of the papers that have a post of their own."""
    return tuple(post.part for post in posts if post.part not in (OPENING, CLOSING))


def is_retracted(thread: StoredThread) -> bool:
    """Tell whether all of a thread was deleted on purpose."""
    return all(post.state is State.RETRACTED for post in thread.posts)


def is_half_retracted(thread: StoredThread) -> bool:
    """Tell whether some posts of a thread were deleted on purpose, and others were not."""
    deleted = any(post.state is State.RETRACTED and not post.reason for post in thread.posts)
    return deleted and not is_retracted(thread)


def fingerprint(digest: Digest) -> str:
    """What tells one state of a digest from another: its title and papers, not the count's time."""
    papers = [
        (paper.rank, paper.arxiv_id, paper.title, paper.authors, paper.abstract)
        for paper in digest.papers
    ]
    told = json.dumps([digest.title, papers], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def reads_for_free(network: Network) -> bool:
    """Whether reading back what was sent costs nothing, so that every thread is checked whole."""
    return network is not Network.TWITTER
