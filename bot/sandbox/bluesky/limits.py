"""The rate limits of one account and one address, and their headers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.sandbox.bluesky.answers import TOO_MANY
from bot.sandbox.bluesky.behaviour import BlueskyLimits
from bot.sandbox.bluesky.calls import Call
from bot.sandbox.bluesky.records import Action
from bot.sandbox.bluesky.writing import action_of, writes_of
from bot.sandbox.rate_limits import RateLimit, RateWindow, RateWindows
from bot.sandbox.wire import Pairs, RefusedRequest

_POINTS: Mapping[Action, int] = {Action.CREATE: 3, Action.UPDATE: 2, Action.DELETE: 1}
_CHANGES: Mapping[str, Action] = {
    "com.atproto.repo.createRecord": Action.CREATE,
    "com.atproto.repo.putRecord": Action.UPDATE,
    "com.atproto.repo.deleteRecord": Action.DELETE,
}
_FEW_MINUTES, _HOUR, _DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cost:
    """The points that a call uses of one limit."""

    limit: RateLimit
    points: int = 1


def costs(call: Call, limits: BlueskyLimits) -> list[Cost]:
    """Return what a call costs: points of its own limits, and one request."""
    return [*_own_costs(call, limits), Cost(RateLimit("requests", limits.requests, _FEW_MINUTES))]


def _own_costs(call: Call, limits: BlueskyLimits) -> list[Cost]:
    if action := _CHANGES.get(call.name):
        return _writing(_POINTS[action], limits)
    match call.name:
        case "com.atproto.repo.applyWrites":
            return _writing(sum(_POINTS[action_of(each)] for each in writes_of(call)), limits)
        case "com.atproto.server.createSession":
            name = call.text("identifier")
            few = RateLimit(f"login-{name}", limits.logins, _FEW_MINUTES)
            return [Cost(RateLimit(f"login-day-{name}", limits.logins_day, _DAY)), Cost(few)]
        case "com.atproto.repo.uploadBlob":
            return [Cost(RateLimit("upload", limits.uploads, _DAY))]
    return []


def _writing(points: int, limits: BlueskyLimits) -> list[Cost]:
    hour = RateLimit("repo-write-hour", limits.hour, _HOUR)
    return [Cost(hour, points), Cost(RateLimit("repo-write-day", limits.day, _DAY), points)]


class Meter:
    """Counts what is used of each limit."""

    def __init__(self) -> None:
        self._windows = RateWindows()

    def spend(self, costs: Iterable[Cost], now: datetime) -> Pairs:
        """Count what a call costs, and return the headers of the limit with the least left.

        Raises RefusedRequest if a limit is exceeded, with the headers of that limit. Every limit is
        charged even then.
        """
        windows = [self._spend(cost, now) for cost in costs if cost.points]
        for window, over in windows:
            if over:
                wait = math.ceil((window.reset - now).total_seconds())
                raise RefusedRequest(TOO_MANY.having(*_headers(window), ("Retry-After", str(wait))))
        tightest, _ = min(windows, key=lambda each: each[0].remaining)
        return _headers(tightest)

    def _spend(self, cost: Cost, now: datetime) -> tuple[RateWindow, bool]:
        over = self._windows.look(cost.limit, now).remaining < cost.points
        for _ in range(cost.points):
            self._windows.take(cost.limit, now)
        return self._windows.look(cost.limit, now), over


def _headers(window: RateWindow) -> Pairs:
    most, length = window.limit.most, window.limit.length
    return (
        ("RateLimit-Limit", str(most)),
        ("RateLimit-Reset", str(int(window.reset.timestamp()))),
        ("RateLimit-Remaining", str(window.remaining)),
        ("RateLimit-Policy", f"{most};w={length // timedelta(seconds=1)}"),
    )
