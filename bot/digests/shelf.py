"""Files with names, wherever they lie: finds the one that holds the digest that is wanted.

The day in a file's name settles almost everything, so of 10,000 files one is opened. A kind of
source that keeps digests as files (a folder, a Git repository) is a Shelf: it lists and it reads.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import filterfalse
from typing import NamedTuple, Protocol

from bot.digests.parse import days_in, head, parse
from bot.digests.reading import NOTHING, SIZE_CAP, Memory, Outcome, Reading
from bot.errors import DigestError, Malformed, NoDigest, Unreachable

HEAD_SIZE = 65_536
SUFFIXES = (".md", ".markdown", ".MD")
# Days are compared as text first: making dates of 10,000 names takes longer than listing them.
# What only looks like a day (2021-02-30, part of a longer number) is sorted out by days_in.
_DAY = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_PAPERWORK = re.compile(
    r"(?:readme|licen[cs]e|changelog|contributing|code_of_conduct|security|_?index)\b",
    re.IGNORECASE,
)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Refused(Exception):
    """A file that must not be read, or is none. The message says which and why; others may do."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The names on a shelf, what is wrong with some of them, and what to remember of asking."""

    names: Iterable[str]
    warnings: tuple[str, ...] = ()
    memory: Memory = field(default_factory=dict)


class Shelf(Protocol):
    """A place that keeps files by name."""

    @property
    def where(self) -> str:
        """The place itself, for messages."""
        ...

    @property
    def patience(self) -> int:
        """How many files may be opened only to learn what they are."""
        ...

    def names(self, memory: Memory) -> Listing | None:
        """Name the files; None where nothing changed since `memory`. Raises NoDigest, Unreachable.

        Names need not be those of digests.
        """
        ...

    def path(self, name: str) -> str:
        """One file, for messages."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """Give the first `limit` bytes of a listed file. Raises Refused, Unreachable."""
        ...


class _Head(NamedTuple):
    slug: str = ""
    day: date | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shelved:
    """The digests on a shelf: a Finder."""

    shelf: Shelf

    @property
    def where(self) -> str:
        """The shelf's own name."""
        return self.shelf.where

    def latest(self, memory: Memory = NOTHING) -> Reading:
        """Read the digest whose name has the latest day; of several the last one published."""
        listing = self.shelf.names(memory)
        if listing is None:
            return Reading(Outcome.UNCHANGED, self.where, memory=memory)
        return _Search(self.shelf, listing).latest()

    def find(self, wanted: date | str) -> Reading:
        """Read the digest of a day or with a slug, by file name first, by front matter then."""
        listing = self.shelf.names(NOTHING) or Listing(())
        search = _Search(self.shelf, listing)
        return search.of_day(wanted) if isinstance(wanted, date) else search.with_slug(wanted)


def digest_names(names: Iterable[str]) -> Sequence[str]:
    """Pick the names that digests may have: Markdown, and not hidden."""
    return [name for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]


def newest_first(days: Collection[str]) -> Iterator[str]:
    """Give each day once. Mostly only the first is asked for, and the others are not sorted."""
    if days:
        newest = max(days)
        yield newest
        yield from sorted({*days} - {newest}, reverse=True)


class _Search:
    """One look through a listing; gathers warnings as it goes."""

    def __init__(self, shelf: Shelf, listing: Listing) -> None:
        self._shelf = shelf
        self._memory = listing.memory
        self._warnings = list(listing.warnings)
        self._trouble: Unreachable | None = None
        self._names = digest_names(listing.names)
        self._days: Sequence[str] = _DAY.findall("\0".join(self._names))
        unnamed = filterfalse(_DAY.search, self._names)
        self._undated = [name for name in unnamed if not _PAPERWORK.match(name)]

    def latest(self) -> Reading:
        learned = defaultdict(list)
        for day, name in self._learned():
            learned[day].append(name)
        for day in newest_first([*self._days, *learned]):
            if reading := self._best([*self._named(day), *learned[day]]):
                return reading
        raise self._nothing("no digest")

    def of_day(self, wanted: date) -> Reading:
        day = wanted.isoformat()
        stages: tuple[Iterable[str], ...] = (
            self._named(day),
            (name for name in self._names if _spans(name, wanted)),
            (name for learned, name in self._learned() if learned == day),
        )
        for names in stages:
            if reading := self._best(list(names)):
                return reading
        raise self._nothing(f"no digest of {day}")

    def with_slug(self, slug: str) -> Reading:
        days = days_in(slug)
        meant = self._named(days[1].isoformat()) if days else []
        alike = [name for name in self._names if slug.lower() in name.lower()]
        for stage in (meant, alike, self._names):
            if reading := self._best([n for n in self._few(stage) if self._has_slug(n, slug)]):
                return reading
        if broken := [name for name in meant if self._head(name) == _Head()]:
            self._best(broken)
        raise self._nothing(f"no digest with the slug {slug!r}")

    def _named(self, day: str) -> list[str]:
        """The files whose names have `day` as their last; a day no calendar has is none."""
        return [
            name
            for name in self._names
            if day in name and (days := days_in(name)) and days[1].isoformat() == day
        ]

    def _best(self, names: Sequence[str]) -> Reading | None:
        """Parse the last one published of these; None where all of them are refused."""
        if len(names) > 1:
            heads = [(head, name) for name in names if (head := self._head(name))]
            heads.sort(key=lambda pair: (pair[0].published or _LONG_AGO, pair[1]), reverse=True)
            names = [name for _, name in heads]
            if self._trouble and not names:
                raise self._trouble
        for name in names:
            try:
                return self._parsed(name)
            except Refused as error:
                self._warn(str(error))
        return None

    def _parsed(self, name: str) -> Reading:
        path = self._shelf.path(name)
        raw = self._shelf.read(name, SIZE_CAP + 1)
        if len(raw) > SIZE_CAP:
            raise Malformed(path, 1, "expected a digest, found more than 20 MB")
        named = days_in(name)
        digest, notes = parse(raw, path, day=named[1] if named else None)
        if named and digest.last_day != named[1]:
            notes = (*notes, f"{path}: its name says {named[1]}, its text {digest.last_day}")
        warnings = (*self._warnings, *notes)
        return Reading(Outcome.FOUND, path, digest, warnings, memory=self._memory)

    def _learned(self) -> Iterator[tuple[str, str]]:
        """The day and name of each file that says its day only inside."""
        for name in self._few(self._undated):
            found = self._head(name)
            if found and found.day:
                yield found.day.isoformat(), name

    def _few(self, names: Sequence[str]) -> Sequence[str]:
        """As many as may be opened; a warning where that leaves some out."""
        patience = self._shelf.patience
        if left := len(names[patience:]):
            advice = "begin their names with the day, like 2021-06-22---Hot-Papers.md"
            self._warn(f"{self._shelf.where}: {left} files were not looked into; {advice}")
        return names[:patience]

    def _has_slug(self, name: str, slug: str) -> bool:
        found = self._head(name)
        return found is not None and slug in (found.slug, name.rpartition(".")[0])

    def _head(self, name: str) -> _Head | None:
        """What a file says of itself: nothing where it is malformed, None where it is not read."""
        try:
            raw = self._shelf.read(name, HEAD_SIZE)
            return _Head(*head(raw.decode("utf-8", "replace"), self._shelf.path(name)))
        except Malformed:
            return _Head()
        except Unreachable as error:
            self._trouble = error
            self._warn(str(error))
        except Refused as error:
            self._warn(str(error))
        return None

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

    def _nothing(self, what: str) -> DigestError:
        if self._trouble:
            return self._trouble
        known = f"The newest there is of {max(self._days)}." if self._days else ""
        return NoDigest(
            f"{self._shelf.where}: {what}", "\n  ".join(filter(None, [*self._warnings, known]))
        )


def _spans(name: str, wanted: date) -> bool:
    days = days_in(name)
    return days is not None and days[0] <= wanted <= days[1]
