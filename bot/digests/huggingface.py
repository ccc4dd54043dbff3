"""Hugging Face's Daily Papers: the list of a day, ranked by people's upvotes.

The API is that of https://huggingface.co/docs/hub/api (`GET /api/daily_papers?date=DAY`): one array
with an entry for each paper. A day's list grows until the day is over, and stands still over a
weekend, so a digest is the list of a weekday that is over, without the papers of the weekday
before. Upvotes go on growing; ranks are those of the moment of reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import TypeGuard

from bot.digests.parse import days_in, ranking
from bot.digests.result import (
    FAILURES,
    NOTHING,
    Memory,
    SourceOutcome,
    SourceResult,
    failed,
    held,
)
from bot.digests.write import author_name, one_line
from bot.errors import Malformed, NoDigest, Unreachable
from bot.http.dates import last_weekday
from bot.http.fetch import Web
from bot.http.json_body import read_json
from bot.http.page import CacheValidators
from bot.http.urls import printable
from bot.model import Digest, Metrics, Paper

SPEC = "huggingface"
API = "https://huggingface.co"
MARGIN = timedelta(hours=6)
"""How long after its end a day counts as over."""
DAYS_BACK = 7
LIMIT = 100
"""The most papers that the API gives at once; a day has about 27."""
_DAY = timedelta(days=1)
_SATURDAY = 5
_ARXIV_ID = re.compile(r"[0-9]{4}\.[0-9]{4,5}")
_SHOWN_KEYS = 20
_RATE_LIMIT = re.compile(r"\bt=([0-9]{1,6})\b")


@dataclass(frozen=True, slots=True)
class DailyPapers:
    """The Daily Papers: a DigestFinder. `now` gives the time in UTC."""

    web: Web
    now: Callable[[], datetime]
    api: str = API
    _lists: dict[date, tuple[list[Paper], tuple[str, ...]]] = field(default_factory=dict)
    _keys: dict[date, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The source as BOT_DIGESTS names it."""
        return SPEC

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        """Read the newest weekday that is over; UNCHANGED where it is the one in `memory`.

        A weekday without a list, such as a holiday, gives way to the one before, with a warning and
        for at most `DAYS_BACK` days. Raises NoDigest where none has a list.
        """
        self._lists.clear()
        newest = self._newest()
        seen = CacheValidators(etag=newest.isoformat())
        if memory.get(SPEC) == seen:
            return SourceResult(SourceOutcome.UNCHANGED, SPEC, memory=memory)
        missing: list[str] = []
        for day in weekdays(newest - DAYS_BACK * _DAY, newest)[::-1]:
            with suppress(NoDigest):
                reading = self._read(day)
                warnings = (*missing, *reading.warnings)
                return SourceResult(
                    SourceOutcome.FOUND,
                    reading.source,
                    reading.digest,
                    warnings,
                    memory={} if missing else {SPEC: seen},
                )
            missing.append(f"{SPEC}: there are no new papers of {day}")
        raise NoDigest(f"{SPEC}: there are no papers of the {DAYS_BACK} days up to {newest}")

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Read the lists of the weekdays after `day` that are over; one without papers is none."""
        self._lists.clear()
        readings = (self._tried(each) for each in weekdays(day + _DAY, self._newest()))
        wanted = (each for each in readings if each.outcome is not SourceOutcome.NONE)
        return held(wanted, most)

    def find(self, wanted: date | str) -> SourceResult:
        """Read the list of a day, by the day or by its digest's slug."""
        self._lists.clear()
        named = (wanted, wanted) if isinstance(wanted, date) else days_in(wanted)
        if named is None or (isinstance(wanted, str) and wanted != slug_of_day(named[1])):
            raise NoDigest(f"{SPEC}: no digest has the slug {printable(str(wanted))}")
        day = named[1]
        if day.weekday() >= _SATURDAY:
            raise NoDigest(f"{SPEC}: {day} is a {day:%A}, and weekends have no digest")
        if day > self._newest():
            raise NoDigest(
                f"{SPEC}: the list of {day} is complete on {over_at(day):%Y-%m-%d %H:%M} UTC"
            )
        return self._read(day)

    def _newest(self) -> date:
        """Return the newest weekday that is over."""
        return last_weekday((self.now() - MARGIN).date() - _DAY)

    def _tried(self, day: date) -> SourceResult:
        try:
            return self._read(day)
        except FAILURES as problem:
            return failed(problem, f"{SPEC} ({day})")

    def _read(self, day: date) -> SourceResult:
        """Read the digest of a weekday. Raises NoDigest where all its papers are not new."""
        before = day - (3 if day.weekday() == 0 else 1) * _DAY
        papers, warnings = self._list(day)
        if papers and not any(map(_upvotes, papers)):
            raise Malformed(
                f"{SPEC} ({day})",
                1,
                f"expected upvotes in `paper.upvotes`, found none, but {self._keys[day]}",
                "Look whether the list has another form now: bot has to be changed for it.",
            )
        known = {paper.key for paper in self._list(before)[0] if _upvotes(paper)}
        papers = [paper for paper in papers if _upvotes(paper) and paper.key not in known]
        if not papers:
            raise NoDigest(f"{SPEC}: there are no new papers of {day}")
        ranked = tuple(replace(each, rank=rank) for rank, each in enumerate(papers, 1))
        digest = Digest(
            slug=slug_of_day(day),
            title=f"Daily Papers {day}",
            day=day,
            last_day=day,
            published=datetime.combine(day + _DAY, time(), UTC),
            papers=ranked,
            url=f"{API}/papers/date/{day}",
            ranked_by=ranking(ranked),
            source=f"{API}/papers",
        )
        return SourceResult(SourceOutcome.FOUND, SPEC, digest, warnings)

    def _list(self, day: date) -> tuple[list[Paper], tuple[str, ...]]:
        """Ask for the list of a day, once in a reading; returns papers by rank, and warnings.

        Raises Unreachable, and Malformed where the answer is not of the documented shape.
        """
        if day in self._lists:
            return self._lists[day]
        url = f"{self.api.rstrip('/')}/api/daily_papers?date={day}&limit={LIMIT}"
        with self.web.get(url, accept="application/json") as answer:
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                limit = _RATE_LIMIT.search(answer.header("ratelimit"))
                wait = int(limit[1]) if limit else 0
                asks = f", and asks to wait {wait} seconds" if wait else answer.wait()
                raise Unreachable(f"{SPEC}: the rate limit is reached{asks}", wait=wait)
            answer.raise_for_status()
            found = read_json(answer)
        where = f"{SPEC} ({day})"
        if not isinstance(found, list):
            raise Malformed(where, 1, "expected a JSON array of papers, found something else")
        warnings: list[str] = []
        papers = [paper for entry in found for paper in _paper(entry, where, warnings)]
        if found and not papers:
            raise Malformed(where, 1, f"no paper can be read here: {warnings[0]}")
        papers.sort(
            key=lambda each: (-_upvotes(each), -each.metrics.number("comments"), each.arxiv_id)
        )
        self._lists[day] = papers, tuple(warnings)
        self._keys[day] = _keys(found)
        return self._lists[day]


def slug_of_day(day: date) -> str:
    """Return the slug of a day's digest."""
    return f"daily-papers-{day}"


def over_at(day: date) -> datetime:
    """Return when the list of a day counts as complete (UTC)."""
    return datetime.combine(day + _DAY, time(), UTC) + MARGIN


def weekdays(first: date, last: date) -> list[date]:
    """Return the days from `first` to `last` that are neither Saturday nor Sunday."""
    days = (first + n * _DAY for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < _SATURDAY]


def _paper(entry: object, where: str, warnings: list[str]) -> Iterator[Paper]:
    """Give the paper of an entry, without a rank; nothing but a warning where it is none."""
    found = entry.get("paper") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(found, Mapping):
        warnings.append(f"{where}: an entry without `paper` is left out")
        return
    arxiv_id, title = found.get("id"), _text(found.get("title"))
    if not (isinstance(arxiv_id, str) and _ARXIV_ID.fullmatch(arxiv_id)):
        warnings.append(
            f"{where}: {printable(str(arxiv_id)[:40])!r} is no arXiv id, and is left out"
        )
        return
    if not title:
        warnings.append(f"{where}: {arxiv_id} has no title, and is left out")
        return
    authors = found.get("authors")
    names = [
        author_name(name)
        for author in (authors if isinstance(authors, list) else [])
        if isinstance(author, Mapping)
        and author.get("hidden") is not True
        and isinstance(name := author.get("name"), str)
    ]
    counts = (("upvotes", found.get("upvotes")), ("comments", entry.get("numComments")))
    yield Paper(
        rank=0,
        title=title,
        authors=tuple(filter(None, names)),
        metrics=Metrics(tuple((kind, n) for kind, n in counts if _is_count(n))),
        arxiv_id=arxiv_id,
        abs_url=f"https://arxiv.org/abs/{arxiv_id}",
        pdf_url=f"https://arxiv.org/pdf/{arxiv_id}",
        abstract=_text(found.get("summary")),
    )


def _upvotes(paper: Paper) -> int:
    return paper.metrics.number("upvotes")


def _keys(entries: Sequence[object]) -> str:
    """Name the keys of the first entry, for a message."""
    first = entries[0] if entries and isinstance(entries[0], Mapping) else {}
    paper = first.get("paper")
    keys = [*first, *(f"paper.{key}" for key in (paper if isinstance(paper, Mapping) else ()))]
    return ", ".join(printable(str(key)[:40]) for key in keys[:_SHOWN_KEYS])


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""
