"""Content identifiers, https://atproto.com/specs/data-model: a hash that says what it is a hash of.

Only what the protocol makes of them: version 1, SHA-256, written in base32.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Self

_VERSION, _SHA256 = 1, 0x12
_DIGEST = 32
_HEAD = 4
_WRITTEN = 59
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz234567")


class Codec(IntEnum):
    """What was hashed: the bytes of a file, or a value encoded in DAG-CBOR."""

    RAW = 0x55
    DAG_CBOR = 0x71


@dataclass(frozen=True, slots=True)
class Cid:
    """One content identifier; `str` writes it, as `bafyrei...` or, for files, `bafkrei...`."""

    codec: Codec
    digest: bytes

    @classmethod
    def of(cls, data: bytes, codec: Codec) -> Self:
        """Return the identifier of some bytes."""
        return cls(codec, sha256(data).digest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the identifier that is written there; ValueError where none is."""
        if len(text) == _WRITTEN and _LETTERS.issuperset(text):
            whole = b32decode(text[1:].upper() + "======")
            for codec in Codec:
                # Written anew it must be the same: the head, and no bits left over at the end.
                cid = cls(codec, whole[_HEAD:])
                if str(cid) == text:
                    return cid
        raise ValueError(text)

    def __bytes__(self) -> bytes:
        return bytes((_VERSION, self.codec, _SHA256, _DIGEST)) + self.digest

    def __str__(self) -> str:
        return "b" + b32encode(bytes(self)).decode().lower().rstrip("=")
