"""arXiv's mailing of some categories: the new papers of a day, in the mailing's order.

The feed is https://info.arxiv.org/help/rss.html. It is built at midnight Eastern time from the
mailing of the evening before, has no items on weekends and holidays, and holds one day alone. Its
items say how a paper was announced; only new papers are read. A batch that is stale has an older
`pubDate`, or ids that are too old.

arXiv asks for one request in three seconds at most, from all of a program's connections together
(https://info.arxiv.org/help/api/tou.html).
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from threading import Lock
from zoneinfo import ZoneInfo

from bot.digests.feeds.entry import LARGEST
from bot.digests.feeds.feed import FeedTarget, FeedText, read_items
from bot.digests.parse import MOST_PAPERS
from bot.digests.result import NOTHING, Memory, SourceOutcome, SourceResult, is_wanted
from bot.digests.write import author_name, one_line
from bot.errors import Malformed, NoDigest, Unreachable
from bot.http.dates import last_weekday, moment
from bot.http.fetch import Web
from bot.http.page import CacheValidators
from bot.http.urls import slug_of
from bot.model import Digest, Metrics, Paper

PREFIX = "arxiv:"
SECONDS_BETWEEN = 3.0
_ACCEPT = "application/rss+xml, application/atom+xml;q=0.9, application/xml;q=0.8, */*;q=0.1"
_EASTERN = "America/New_York"
_BUILT = timedelta(hours=2)
"""How long after midnight Eastern time the new feed is there at the latest."""
_ID = re.compile(r"arxiv\.org/abs/([0-9]{4}\.[0-9]{4,5})(?:v[0-9]+)?$")
_CATEGORY = re.compile(r"[A-Za-z-]{1,20}(?:\.[A-Za-z-]{1,20})?")
_DAY = "day of the mailing"
_OLDEST_ID = timedelta(days=45)


@dataclass(slots=True)
class RequestPace:
    """Lets requests leave `SECONDS_BETWEEN` apart, whichever thread makes them."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _lock: Lock = field(default_factory=Lock)
    _next: float = float("-inf")

    def wait(self) -> None:
        """Wait until the next request may leave."""
        with self._lock:
            now = self.clock()
            if self._next > now:
                self.sleep(self._next - now)
            self._next = max(self._next, now) + SECONDS_BETWEEN


PACE = RequestPace(time.monotonic, time.sleep)
"""That of the whole process."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """The mailing of some categories: a DigestFinder. `now` gives the time in UTC."""

    categories: tuple[str, ...]
    web: Web
    now: Callable[[], datetime]
    pace: RequestPace
    rss: str

    @property
    def where(self) -> str:
        """The source as BOT_DIGESTS names it."""
        return PREFIX + "+".join(self.categories)

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        """Read the mailing; a digest without papers where nothing was announced.

        Raises Unreachable for a batch of an earlier day, which is asked for again, and Malformed
        for an answer that is no feed of arXiv.
        """
        known = memory.get(self.where)
        url = f"{self.rss.rstrip('/')}/rss/{'+'.join(self.categories)}"
        self.pace.wait()
        with self.web.get(url, accept=_ACCEPT, known=known) as answer:
            if known and answer.status == HTTPStatus.NOT_MODIFIED:
                self._check_day(date.fromisoformat(memory[_DAY].etag))  # a stale feed is unchanged
                return SourceResult(SourceOutcome.UNCHANGED, self.where, memory=memory)
            answer.raise_for_status()
            target, warnings = FeedTarget(Announcement), list[str]()
            papers: dict[str, Paper] = {}
            for paper in read_items(FeedText(answer.pieces(), answer.charset), self.where, target):
                if len(papers) < MOST_PAPERS:
                    papers.setdefault(paper.arxiv_id, replace(paper, rank=len(papers) + 1))
                else:
                    warnings = [f"{self.where}: papers after the first {MOST_PAPERS} are left out"]
            validators = answer.validators
        published = moment(target.published)
        if published is None:
            raise Malformed(self.where, 1, "expected a feed of arXiv with a `pubDate`")
        digest = self._digest(tuple(papers.values()), published)
        self._check_day(digest.day)
        newest = max((paper.arxiv_id[:4] for paper in digest.papers), default="")
        if newest and newest < f"{digest.day - _OLDEST_ID:%y%m}":
            raise self._stale(f"its newest paper is of {newest[2:]}/20{newest[:2]}")
        memory = {self.where: validators, _DAY: CacheValidators(etag=digest.day.isoformat())}
        return SourceResult(SourceOutcome.FOUND, self.where, digest, tuple(warnings), memory=memory)

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Read the mailing if it is of a later day: the feed holds no earlier one."""
        reading = self.latest()
        later = most > 0 and reading.digest and reading.digest.day > day
        return (reading,) if later else ()

    def find(self, wanted: date | str) -> SourceResult:
        """Read the mailing if it is the one that is wanted."""
        reading = self.latest()
        if reading.digest and is_wanted(reading.digest, wanted):
            return reading
        day = reading.digest.day if reading.digest else ""
        raise NoDigest(f"{self.where}: the feed has the mailing of {day} alone")

    def _digest(self, papers: tuple[Paper, ...], published: datetime) -> Digest:
        day = published.astimezone(ZoneInfo(_EASTERN)).date()
        named = "+".join(sorted(self.categories))
        return Digest(
            slug=slug_of(f"arxiv-{named}-{day}"),
            title=f"arXiv {named} {day}",
            day=day,
            last_day=day,
            published=published.astimezone(UTC),
            papers=papers,
            source=f"https://arxiv.org/list/{self.categories[0]}/new",
        )

    def _check_day(self, day: date) -> None:
        """Raise Unreachable where `day` is before that of the newest mailing."""
        expected = (self.now().astimezone(ZoneInfo(_EASTERN)) - _BUILT).date()
        expected = last_weekday(expected)
        if day < expected:
            raise self._stale(f"it is still that of {day}, and {expected} is expected")

    def _stale(self, reason: str) -> Unreachable:
        fix = "arXiv publishes a stale feed now and then. It is asked again later."
        return Unreachable(f"{self.where}: the feed is stale: {reason}", fix)


class Announcement:
    """An item of the feed as its elements arrive."""

    def __init__(self) -> None:
        self.too_large = False
        self._depth = 0
        self._size = 0
        self._found: dict[str, list[str]] = defaultdict(list)
        self._text: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag."""
        del tag, attributes
        self._depth += 1
        self._text.clear()

    def data(self, text: str) -> None:
        """Take text."""
        self._size += len(text)
        self.too_large |= self._size > LARGEST
        if not self.too_large:
            self._text.append(text)

    def end(self, tag: str) -> bool:
        """Take an end tag; tell whether the end is the item's own."""
        if self._depth == 1:
            self._found[tag.rpartition("}")[2]].append(" ".join("".join(self._text).split()))
        self._depth -= 1
        return self._depth < 0

    def item(self, base: str) -> Paper | None:
        """Return the paper if it is announced as new, with rank 0."""
        del base
        texts = {name: found[0] for name, found in self._found.items()}
        about = _ID.search(texts.get("link", ""))
        title = one_line(texts.get("title", ""))
        if self.too_large or texts.get("announce_type") != "new" or not about or not title:
            return None
        abstract = texts.get("description", "").partition("Abstract:")[2]
        return Paper(
            rank=0,
            title=title,
            authors=tuple(filter(None, map(author_name, texts.get("creator", "").split(", ")))),
            metrics=Metrics(),
            arxiv_id=about[1],
            abs_url=f"https://arxiv.org/abs/{about[1]}",
            pdf_url=f"https://arxiv.org/pdf/{about[1]}",
            categories=tuple(filter(_CATEGORY.fullmatch, self._found["category"])),
            abstract=one_line(abstract),
        )
