"""Open the source that BOT_DIGESTS names, and judge the digests that it gives.

A new kind of source is a file with a DigestFinder in it and a line in `_KINDS`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.digests.result import (
    FAILURES,
    NOTHING,
    DigestFinder,
    Memory,
    Source,
    SourceOutcome,
    SourceResult,
    failed,
)
from bot.errors import SettingsError
from bot.http.page import CacheValidators

if TYPE_CHECKING:
    from bot.digests.arxiv import RequestPace

__all__ = (
    "CacheValidators",
    "Source",
    "SourceOutcome",
    "SourceResult",
    "judge",
    "open_source",
    "read_file",
    "read_url",
)

GITHUB = "https://api.github.com"
HUGGINGFACE = "https://huggingface.co"
ARXIV_RSS = "https://rss.arxiv.org"
_ALLOWED = (
    "It is a folder or a file that is there, https://.../digest.md, the https URL of an RSS or Atom"
    " feed, github:owner/repo/folder@ref (folder and @ref may be left out), huggingface, or"
    " arxiv:cs.CL+cs.LG."
)


@dataclass(frozen=True, slots=True)
class _Access:
    """What the kinds of source need besides their own text."""

    timeout: float
    clock: Callable[[], float]
    now: Callable[[], datetime]
    github_token: str = field(repr=False)
    github_api_url: str
    huggingface_url: str
    arxiv_rss_url: str
    pace: RequestPace | None


def open_source(  # noqa: PLR0913 - a setting each, all with a default
    spec: str,
    *,
    timeout: float = 30.0,
    github_token: str = "",
    github_api_url: str = GITHUB,
    huggingface_url: str = HUGGINGFACE,
    arxiv_rss_url: str = ARXIV_RSS,
    pace: RequestPace | None = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Source:
    """Open the source that BOT_DIGESTS names; nothing is read yet.

    `timeout` is in seconds and bounds each answer as a whole; `clock` counts seconds and never goes
    back, `now` gives the time in UTC. `pace` keeps the requests to arXiv apart, by default those of
    the whole process. Raises SettingsError, which names the setting, its value and
    what is allowed.
    """
    access = _Access(
        timeout,
        clock,
        now,
        github_token,
        github_api_url,
        huggingface_url,
        arxiv_rss_url,
        pace,
    )
    spec = spec.strip()
    if not spec:
        raise SettingsError("BOT_DIGESTS is not set", _ALLOWED)
    kind = next(opener for shape, opener in _KINDS if re.match(shape, spec, re.IGNORECASE))
    return _Guarded(kind(spec, access))


def read_file(path: Path) -> SourceResult:
    """Read one file as a digest."""
    from bot.digests.folder import FileSource

    return _Guarded(FileSource(path)).latest()


def read_url(
    url: str, *, timeout: float = 30.0, clock: Callable[[], float] = time.monotonic
) -> SourceResult:
    """Read one URL: a digest in Markdown, or the newest one of a feed.

    Raises SettingsError for a URL that must not be fetched.
    """
    return _Guarded(_page(url, timeout, clock, "The digest's URL")).latest()


def judge(reading: SourceResult, now: datetime, max_age: timedelta | None) -> SourceResult:
    """Say of a digest that was FOUND whether there is a reason not to publish it.

    A draft is DRAFT, however old or unfinished; without papers it is EMPTY, however old; published
    longer than `max_age` before `now` (UTC) it is STALE. None lets any age pass.
    """
    if reading.outcome is not SourceOutcome.FOUND or reading.digest is None:
        return reading
    if reading.digest.draft:
        return replace(reading, outcome=SourceOutcome.DRAFT)
    if not reading.digest.papers:
        return replace(reading, outcome=SourceOutcome.EMPTY)
    if max_age is not None and now - reading.digest.published > max_age:
        return replace(reading, outcome=SourceOutcome.STALE)
    return reading


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A source whose every failure is an outcome."""

    finder: DigestFinder

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        try:
            return self.finder.latest(memory)
        except FAILURES as problem:
            return failed(problem, self.finder.where, memory)

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        try:
            return self.finder.since(day, most) if most > 0 else ()
        except FAILURES as problem:
            return (failed(problem, self.finder.where),)

    def find(self, wanted: date | str) -> SourceResult:
        try:
            return self.finder.find(wanted)
        except FAILURES as problem:
            return failed(problem, self.finder.where)


def _github(spec: str, access: _Access) -> DigestFinder:
    from bot.digests.github import repository
    from bot.digests.search import StoredDigests
    from bot.http.fetch import Web
    from bot.http.urls import host_of, refusal, shown

    if problem := refusal(access.github_api_url):
        value = shown(access.github_api_url)
        raise SettingsError(f"BOT_GITHUB_API_URL is {value!r}: {problem}", f"Like {GITHUB}.")
    if re.search(r"[^!-~]", access.github_token):
        raise SettingsError("GITHUB_TOKEN holds a space or another character that no token has")
    web = Web(access.timeout, access.clock, own=host_of(access.github_api_url))
    shelf = repository(spec, web, access.github_api_url, access.github_token)
    if shelf is None:
        raise _wrong(spec, "it is not of the shape github:owner/repo/folder@ref")
    return StoredDigests(shelf)


def _huggingface(spec: str, access: _Access) -> DigestFinder:
    from bot.digests.huggingface import DailyPapers
    from bot.http.fetch import Web
    from bot.http.urls import host_of, refusal, shown

    del spec
    url = access.huggingface_url
    if problem := refusal(url):
        raise SettingsError(
            f"BOT_HUGGINGFACE_URL is {shown(url)!r}: {problem}", f"Like {HUGGINGFACE}."
        )
    return DailyPapers(Web(access.timeout, access.clock, own=host_of(url)), access.now, url)


def _arxiv(spec: str, access: _Access) -> DigestFinder:
    from bot.digests.arxiv import PACE, PREFIX, Mailing
    from bot.http.fetch import Web
    from bot.http.urls import host_of, refusal, shown

    categories = spec[len(PREFIX) :].split("+")
    if not all(re.fullmatch(r"[a-z-]+(?:\.[A-Za-z-]+)?", each) for each in categories):
        raise _wrong(spec, "it is not of the form arxiv:cs.CL+cs.LG")
    url = access.arxiv_rss_url
    if problem := refusal(url):
        raise SettingsError(f"BOT_ARXIV_RSS_URL is {shown(url)!r}: {problem}", f"Like {ARXIV_RSS}.")
    web = Web(access.timeout, access.clock, own=host_of(url))
    return Mailing(tuple(dict.fromkeys(categories)), web, access.now, access.pace or PACE, url)


def _url(spec: str, access: _Access) -> DigestFinder:
    return _page(spec, access.timeout, access.clock)


def _page(
    spec: str, timeout: float, clock: Callable[[], float], name: str = "BOT_DIGESTS"
) -> DigestFinder:
    from bot.digests.url import UrlSource
    from bot.http.fetch import Web
    from bot.http.urls import host_of, refusal, shown

    if problem := refusal(spec):
        raise _wrong(shown(spec), problem, name)
    return UrlSource(spec, Web(timeout, clock, own=host_of(spec)))


def _local(spec: str, access: _Access) -> DigestFinder:
    from bot.digests.folder import FileSource, Folder
    from bot.digests.search import StoredDigests

    del access
    path = Path(spec)
    try:
        if path.is_dir():
            return StoredDigests(Folder(path))
        if path.is_file():
            return FileSource(path)
        reason = "it is neither a file nor a folder" if path.exists() else "there is no such path"
    except (OSError, ValueError):  # ValueError: a NUL in it
        reason = "it cannot be looked at"
    raise _wrong(spec, reason)


def _wrong(value: str, reason: str, name: str = "BOT_DIGESTS") -> SettingsError:
    return SettingsError(f"{name} is {value!r}: {reason}", _ALLOWED)


# The first shape that fits the beginning of the text (in any case) decides.
_KINDS: Sequence[tuple[str, Callable[[str, _Access], DigestFinder]]] = (
    (r"github:", _github),
    (r"huggingface$", _huggingface),
    (r"arxiv:", _arxiv),
    (r"[a-z][a-z0-9+.-]+://", _url),
    (r"", _local),
)
