"""Rate limits: how many requests were made in a stretch of time, and when it ends. No clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests in so long; `aligned` windows begin at multiples of their length (UTC).

    The others begin with the first request.
    """

    name: str
    most: int
    length: timedelta
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class RateWindow:
    """How one limit stands: what is left of it, when it starts afresh."""

    limit: RateLimit
    remaining: int
    reset: datetime

    @property
    def full(self) -> bool:
        """Tell whether another request would be refused."""
        return self.remaining <= 0


class RateWindows:
    """What was used of each limit."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[datetime, int]] = {}

    def look(self, limit: RateLimit, now: datetime) -> RateWindow:
        """Return how `limit` stands, using nothing of it."""
        start, used = self._current(limit, now)
        return RateWindow(limit, max(0, limit.most - used), start + limit.length)

    def take(self, limit: RateLimit, now: datetime) -> RateWindow:
        """Use one request of `limit` and return how it stands afterwards."""
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
