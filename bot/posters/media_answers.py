"""What networks answer to an upload, and what it means: pure, for their posters to act on.

Follows https://docs.joinmastodon.org/methods/media and https://docs.x.com/x-api/media. Nothing of
an upload is public until a post takes it, so whatever came of one it may be done again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType

from bot.posters.answers import AnswerMeaning, Exchange, RefusalRules, Reply, refused, unanswered
from bot.posters.json_values import at, id_at, items_at, text_at
from bot.posters.mastodon import answers as mastodon_answers
from bot.posters.poster import Outcome, OutcomeKind, Refusal
from bot.posters.twitter import answers as twitter_answers

_NOT_TAKEN = AnswerMeaning(OutcomeKind.REFUSED, "it does not take this picture", Refusal.CONTENT)
_STATUSES: Mapping[int, AnswerMeaning] = MappingProxyType(
    {
        400: _NOT_TAKEN,
        404: AnswerMeaning(
            OutcomeKind.REFUSED, "it has no place for uploads, or not this one", Refusal.CONTENT
        ),
        413: AnswerMeaning(OutcomeKind.REFUSED, "the picture is too large for it", Refusal.CONTENT),
        422: _NOT_TAKEN,
    }
)
_MASTODON = replace(
    mastodon_answers.RULES, statuses={**mastodon_answers.RULES.statuses, **_STATUSES}
)
_X = replace(
    twitter_answers.RULES,
    statuses={
        **_STATUSES,
        403: AnswerMeaning(OutcomeKind.REFUSED, "it does not allow this upload", Refusal.CONTENT),
    },
)
_WAITS = ("pending", "in_progress")


def mastodon_uploaded(exchange: Exchange, now: datetime) -> Outcome:
    """Return what became of POST /api/v2/media, and of GET /api/v1/media/:id after it.

    202 and 206 say that the server still works on the file.
    """
    reply = exchange.reply
    if reply is None or not reply.ok:
        return _failed(exchange, _MASTODON, now)
    media_id = id_at(reply.value(), "id")
    if not media_id:
        return _unreadable(reply, _MASTODON)
    told = text_at(reply.value(), "description").strip()
    return Outcome(
        OutcomeKind.SENT,
        media_id,
        ready=reply.status not in (HTTPStatus.ACCEPTED, HTTPStatus.PARTIAL_CONTENT),
        flaw="" if told else "the server keeps no alternative text",
    )


def x_uploaded(exchange: Exchange, now: datetime) -> Outcome:
    """Return what became of POST /2/media/upload, and of GET with its id after it."""
    reply = exchange.reply
    if reply is None or not reply.ok:
        return _failed(exchange, _X, now)
    media_id = id_at(reply.value(), "data", "id")
    if not twitter_answers.is_id(media_id):
        return _unreadable(reply, _X)
    state = text_at(reply.value(), "data", "processing_info", "state")
    if state == "failed":
        return Outcome(
            OutcomeKind.REFUSED, reason="X: the picture is broken", refusal=Refusal.CONTENT
        )
    return Outcome(OutcomeKind.SENT, media_id, ready=state not in _WAITS)


def x_described(exchange: Exchange, uploaded: Outcome, cost: Decimal, now: datetime) -> Outcome:
    """Return what became of an upload once POST /2/media/metadata has told what it shows.

    An upload whose words were not kept is not sent: SENT needs both answers.
    """
    reply = exchange.reply
    if reply is None or not reply.ok:
        outcome = _failed(exchange, _X, now)
    elif items_at(reply.value(), "errors") or not _speaks_of(reply, uploaded.id):
        outcome = _unreadable(reply, _X)
    else:
        outcome = uploaded
    billed = outcome.sort in (OutcomeKind.SENT, OutcomeKind.UNKNOWN)
    return replace(outcome, cost=cost) if billed else outcome


def _speaks_of(reply: Reply, media_id: str) -> bool:
    """Tell whether an answer is about this upload; one that names none may be."""
    return at(reply.value(), "data", "id") is None or id_at(reply.value(), "data", "id") == media_id


def _failed(exchange: Exchange, rules: RefusalRules, now: datetime) -> Outcome:
    if exchange.reply is None:
        return unanswered(exchange, rules.network)
    return refused(exchange.reply, rules, now)


def _unreadable(reply: Reply, rules: RefusalRules) -> Outcome:
    reason = f"{rules.network} answers {reply.status}, and not with an upload"
    return Outcome(OutcomeKind.UNKNOWN, reason=reason)
