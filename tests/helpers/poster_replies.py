"""Replies of a network as the tests of the posters script them, and the outcomes expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from bot.posters.poster import CannotRead, Look, Outcome, Refusal, Sort
from tests.helpers.http_server import Reply

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

Expected = tuple[Sort, Refusal | None]

CREDENTIALS: Expected = (Sort.REFUSED, Refusal.CREDENTIALS)
CONTENT: Expected = (Sort.REFUSED, Refusal.CONTENT)
PARENT: Expected = (Sort.REFUSED, Refusal.PARENT)
REPLIES: Expected = (Sort.REFUSED, Refusal.REPLIES)
LATER: Expected = (Sort.LATER, None)
UNKNOWN: Expected = (Sort.UNKNOWN, None)
SENT: Expected = (Sort.SENT, None)


def sort_and_refusal(outcome: Outcome) -> Expected:
    return outcome.sort, outcome.refusal


def raw_reply(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in one piece, its Date that of the poster's clock."""
    date = format_datetime(NOW, usegmt=True)
    named = {"connection": "close", "date": date, **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    head = f"HTTP/1.1 {status} Phrase\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return Reply(head.encode() + body, raw=True)


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return raw_reply(status, json.dumps(value).encode(), headers)


def look_twice(look: Callable[[], Look]) -> Look:
    """Read after a fault. The connection may die under the first try: reading again is free."""
    try:
        return look()
    except CannotRead:
        return look()
