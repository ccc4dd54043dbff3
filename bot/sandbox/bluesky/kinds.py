"""The kinds of values that lexicons speak of, https://atproto.com/specs/lexicon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.sandbox.bluesky.cbor import MOST


@dataclass(frozen=True, slots=True)
class Text:
    """A string: at most so many bytes of UTF-8 and so many graphemes, in a format."""

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
    """A map of which nothing is known."""


@dataclass(frozen=True, slots=True)
class BlobKind:
    """A reference to a file of such types (`image/*`), of at most so many bytes."""

    accept: tuple[str, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A list, at most so long."""

    each: Kind
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """A map with such fields; they are looked at in this order."""

    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    nullable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What `name` stands for in the table of definitions."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A map whose `$type` says what it is; one of an unknown type passes unless `closed`."""

    names: tuple[str, ...]
    closed: bool = False


Kind: TypeAlias = Text | Whole | Flag | Anything | BlobKind | Many | Fields | Named | AnyOf
