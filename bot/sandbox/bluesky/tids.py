"""TIDs, the keys of records, https://atproto.com/specs/tid: a time in 13 sortable characters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.sandbox.ids import Ids

LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
LENGTH = 13
_CLOCK_BITS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tid(micros: int, clock: int = 0) -> str:
    """Return the TID of a time in microseconds since 1970, for the clock number `clock`."""
    number = micros << _CLOCK_BITS | clock
    return "".join(LETTERS[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def tids(clock: int = 0) -> Ids:
    """Return TIDs that grow with the time, and still grow if the clock goes back."""
    last = -1

    def make(now: datetime) -> str:
        nonlocal last
        last = max(last + 1, (now - _EPOCH) // timedelta(microseconds=1))
        return tid(last, clock)

    return make
