"""Keys by which Bluesky files records: TIDs, which sort as time does. Pure.

A TID is 13 digits of base 32: 53 bits of microseconds since 1970, then 10 bits of who made it
(https://atproto.com/specs/tid).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
_TID = re.compile(r"[234567a-j][234567a-z]{12}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The first moment that a TID can name."""

_LENGTH = 13
CLOCKS = 1024
"""How many TIDs one microsecond has."""


def tid(moment: datetime, clock: int = 0) -> str:
    """The TID of a time, and of the clock (0 to 1023) that made it."""
    micros = (moment - EPOCH) // timedelta(microseconds=1) % 2**53
    value = micros * CLOCKS + clock % CLOCKS
    return "".join(_DIGITS[value >> 5 * place & 31] for place in reversed(range(_LENGTH)))


def is_tid(text: str) -> bool:
    """Tell whether this is a TID."""
    return bool(_TID.fullmatch(text))


def time_of(text: str) -> datetime:
    """The time of a TID. Raises ValueError for what is none."""
    if not is_tid(text):
        raise ValueError(f"{text!r} is no TID")
    value = 0
    for digit in text:
        value = value * 32 + _DIGITS.index(digit)
    return EPOCH + timedelta(microseconds=value // CLOCKS)
