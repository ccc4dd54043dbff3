"""Content identifiers, https://atproto.com/specs/data-model: hashes that name their content's kind.

Only the form that the protocol uses: version 1, SHA-256, written in base32.
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
    """The hashed content: the bytes of a file, or a value encoded as DAG-CBOR."""

    RAW = 0x55
    DAG_CBOR = 0x71


@dataclass(frozen=True, slots=True)
class Cid:
    """One content identifier. `str` returns `bafyrei...`, or for files `bafkrei...`."""

    codec: Codec
    digest: bytes

    @classmethod
    def of(cls, data: bytes, codec: Codec) -> Self:
        """Return the identifier of some bytes."""
        return cls(codec, sha256(data).digest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the identifier in a text. Raises ValueError if the text is no identifier."""
        if len(text) == _WRITTEN and _LETTERS.issuperset(text):
            whole = b32decode(text[1:].upper() + "======")
            for codec in Codec:
                # comparing the texts also checks the head and the unused bits at the end
                cid = cls(codec, whole[_HEAD:])
                if str(cid) == text:
                    return cid
        raise ValueError(text)

    def __bytes__(self) -> bytes:
        return bytes((_VERSION, self.codec, _SHA256, _DIGEST)) + self.digest

    def __str__(self) -> str:
        return "b" + b32encode(bytes(self)).decode().lower().rstrip("=")
