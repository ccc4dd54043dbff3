"""What a Bluesky server (PDS) answers, and what it means: pure, for `bluesky` to act on.

Follows https://docs.bsky.app/docs/api and what a real PDS was seen to answer. Errors have a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.posters.answers import (
    Exchange,
    Hint,
    Reply,
    Rules,
    Verdict,
    refused,
    unanswered,
    unreadable,
)
from bot.posters.bluesky_records import page_of, uri_of
from bot.posters.poster import Outcome, Outgoing, Profile, Refusal, Sort
from bot.posters.values import items_at, names_somebody, text_at

NETWORK = "Bluesky"
LONGEST = 300
FINAL = (401, 403)

_THERE = "a record with its key is there already"
_TOKENS = re.compile(r"\berror=(?:ExpiredToken|InvalidToken|AuthMissing|AuthenticationRequired)\b")
_ACCOUNT = re.compile(r"\berror=(?:AccountTakedown|AccountDeactivated|AccountNotFound)\b")

RULES = Rules(
    NETWORK,
    resets=("ratelimit",),
    hints=(
        # not a refusal: it says that the post is out, or that another stands in its place
        Hint((400,), re.compile(r"\berror=InvalidSwap\b"), Verdict(Sort.UNKNOWN, _THERE)),
        Hint(
            (400, 401),
            _TOKENS,
            Verdict(
                Sort.REFUSED,
                "it does not accept the app password: make a new one in its settings",
                Refusal.CREDENTIALS,
            ),
        ),
        Hint(
            (400, 401, 403),
            _ACCOUNT,
            Verdict(Sort.REFUSED, "the account may not post", Refusal.CREDENTIALS),
        ),
    ),
)


def is_expired(reply: Reply | None) -> bool:
    """Tell whether a request was refused, unread, for a token that is worn out or unknown."""
    if reply is None or reply.status not in (400, 401):
        return False
    return text_at(reply.value(), "error") in {"ExpiredToken", "InvalidToken", "AuthMissing"}


def is_missing(reply: Reply | None) -> bool:
    """Tell whether an answer to getRecord says that nothing is there."""
    return reply is not None and text_at(reply.value(), "error") == "RecordNotFound"


def published(exchange: Exchange, post: Outgoing, did: str, handle: str, now: datetime) -> Outcome:
    """Return what became of com.atproto.repo.putRecord."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, RULES, now, is_reply=bool(post.parent))
    uri, cid = text_at(reply.value(), "uri"), text_at(reply.value(), "cid")
    if uri != uri_of(did, post.key) or not cid:
        return unreadable(reply, NETWORK)
    return Outcome(Sort.SENT, uri, page_of(uri, handle))


def deleted(exchange: Exchange, uri: str, now: datetime) -> Outcome:
    """Return what became of com.atproto.repo.deleteRecord; what is not there counts as deleted."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, RULES, now)
    is_answer = isinstance(reply.value(), dict)
    return Outcome(Sort.SENT, uri) if is_answer else unreadable(reply, NETWORK)


def records(reply: Reply) -> Sequence[object] | None:
    """Return the records of a page of listRecords; None where it is no page."""
    value = reply.value()
    if not reply.ok or not isinstance(value, dict) or not isinstance(value.get("records"), list):
        return None
    return items_at(value, "records")


def profile(did: str, handle: str, about: object) -> Profile:
    """Return who we are, from the session and the record of the profile (None for none)."""
    return Profile(
        id=did,
        handle=handle,
        url=f"https://bsky.app/profile/{handle}",
        limit=LONGEST,
        advice=tuple(_advice(about)),
    )


def _advice(about: object) -> Iterator[str]:
    labels = items_at(about, "value", "labels", "values")
    if not any(text_at(label, "val") == "bot" for label in labels):
        yield (
            "The account is not marked as a bot: give its profile the self-label `bot` "
            "(https://docs.bsky.app/docs/starter-templates/bots)."
        )
    if not names_somebody(text_at(about, "value", "description")):
        yield "The bio does not name who runs the account: write for example 'by @you' into it."
