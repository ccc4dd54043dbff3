"""Requests and responses as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TypeAlias
from urllib.parse import parse_qsl

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Pairs: TypeAlias = tuple[tuple[str, str], ...]

FORM = "application/x-www-form-urlencoded"
_LARGEST_JSON = 8 * 1024 * 1024  # X takes a picture of 5 MiB in base64


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is as it was sent, without the query. Header names are in lower case.

    Headers hold tokens, so the repr of a request leaves them out.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's value, empty if it is missing. `name` is in lower case."""
        return self.headers.get(name, "")

    def params(self) -> Pairs:
        """Return the decoded query, in the order sent."""
        return tuple(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> Pairs:
        """Return the decoded fields of a form, in the order sent, or nothing for another body."""
        if not self.header("content-type").startswith(FORM):
            return ()
        return tuple(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def fields(self) -> Mapping[str, object] | None:
        """Return the body's JSON object, or None for another body."""
        if len(self.body) > _LARGEST_JSON:
            return None
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. The headers about its length and the connection are added when it is sent."""

    status: int
    body: bytes = b""
    headers: Pairs = ()

    def having(self, *headers: tuple[str, str]) -> Response:
        """Return the same answer with these headers added or replaced."""
        names = {name.lower() for name, _ in headers}
        kept = (pair for pair in self.headers if pair[0].lower() not in names)
        return replace(self, headers=(*kept, *headers))

    def value(self) -> object:
        """Return the value of the JSON body. Raises ValueError if it is no JSON."""
        value: object = json.loads(self.body)
        return value


def reply(status: int, value: Json, *headers: tuple[str, str]) -> Response:
    """Return an answer in JSON, written as the networks write it: compact, in UTF-8."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    data = body.encode("utf-8", "replace")
    return Response(status, data, (("content-type", "application/json; charset=utf-8"), *headers))


class RefusedRequest(Exception):
    """Raised by the rules to answer with `response`."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def usual_headers(now: datetime, *more: tuple[str, str]) -> Pairs:
    """Return the headers of every answer. `more` are those of one network."""
    date = format_datetime(now.astimezone(UTC), usegmt=True)
    return (("date", date), ("server", "sandbox"), *more)
