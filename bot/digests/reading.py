"""What comes of looking for a digest: the outcomes, and the shape of every kind of source.

A kind of source is a `Finder`: it returns what it found and raises a DigestError otherwise. The
`Source` that callers hold is the same thing with every error made an outcome, so that a pass of the
worker is one look at `Reading.outcome`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from bot.errors import BotError
from bot.model import Digest

SIZE_CAP = 20_000_000
"""Bytes of a digest or a feed, decoded; nothing larger is read."""


class Outcome(StrEnum):
    """What became of a look at the source."""

    FOUND = "found"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    DRAFT = "draft"
    STALE = "stale"
    NONE = "none"
    MALFORMED = "malformed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said of the version it sent (RFC 9110, section 8.8); sent back to it next time.

    Both stand here as they came and are empty where the server said nothing.
    """

    etag: str = ""
    last_modified: str = ""


Memory = Mapping[str, Validators]
NOTHING: Memory = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a source.

    `source` is the path or URL that was read, without user, query or fragment, where secrets may
    stand. `digest` is there for FOUND, EMPTY, DRAFT and STALE, `problem` for NONE (a NoDigest),
    MALFORMED and UNREACHABLE (an Unreachable, or a SettingsError where a setting is to blame).
    `memory` is for the next call of `latest`: after a failure it is the one that was passed in.
    """

    outcome: Outcome
    source: str
    digest: Digest | None = None
    warnings: tuple[str, ...] = ()
    problem: BotError | None = None
    memory: Memory = field(default_factory=dict)


class Source(Protocol):
    """Where digests are. Neither method raises for anything that a source or a network can do."""

    def latest(self, memory: Memory = NOTHING) -> Reading:
        """Read the newest digest; UNCHANGED where nothing is new since `memory` was given."""
        ...

    def find(self, wanted: date | str) -> Reading:
        """Read the digest of a day (one of its days), or the one with a slug."""
        ...


class Finder(Source, Protocol):
    """A kind of source, as its own file writes it: `latest` and `find` raise what went wrong.

    They raise NoDigest, Malformed, Unreachable, and SettingsError where a setting is to blame.
    """

    @property
    def where(self) -> str:
        """Its name in messages: a path or URL without secrets."""
        ...


def is_wanted(digest: Digest, wanted: date | str | None) -> bool:
    """Whether `digest` has this day among its days, or this slug; None wants any."""
    if isinstance(wanted, date):
        return digest.day <= wanted <= digest.last_day
    return wanted is None or digest.slug == wanted


def printable(text: str) -> str:
    """`text` without what could command a terminal or begin a new line in a log."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)
