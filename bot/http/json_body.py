"""Read an answer's body as JSON, bounded in bytes and in values."""

from __future__ import annotations

import json

from bot.errors import Malformed
from bot.http.streamed_answer import StreamedAnswer

CAP = 4_000_000
"""Bytes of JSON that are read."""
MOST_VALUES = 150_000
"""A list of empty lists takes far more memory than bytes, so the values are counted first."""


def read_json(answer: StreamedAnswer) -> object:
    """Return the value that the body holds.

    Raises Malformed where the body is no JSON or is too large, and as `StreamedAnswer.whole` does.
    """
    body = answer.whole(most=CAP)
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise Malformed(answer.where, 1, f"expected at most {MOST_VALUES:,} values of JSON")
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        kind = answer.type or "no media type"
        raise Malformed(answer.where, 1, f"expected JSON, found something else ({kind})") from None
    return found
