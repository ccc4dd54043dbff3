"""The kinds of values in lexicons, https://atproto.com/specs/lexicon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.sandbox.bluesky.cbor import MOST


@dataclass(frozen=True, slots=True)
class Text:
    """A string with at most `most` UTF-8 bytes and `graphemes` graphemes, in a format."""

    format: str = ""
    most: int | None = None
    graphemes: int | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer between two bounds."""

    least: int = -MOST
    most: int = MOST


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Anything:
    """A map with any content."""


@dataclass(frozen=True, slots=True)
class BlobKind:
    """A reference to a file of the types `accept` (`image/*`), with at most `most` bytes."""

    accept: tuple[str, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A list with at most `most` items."""

    each: Kind
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """A map with these fields. They are checked in this order."""

    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """The kind that `name` has in the table of definitions."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A map whose `$type` names its kind. An unknown type is allowed unless `closed`."""

    names: tuple[str, ...]
    closed: bool = False


Kind: TypeAlias = Text | Whole | Flag | Anything | BlobKind | Many | Fields | Named | AnyOf
