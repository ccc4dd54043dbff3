"""Requests and responses as values, and what the rules of a network must be able to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeAlias
from urllib.parse import parse_qsl

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Pairs: TypeAlias = tuple[tuple[str, str], ...]

FORM = "application/x-www-form-urlencoded"
_LARGEST_JSON = 8 * 1024 * 1024  # X takes a picture of 5 MiB in base64


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: `path` as sent, without the query; header names in lower case.

    Headers hold tokens, so a request does not show them when it is printed.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's value, empty where it is missing. `name` in lower case."""
        return self.headers.get(name, "")

    def params(self) -> Pairs:
        """Return the query, decoded, in the order sent."""
        return tuple(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> Pairs:
        """Return the body's fields where it is a form, decoded, in the order sent."""
        if not self.header("content-type").startswith(FORM):
            return ()
        return tuple(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def fields(self) -> Mapping[str, object] | None:
        """Return the body's object where it is JSON, None where it is anything else."""
        if len(self.body) > _LARGEST_JSON:
            return None
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. Its length and the connection's fate are added where it is sent."""

    status: int
    body: bytes = b""
    headers: Pairs = ()

    def having(self, *headers: tuple[str, str]) -> Response:
        """Return the same answer with these headers, each in place of one of the same name."""
        names = {name.lower() for name, _ in headers}
        kept = (pair for pair in self.headers if pair[0].lower() not in names)
        return replace(self, headers=(*kept, *headers))

    def value(self) -> object:
        """Return the body, decoded from JSON; ValueError where it is none."""
        value: object = json.loads(self.body)
        return value


def reply(status: int, value: Json, *headers: tuple[str, str]) -> Response:
    """Return an answer in JSON, written as the networks write it: compact, in UTF-8."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, (("content-type", "application/json; charset=utf-8"), *headers))


class RefusedRequest(Exception):
    """Raised inside the rules to answer at once with `response`."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class NetworkRules(Protocol):
    """A network: what it answers to a request, now or later. No I/O, no threads, no waiting."""

    @property
    def hangs_up(self) -> bool:
        """Tell whether a second request on a connection is answered with a reset."""
        ...

    def now(self) -> datetime:
        """Return the network's time, aware, in UTC."""
        ...

    def answer(self, request: Request) -> Response:
        """Carry the request out and return what the network says to it."""
        ...

    def defer(self, request: Request, seconds: float) -> None:
        """Take the request in, answer nothing, and carry it out `seconds` from now."""
        ...

    def settle(self) -> int:
        """Carry out what is due, and return how often anything was made or deleted so far."""
        ...
