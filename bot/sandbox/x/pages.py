"""Read and check the parameters of X's timeline, and return its pages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from bot.sandbox.service import Stored
from bot.sandbox.wire import Json, RefusedRequest, Request
from bot.sandbox.x.answers import invalid

FIELDS = frozenset({"tweet.fields", "post.fields", "expansions", "user.fields", "media.fields"})
_PAGING = frozenset(
    {
        "max_results",
        "pagination_token",
        "since_id",
        "until_id",
        "start_time",
        "end_time",
        "exclude",
    }
)
T = TypeVar("T")

_FEWEST, _USUAL, _MOST = 5, 10, 100
_TOKEN = "7140dib"  # noqa: S105 - the beginning of page tokens
EMPTY_PAGE = f"{_TOKEN}0"
"""The token of the page after an empty page."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parameters of a timeline request. Ids are numbers, times are in UTC."""

    most: int = _USUAL
    below: int | None = None
    above: int = 0
    start: datetime | None = None
    end: datetime | None = None
    exclude: frozenset[str] = frozenset()

    def has(self, post: Stored) -> bool:
        """Tell whether the post is within the times and ids, and not excluded."""
        return (
            self.above < int(post.id)
            and (self.below is None or int(post.id) < self.below)
            and (self.start is None or post.created >= self.start)
            and (self.end is None or post.created < self.end)
            and not ("replies" in self.exclude and post.reply_to)
        )


def checked(request: Request, allowed: Iterable[str]) -> Mapping[str, str]:
    """Return the query. Raises RefusedRequest for an unknown parameter, as X refuses it."""
    params = dict(request.params())
    for name in params.keys() - FIELDS - set(allowed):
        raise RefusedRequest(
            invalid(name, params[name], f"The query parameter [{name}] is not known")
        )
    return params


def fields(params: Mapping[str, str]) -> frozenset[str]:
    """Return the requested fields of a post, from either name of the parameter."""
    text = params.get("post.fields") or params.get("tweet.fields") or ""
    return frozenset(text.split(",")) - {""}


def wanted(request: Request) -> Wanted:
    """Return the parameters of a timeline request. Raises RefusedRequest if one is not valid."""
    params = checked(request, _PAGING)
    token = _parsed(params, "pagination_token", _page)
    until = _parsed(params, "until_id", _number)
    bounds = [each for each in (token, until) if each is not None]
    return Wanted(
        most=_parsed(params, "max_results", _count) or _USUAL,
        below=min(bounds) if bounds else None,
        above=_parsed(params, "since_id", _number) or 0,
        start=_parsed(params, "start_time", _time),
        end=_parsed(params, "end_time", _time),
        exclude=frozenset(params.get("exclude", "").split(",")),
    )


def page(posts: Sequence[Stored], most: int) -> tuple[Sequence[Stored], Mapping[str, Json]]:
    """Return the first `most` posts and the page's meta. `posts` are newest first."""
    found = posts[:most]
    if not found:
        return found, {"result_count": 0}
    meta: dict[str, Json] = {
        "result_count": len(found),
        "newest_id": found[0].id,
        "oldest_id": found[-1].id,
    }
    if len(posts) > most:
        meta["next_token"] = f"{_TOKEN}{int(found[-1].id):x}"
    return found, meta


def _parsed(params: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T | None:
    if name not in params:
        return None
    try:
        return parse(params[name])
    except ValueError:
        raise RefusedRequest(invalid(name, params[name], f"{name} is not valid")) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _count(text: str) -> int:
    count = _number(text)
    if not _FEWEST <= count <= _MOST:
        raise ValueError(text)
    return count


def _page(text: str) -> int:
    if not text.startswith(_TOKEN):
        raise ValueError(text)
    return int(text.removeprefix(_TOKEN), 16)


def _time(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
