"""What the names of files say of the digests in them, without opening one.

The day in a file's name settles almost everything, so of 10,000 files one is opened.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from itertools import filterfalse

from bot.digests.parse import days_in

SUFFIXES = (".md", ".markdown", ".MD")
# Days are compared as text first: making dates of 10,000 names takes longer than listing them.
# What only looks like a day (2021-02-30, part of a longer number) is sorted out by days_in.
_DAY = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_PAPERWORK = re.compile(
    r"(?:readme|licen[cs]e|changelog|contributing|code_of_conduct|security|_?index)\b",
    re.IGNORECASE,
)


class FileNames:
    """The names in a listing that digests may have: Markdown, and not hidden.

    `days` holds what looks like a day in any of them, as ISO text; `undated` are those without,
    whose files may say their day inside.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.all = [n for n in names if n.endswith(SUFFIXES) and not n.startswith(".")]
        self.days: Sequence[str] = _DAY.findall("\0".join(self.all))
        unnamed = filterfalse(_DAY.search, self.all)
        self.undated = [name for name in unnamed if not _PAPERWORK.match(name)]

    def of(self, day: str) -> list[str]:
        """Those that say `day` as their last; a day no calendar has is none."""
        return [
            name
            for name in self.all
            if day in name and (days := days_in(name)) and days[1].isoformat() == day
        ]

    def spanning(self, day: date) -> Iterator[str]:
        """Those whose days, from the first to the last, include `day`."""
        for name in self.all:
            if (days := days_in(name)) and days[0] <= day <= days[1]:
                yield name

    def later(self, day: date) -> Iterator[tuple[str, str]]:
        """The last day, as ISO text, and the name of each that says one after `day`."""
        for name in self.all:
            if (days := days_in(name)) and days[1] > day:
                yield days[1].isoformat(), name

    def alike(self, slug: str) -> list[str]:
        """Those with `slug` in them, in any case."""
        return [name for name in self.all if slug.lower() in name.lower()]


def newest_first(days: Collection[str]) -> Iterator[str]:
    """Give each day once. Mostly only the first is asked for, and the others are not sorted."""
    if days:
        newest = max(days)
        yield newest
        yield from sorted({*days} - {newest}, reverse=True)
