"""Make ids as the networks do. They grow with the clock, and still grow if it goes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import md5
from typing import TypeAlias
from uuid import UUID

Ids: TypeAlias = Callable[[datetime], str]

X_EPOCH_MS = 1288834974657
_X_SHIFT = 22
_MASTODON_SHIFT = 16
_ULID_SHIFT = 80
_UUID_SHIFT = 80
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def x_ids() -> Ids:
    """Return X's snowflakes: milliseconds since November 2010 above 22 bits."""
    count = _growing(_X_SHIFT, X_EPOCH_MS)
    return lambda now: str(count(now))


def mastodon_ids() -> Ids:
    """Return Mastodon's snowflakes: milliseconds since 1970 above 16 bits."""
    count = _growing(_MASTODON_SHIFT)
    return lambda now: str(count(now))


def ulids() -> Ids:
    """Return GoToSocial's ULIDs: 26 letters and digits that sort as they grow."""
    count = _growing(_ULID_SHIFT)

    def make(now: datetime) -> str:
        number = count(now)
        return "".join(_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(26)))

    return make


def uuids() -> Ids:
    """Return Hollo's ids: UUIDs that begin with the time."""
    count = _growing(_UUID_SHIFT)
    return lambda now: str(UUID(int=count(now)))


def hex_ids() -> Ids:
    """Return snac2's ids: 42 hex digits, ordered by second, unordered within a second."""
    count = _growing(0)

    def make(now: datetime) -> str:
        # md5 only shuffles the ids of one second, the same way in every run
        tail = md5(str(count(now)).encode(), usedforsecurity=False).hexdigest()
        return f"{int(now.timestamp()):010x}{tail}"

    return make


def _growing(shift: int, epoch_ms: int = 0) -> Callable[[datetime], int]:
    last = 0

    def grow(now: datetime) -> int:
        nonlocal last
        last = max(last + 1, (round(now.timestamp() * 1000) - epoch_ms) << shift)
        return last

    return grow
