"""Count requests against rate limits, and say when a limit ends. Has no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `most` requests in a window of `length`.

    `aligned` windows begin at multiples of their length (UTC), others with the first request.
    """

    name: str
    most: int
    length: timedelta
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class RateWindow:
    """The current window of a limit: the requests that remain, and when the window ends."""

    limit: RateLimit
    remaining: int
    reset: datetime

    @property
    def full(self) -> bool:
        """Tell whether another request would be refused."""
        return self.remaining <= 0


class RateWindows:
    """Counts the requests in the current window of each limit."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[datetime, int]] = {}

    def look(self, limit: RateLimit, now: datetime) -> RateWindow:
        """Return the current window of `limit`, without counting a request."""
        start, used = self._current(limit, now)
        return RateWindow(limit, max(0, limit.most - used), start + limit.length)

    def take(self, limit: RateLimit, now: datetime) -> RateWindow:
        """Count one request against `limit`, and return its window."""
        start, used = self._current(limit, now)
        self._used[limit.name] = (start, used + 1)
        return self.look(limit, now)

    def _current(self, limit: RateLimit, now: datetime) -> tuple[datetime, int]:
        start, used = self._used.get(limit.name, (_start(limit, now), 0))
        if now - start >= limit.length:
            return _start(limit, now), 0
        return start, used


def _start(limit: RateLimit, now: datetime) -> datetime:
    return now - (now - _EPOCH) % limit.length if limit.aligned else now
