"""Answers of a network, as the tests of the posters script them, and what they come to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from bot.posters.poster import CannotRead, Look, Outcome, Refusal, Sort
from tests.helpers.http_server import Reply

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

Meaning = tuple[Sort, Refusal | None]

CREDENTIALS: Meaning = (Sort.REFUSED, Refusal.CREDENTIALS)
CONTENT: Meaning = (Sort.REFUSED, Refusal.CONTENT)
PARENT: Meaning = (Sort.REFUSED, Refusal.PARENT)
REPLIES: Meaning = (Sort.REFUSED, Refusal.REPLIES)
LATER: Meaning = (Sort.LATER, None)
UNKNOWN: Meaning = (Sort.UNKNOWN, None)
SENT: Meaning = (Sort.SENT, None)


def meaning(outcome: Outcome) -> Meaning:
    return outcome.sort, outcome.refusal


def whole(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in one piece, its Date that of the poster's clock."""
    date = format_datetime(NOW, usegmt=True)
    named = {"connection": "close", "date": date, **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    head = f"HTTP/1.1 {status} Phrase\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return Reply(head.encode() + body, raw=True)


def says(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return whole(status, json.dumps(value).encode(), headers)


def recovered(look: Callable[[], Look]) -> Look:
    """Read after a fault. The connection may die under the first try: reading again is free."""
    try:
        return look()
    except CannotRead:
        return look()
