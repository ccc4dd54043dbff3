"""Reading back page by page, on servers with Mastodon's API: what was read, and whether it is all.

Pure. Servers honour some of what they are asked, or none of it. Ids are never compared but for
being the same: some are no numbers, and not in order. Times are read with doubt: one that is
missing, in another form, or out of all reason tells nothing, and the post keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from bot.posters.answers import Reply
from bot.posters.json_values import at, http_date, id_at, moment, text_at
from bot.posters.mastodon.answers import seen
from bot.posters.poster import MOST_TEXT, RemotePost, Timeline

_FIRST = datetime(2006, 1, 1, tzinfo=UTC)
"""No post of any network is older."""
_AHEAD = timedelta(days=1)
_PARTIAL = 206
_MANY = 20
"""So many old posts in a row are not new ones of a server whose clock is wrong."""
_DATED = re.compile(r"\d{4}-\d\d-\d\d[T ]")
_NEXT = re.compile(r'<([^<>]*)>[^<,]*;\s*rel="?next\b', re.IGNORECASE)
_PRIVATE = ("private", "direct")


def page(reply: Reply) -> Sequence[object] | None:
    """Return the statuses of one page, newest first, as they came; None where it is no page."""
    value = reply.value()
    return value if reply.ok and isinstance(value, list) else None


def written_at(status: object, now: datetime) -> datetime | None:
    """Return when a status was made; None where its time cannot be right."""
    text = text_at(status, "created_at")
    created = moment(text) if _DATED.match(text) else None
    return created if created and _FIRST <= created <= now + _AHEAD else None


class Walk:
    """One reading of a timeline, down to the post `after` or to the time `since`.

    Everything above `after` counts, whatever its time, and below it what was posted in the same
    second, for some servers keep whole seconds and list what was posted within one in any order.
    Without `after` the last posts are left out that are older than `since`. A single old post is no
    proof that those below it are older: reading by time ends at a page that has no newer one. With
    `after`, which may be deleted since, or left out by the server, it takes many of them.
    Boosts are left out: their words are others', and their times prove nothing. `account`, where it
    is given, is whose posts are taken from a timeline that has those of others too. `now` is the
    time where the network does not give it.
    """

    def __init__(self, since: datetime, after: str, now: datetime, account: str = "") -> None:
        self.below = ""
        self.ended = False
        self._after = after
        self._since = since.replace(microsecond=0)
        self._account = account
        self._now = now
        self._clock: datetime | None = None
        self._latest: datetime | None = None
        self._posts: list[RemotePost] = []
        self._met: set[str] = set()
        self._mark: tuple[int, datetime | None] | None = None
        self._private = False
        self._size = 0
        self._whole = True
        self._arrived = False

    @property
    def shows_private(self) -> bool:
        """Tell whether a private or direct post of the account was among what was read."""
        return self._private

    def take(self, reply: Reply) -> None:
        """Take in a page. Then `ended` tells whether there is more to ask for, below `below`."""
        statuses = page(reply) or ()
        self._clock = http_date(reply.headers.get("date", "")) or self._clock
        self._whole = self._whole and reply.status != _PARTIAL
        times: list[datetime] = []
        new = False
        for status in statuses:
            if id_at(status, "id") in self._met:
                continue
            new, time = True, self._add(status)
            times += [time] if time else []
            if id_at(status, "id") == self._after:
                times = []  # what stands above it has its place, whatever its time
        links = reply.headers.get("link", "")
        following = _NEXT.search(links)
        last = not following and (not statuses or bool(links))
        self._arrived = last or self._is_past(times)
        below = id_at(statuses[-1], "id") if statuses else ""
        below = below or _max_id(following[1] if following else "")
        # Nothing new, or nowhere to go on from: the server does not turn pages.
        turned = below not in {"", self.below} and (new or not statuses)
        self.ended = self._arrived or not turned or self._size > MOST_TEXT
        self.below = below

    def look(self) -> Timeline:
        """Return what was found."""
        arrived = self._arrived or self._mark is not None
        return Timeline(self._kept(), arrived and self._whole, clock=self._clock)

    def _add(self, status: object) -> datetime | None:
        """Add a status. Return its time where that can be gone by."""
        status_id = id_at(status, "id")
        if not status_id:
            self._whole = False
            return None
        self._met.add(status_id)
        if at(status, "reblog") is not None:
            return None
        now = self._clock or self._now
        time = written_at(status, now)
        self._latest = time or self._latest
        if status_id == self._after:
            self._mark = len(self._posts), time and time.replace(microsecond=0)
            return None
        if not self._account or id_at(status, "account", "id") == self._account:
            self._private = self._private or text_at(status, "visibility") in _PRIVATE
            post = seen(status, self._latest or now)
            if post:
                self._posts.append(post)
                self._size += len(post.text)
        return time

    def _is_past(self, times: Sequence[datetime]) -> bool:
        """Tell whether a page goes back far enough: its posts have these `times`."""
        if self._mark is None:
            enough = _MANY if self._after else 1
            return len(times) >= enough and all(time < self._since for time in times)
        _, second = self._mark
        return second is None or any(time < second for time in times)

    def _kept(self) -> tuple[RemotePost, ...]:
        if self._mark is not None:
            above, second = self._mark
            same = (post for post in self._posts[above:] if second and post.created >= second)
            return (*self._posts[:above], *same)
        kept = list(self._posts)
        if self._after:
            return tuple(kept)  # it is gone, or was left out with all below it, as it was asked
        while kept and kept[-1].created < self._since:
            kept.pop()
        return tuple(kept)


def merged(one: Timeline, other: Timeline) -> Timeline:
    """Return what two readings of one account found together, newest first."""
    posts = {post.id: post for post in (*one.posts, *other.posts)}
    ordered = sorted(posts.values(), key=lambda post: post.created, reverse=True)
    return replace(one, posts=tuple(ordered), complete=one.complete and other.complete)


def _max_id(url: str) -> str:
    """Return where the page behind a link begins; empty where that is not told by an id."""
    return (parse_qs(urlsplit(url).query).get("max_id") or [""])[0]
