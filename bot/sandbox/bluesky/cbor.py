"""Encode values as DAG-CBOR, https://ipld.io/specs/codecs/dag-cbor/spec/.

Each value has exactly one encoding: the shortest heads, and the keys of a map sorted by length and
then by bytes. So a record has the same identifier wherever it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

from bot.sandbox.bluesky.cids import Cid, Codec

Data: TypeAlias = "bool | int | str | bytes | Cid | Sequence[Data] | Mapping[str, Data] | None"
"""A value of the protocol's data model: JSON without fractions, with bytes and links."""

MOST = 2**53 - 1
"""The greatest integer that every JSON reader keeps exact."""

_SIMPLE: Mapping[bool | None, bytes] = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
_IN_HEAD = 24
_LINK = 42
_WIDTHS = ((24, 1), (25, 2), (26, 4), (27, 8))


class Major(IntEnum):
    """The major types of CBOR."""

    WHOLE = 0
    NEGATIVE = 1
    BYTES = 2
    TEXT = 3
    LIST = 4
    MAP = 5
    TAG = 6


def encode(value: Data) -> bytes:
    """Return the encoding of a value. Raises ValueError for an integer beyond ±`MOST`."""
    if isinstance(value, bool) or value is None:
        return _SIMPLE[value]
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, str | bytes):
        return _string(value)
    if isinstance(value, Cid):
        # the zero byte means that the identifier is binary, in no text base
        return _head(Major.TAG, _LINK) + _string(b"\0" + bytes(value))
    if isinstance(value, Mapping):
        pairs = sorted((_string(key), encode(each)) for key, each in value.items())
        return _head(Major.MAP, len(pairs)) + b"".join(key + each for key, each in pairs)
    return _head(Major.LIST, len(value)) + b"".join(map(encode, value))


def cid_of(value: Data) -> Cid:
    """Return the identifier of a value."""
    return Cid.of(encode(value), Codec.DAG_CBOR)


def order(key: str) -> tuple[int, bytes]:
    """Return the sort key of a map's key."""
    data = key.encode()
    return len(data), data


def _string(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return _head(Major.BYTES, len(value)) + value
    data = value.encode()
    return _head(Major.TEXT, len(data)) + data


def _integer(number: int) -> bytes:
    if not -MOST <= number <= MOST:
        raise ValueError(number)
    return _head(Major.WHOLE, number) if number >= 0 else _head(Major.NEGATIVE, -1 - number)


def _head(major: Major, number: int) -> bytes:
    if number < _IN_HEAD:
        return bytes((major << 5 | number,))
    code, width = next(each for each in _WIDTHS if number < 1 << 8 * each[1])
    return bytes((major << 5 | code,)) + number.to_bytes(width)
