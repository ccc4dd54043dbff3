"""Replies of a network as the tests of the posters script them, and the outcomes expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from bot.posters.poster import (
    CannotRead,
    Outcome,
    OutcomeKind,
    Poster,
    PostRequest,
    Refusal,
    Timeline,
)
from bot.sandbox import faults
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.server import Sandbox
from bot.sandbox.x.rules import XRules
from tests.helpers.http_server import Reply
from tests.helpers.short_timeout import short_timeout

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

HANGING = (faults.HUNG_BEFORE, faults.HUNG_AFTER)

Expected = tuple[OutcomeKind, Refusal | None]

CREDENTIALS: Expected = (OutcomeKind.REFUSED, Refusal.CREDENTIALS)
SCOPE: Expected = (OutcomeKind.REFUSED, Refusal.SCOPE)
ADDRESS: Expected = (OutcomeKind.REFUSED, Refusal.ADDRESS)
CONTENT: Expected = (OutcomeKind.REFUSED, Refusal.CONTENT)
PARENT: Expected = (OutcomeKind.REFUSED, Refusal.PARENT)
REPLIES: Expected = (OutcomeKind.REFUSED, Refusal.REPLIES)
LATER: Expected = (OutcomeKind.LATER, None)
UNKNOWN: Expected = (OutcomeKind.UNKNOWN, None)
SENT: Expected = (OutcomeKind.SENT, None)


def sort_and_refusal(outcome: Outcome) -> Expected:
    return outcome.sort, outcome.refusal


Failure = tuple[bool, bool, bool]
"""Whether a read that failed is final, stops the account, and speaks of a wrong address."""

NOT_NOW: Failure = (False, False, False)
FINAL: Failure = (True, False, False)
STOPS: Failure = (True, True, False)
WRONG: Failure = (True, True, True)


def failure(error: CannotRead) -> Failure:
    return error.final, error.stops, error.wrong


def raw_reply(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in one piece, its Date that of the poster's clock."""
    date = format_datetime(NOW, usegmt=True)
    named = {"connection": "close", "date": date, **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    head = f"HTTP/1.1 {status} Phrase\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return Reply(head.encode() + body, raw=True)


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return raw_reply(status, json.dumps(value).encode(), headers)


def look_twice(look: Callable[[], Timeline]) -> Timeline:
    """Read after a fault. The connection may die under the first try: reading again is free."""
    try:
        return look()
    except CannotRead:
        return look()


def check_one_fault(  # noqa: PLR0913, PLR0917 - a poster, its network, and what goes wrong where
    poster: Poster,
    sandbox: Sandbox,
    rules: XRules | MastodonRules,
    post: PostRequest,
    fault: faults.Fault,
    connection: str,
) -> None:
    """Publish a post that meets a fault, on a kept connection or a fresh one; check what is said.

    The poster sends it once, says SENT of what is there alone, and what surely is not there is not
    there.
    """
    if connection == "kept":
        assert poster.look(NOW).posts == ()
    sandbox.script(fault, network="twitter" if isinstance(rules, XRules) else "mastodon")
    with short_timeout(lambda: fault in HANGING):
        outcome = poster.publish(post)
    assert sandbox.wait(lambda log: any(each.method == "POST" for each in log), 30.0)
    posted = [record for record in sandbox.requests if record.method == "POST"]
    assert len(posted) == 1
    there = [each.id for each in rules.live()]
    if outcome.sort is OutcomeKind.SENT:
        assert there == [outcome.id]
    elif outcome.sort is not OutcomeKind.UNKNOWN:
        assert there == []
        assert fault.commit is faults.Commit.NEVER
    assert bool(outcome.reason) is (outcome.sort is not OutcomeKind.SENT)
    sandbox.release()
    # Whatever it was, it is over: the poster goes on with a sound connection.
    assert look_twice(lambda: poster.look(NOW - timedelta(days=1))).complete
