"""The results of looking for a digest, and the protocol of every kind of source.

A kind of source is a `DigestFinder`: it returns what it found and raises a DigestError otherwise.
Callers hold a `Source`, which returns every error as an outcome, so that they only look at
`SourceResult.outcome`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from bot.errors import BotError, Malformed, NoDigest, Nowhere, SettingsError, Unreachable
from bot.http.page import CacheValidators
from bot.model import Digest

HELD = 3_000_000
"""About how many characters the digests of one `since` have together, before the last one."""
_AUTHOR = 80  # bytes that an author's name takes beyond its characters


class SourceOutcome(StrEnum):
    """The outcome of looking at the source."""

    FOUND = "found"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    DRAFT = "draft"
    STALE = "stale"
    NONE = "none"
    MALFORMED = "malformed"
    UNREACHABLE = "unreachable"


Memory = Mapping[str, CacheValidators]
NOTHING: Memory = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SourceResult:
    """One look at a source.

    `source` is the path or URL that was read, without user, query or fragment, where secrets may
    stand. `digest` is there for FOUND, EMPTY, DRAFT and STALE, `problem` for NONE (a NoDigest),
    MALFORMED and UNREACHABLE (an Unreachable, or a SettingsError where a setting is to blame).
    `memory` is for the next call of `latest`, and does not grow: it holds what a server said of the
    pages last read. After UNREACHABLE it is the one that was passed in, after NONE and MALFORMED it
    is empty, so that UNCHANGED always means the last reading that was not UNREACHABLE.
    """

    outcome: SourceOutcome
    source: str
    digest: Digest | None = None
    warnings: tuple[str, ...] = ()
    problem: BotError | None = None
    memory: Memory = field(default_factory=dict)


class Source(Protocol):
    """Where digests are. No method raises for anything that a source or a network can do."""

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        """Read the newest digest; UNCHANGED where nothing is new since `memory` was given.

        What tells is what a server says of its pages (`CacheValidators`), and Git's hashes on
        GitHub. A folder or file on this machine gives no UNCHANGED: it is listed and read at every
        look, so that no time or size of a file is relied on.
        """
        ...

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Read the digests of later days than `day`, oldest first, the oldest `most` of them.

        Of a digest of several days the last counts. What says the day is what `latest` goes by: a
        file's name, and its text where the name has none; of a feed's item its link, title or
        Markdown. Those of one day come in the order of their publication, so that the last reading
        of all is what `latest` reads. Each reading is of one digest: FOUND (drafts too), or NONE,
        MALFORMED or UNREACHABLE with the problem of one that cannot be read, which costs the others
        nothing and counts as one of `most`. What must not be read is passed over with a warning.

        A single reading tells that the source itself cannot be read, or holds something whose day
        cannot be known. There is none where nothing is later. At most `most` digests are held at a
        time, and no further ones once they are larger than `HELD` together, which a warning on the
        last one says. Files whose names say an earlier day are not opened. A listing and each
        digest may take as long as an answer of the source may. No `memory` is read, and none is
        given.
        """
        ...

    def find(self, wanted: date | str) -> SourceResult:
        """Read the digest of a day (one of its days), or the one with a slug."""
        ...


class DigestFinder(Source, Protocol):
    """A kind of source, as its own file writes it: its methods raise what went wrong.

    They raise NoDigest, Nowhere, Malformed, Unreachable, and SettingsError where a setting is to
    blame; `since` does where no single digest is to blame, and need not mind a `most` below 1.
    """

    @property
    def where(self) -> str:
        """Its name in messages: a path or URL without secrets."""
        ...


_OUTCOMES: Mapping[type[BotError], SourceOutcome] = {
    NoDigest: SourceOutcome.NONE,
    Nowhere: SourceOutcome.NONE,
    Malformed: SourceOutcome.MALFORMED,
    Unreachable: SourceOutcome.UNREACHABLE,
    SettingsError: SourceOutcome.UNREACHABLE,
}
FAILURES = tuple(_OUTCOMES)
"""What a DigestFinder raises."""


def failed(problem: BotError, where: str, memory: Memory = NOTHING) -> SourceResult:
    """Make one of FAILURES a reading of `where`, or of the place that a Malformed names.

    The error's traceback and causes are dropped: they hold all that was read, for as long as the
    reading is kept.
    """
    problem.__traceback__ = problem.__cause__ = problem.__context__ = None
    outcome = _OUTCOMES[type(problem)]
    return SourceResult(
        outcome,
        problem.where if isinstance(problem, Malformed) else where,
        problem=problem,
        memory=memory if outcome is SourceOutcome.UNREACHABLE else NOTHING,
    )


def held(readings: Iterable[SourceResult], most: int) -> tuple[SourceResult, ...]:
    """Take the first `most` readings, or fewer where their digests are larger than `HELD`."""
    found: list[SourceResult] = []
    size = 0
    for reading in readings:
        size += weight(reading.digest)
        if size <= HELD:
            found.append(reading)
        else:
            note = (
                f"{reading.source}: digests after this one are not read at this look: it is large"
            )
            found.append(replace(reading, warnings=(*reading.warnings, note)))
        if size > HELD or len(found) == most:
            break
    return tuple(found)


def weight(digest: Digest | None) -> int:
    """About how many characters a digest holds."""
    papers = digest.papers if digest else ()
    return sum(len(repr(paper)) + _AUTHOR * len(paper.authors) for paper in papers)


def is_wanted(digest: Digest, wanted: date | str | None) -> bool:
    """Whether `digest` has this day among its days, or this slug; None wants any."""
    if isinstance(wanted, date):
        return digest.day <= wanted <= digest.last_day
    return wanted is None or digest.slug == wanted
