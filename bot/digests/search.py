"""Find a digest among the files of a store: by their names, and then by opening few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import chain
from typing import NamedTuple

from bot.digests.file_names import FileNames, newest_first
from bot.digests.file_store import FileListing, FileRefused, FileStore
from bot.digests.parse import days_in, head, parse
from bot.digests.result import (
    FAILURES,
    NOTHING,
    Memory,
    SourceOutcome,
    SourceResult,
    failed,
    held,
)
from bot.errors import BotError, Malformed, NoDigest
from bot.http.page import SIZE_CAP

HEAD_SIZE = 65_536
_ADVICE = "begin their names with the day, like 2021-06-22---Hot-Papers.md"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class _Head(NamedTuple):
    slug: str = ""
    day: date | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredDigests:
    """The digests of a file store: a DigestFinder."""

    shelf: FileStore

    @property
    def where(self) -> str:
        """The name of the store."""
        return self.shelf.where

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        """Read the digest whose name has the latest day; of several the last one published."""
        listing = self.shelf.names(memory)
        if listing is None:
            return SourceResult(SourceOutcome.UNCHANGED, self.where, memory=memory)
        return _Search(self.shelf, listing).latest()

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Read those of later days; only their files are opened, and those that name no day."""
        return _Search(self.shelf, self._listing()).since(day, most)

    def find(self, wanted: date | str) -> SourceResult:
        """Read the digest of a day or with a slug, by file name first, by front matter then."""
        search = _Search(self.shelf, self._listing())
        return search.of_day(wanted) if isinstance(wanted, date) else search.with_slug(wanted)

    def _listing(self) -> FileListing:
        return self.shelf.names(NOTHING) or FileListing(())


class _Search:
    """One look through a listing; gathers warnings as it goes."""

    def __init__(self, shelf: FileStore, listing: FileListing) -> None:
        self._shelf = shelf
        self._memory = listing.memory
        self._warnings = list(listing.warnings)
        self._problem: BotError | None = None
        self._names = FileNames(listing.names)

    def latest(self) -> SourceResult:
        learned = defaultdict(list)
        for day, name in self._learned():
            learned[day].append(name)
        for day in newest_first([*self._names.days, *learned]):
            if reading := self._best([*self._names.of(day), *learned[day]]):
                return reading
        raise self._nothing("no digest")

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        later = self._later(day)
        names = (name for key in sorted(later) for name in self._by_age(later[key]))
        readings = held(filter(None, map(self._tried, names)), most)
        if self._problem and not readings:
            raise self._problem  # what cannot be opened may be later
        # What is wrong with the listing stands with the newest, where `latest` would say it too.
        told = {str(reading.problem) for reading in readings}
        warnings = tuple(warning for warning in self._warnings if warning not in told)
        newest = (replace(each, warnings=warnings + each.warnings) for each in readings[-1:])
        return (*readings[:-1], *newest)

    def of_day(self, wanted: date) -> SourceResult:
        day = wanted.isoformat()
        stages: tuple[Iterable[str], ...] = (
            self._names.of(day),
            self._names.spanning(wanted),
            (name for learned, name in self._learned() if learned == day),
        )
        for names in stages:
            if reading := self._best(list(names)):
                return reading
        raise self._nothing(f"no digest of {day}")

    def with_slug(self, slug: str) -> SourceResult:
        days = days_in(slug)
        meant = self._names.of(days[1].isoformat()) if days else []
        for stage in (meant, self._names.alike(slug), self._names.all):
            if reading := self._best([n for n in self._few(stage) if self._has_slug(n, slug)]):
                return reading
        if broken := [name for name in meant if self._head(name) == _Head()]:
            self._best(broken)
        raise self._nothing(f"no digest with the slug {slug!r}")

    def _best(self, names: Sequence[str]) -> SourceResult | None:
        """Parse the last one published of these; None where all of them are refused."""
        for name in reversed(self._by_age(names)):
            try:
                reading = self._parsed(name)
            except FileRefused as error:
                self._warn(str(error))
            else:
                # What could not be opened is to be looked at again, though nothing changes.
                memory = NOTHING if self._problem else self._memory
                warnings = (*self._warnings, *reading.warnings)
                return replace(reading, warnings=warnings, memory=memory)
        return None

    def _tried(self, name: str) -> SourceResult | None:
        """Parse one file, whatever comes of it; None where it is refused."""
        try:
            return self._parsed(name)
        except FileRefused as error:
            self._warn(str(error))
            return None
        except FAILURES as problem:
            return failed(problem, self._shelf.path(name))

    def _by_age(self, names: Sequence[str]) -> Sequence[str]:
        """Sort files of one day, the last one published last; first what cannot be opened."""
        if len(names) < 2:  # noqa: PLR2004 - one is in order
            return names
        opened = self._few(sorted(names, reverse=True), "keep one file for each day")
        heads = [(self._head(name), name) for name in opened]
        heads.sort(key=lambda pair: (pair[0] is not None, _published(pair[0]), pair[1]))
        return [name for _, name in heads]

    def _parsed(self, name: str) -> SourceResult:
        path = self._shelf.path(name)
        raw = self._shelf.read(name, SIZE_CAP + 1)
        named = days_in(name)
        digest, notes = parse(raw, path, day=named[1] if named else None)
        if named and digest.last_day != named[1]:
            notes = (*notes, f"{path}: its name says {named[1]}, its text {digest.last_day}")
        return SourceResult(SourceOutcome.FOUND, path, digest, notes)

    def _later(self, day: date) -> Mapping[str, Sequence[str]]:
        """The files of each day after `day`, by name first, by front matter where that has none."""
        later = defaultdict(list)
        learned = (pair for pair in self._learned() if pair[0] > day.isoformat())
        for each, name in chain(self._names.later(day), learned):
            later[each].append(name)
        return later

    def _learned(self) -> Iterator[tuple[str, str]]:
        """The day and name of each file that says its day only inside."""
        for name in self._few(self._names.undated):
            found = self._head(name)
            if found and found.day:
                yield found.day.isoformat(), name

    def _few(self, names: Sequence[str], advice: str = _ADVICE) -> Sequence[str]:
        """Return as many names as may be opened, and warn where that leaves some out."""
        patience = self._shelf.patience
        if left := len(names[patience:]):
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
        except FAILURES as error:
            self._problem = error
            self._warn(str(error))
        except FileRefused as error:
            self._warn(str(error))
        return None

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

    def _nothing(self, what: str) -> BotError:
        if self._problem:
            return self._problem
        known = f"The newest there is of {max(self._names.days)}." if self._names.days else ""
        return NoDigest(
            f"{self._shelf.where}: {what}", "\n  ".join(filter(None, [*self._warnings, known]))
        )


def _published(found: _Head | None) -> datetime:
    return (found and found.published) or _LONG_AGO
