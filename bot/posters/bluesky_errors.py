"""What could not be done at Bluesky, and what a person can do about it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from bot.posters.answers import FINAL, Exchange, cannot_read, said
from bot.posters.bluesky_answers import ACCOUNT, NETWORK, RULES, TOKENS
from bot.posters.poster import CannotRead, Outcome, Refusal, Sort

_BAD = HTTPStatus.BAD_REQUEST
_HOPELESS = (*FINAL, _BAD, HTTPStatus.NOT_FOUND)
_NEW_ONE = (
    "Make an app password in the account's settings (Privacy and security), and try it with bot "
    "login bluesky."
)
_LOOK = "Log in to the account in Bluesky's app: it says there what became of it."
_ELSEWHERE = "Set BLUESKY_SERVICE_URL to the server that holds the account."


def not_sent(error: CannotRead) -> Outcome:
    """Return the outcome of a request that was not made, since what it needs could not be had."""
    reason = f"{error.message}; nothing was sent"
    if error.final:
        return Outcome(Sort.REFUSED, reason=reason, refusal=Refusal.CREDENTIALS)
    return Outcome(Sort.LATER, reason=reason, until=error.until)


def gone() -> Outcome:
    """Return the outcome of a reply to a post that is not there; a server would take it."""
    reason = f"{NETWORK}: the post replied to, or its thread's first, is gone; nothing was sent"
    return Outcome(Sort.REFUSED, reason=reason, refusal=Refusal.PARENT)


def unread(exchange: Exchange, now: datetime) -> CannotRead:
    """Return the error for a read that did not work."""
    error = cannot_read(_unquoted(exchange), RULES, now, FINAL)
    reply = exchange.reply
    if reply is None or reply.ok:
        return error
    words = said(reply)
    if TOKENS.search(words) and reply.status in (_BAD, HTTPStatus.UNAUTHORIZED):
        return CannotRead(error.message, _NEW_ONE, final=True, stops=True)
    if ACCOUNT.search(words) and reply.status in (*FINAL, _BAD):
        return CannotRead(error.message, _LOOK, final=True, stops=True)
    return error


def no_session(exchange: Exchange, now: datetime) -> CannotRead:
    """Return the error for a login that did not work."""
    error = unread(exchange, now)
    why = error.message.removeprefix(f"{NETWORK} cannot be read")
    message = f"{NETWORK} does not log us in{why}"
    status = exchange.reply.status if exchange.reply else 0
    if not error.final and status not in _HOPELESS:
        return CannotRead(message, until=error.until)
    mend = _NEW_ONE if status in (*FINAL, _BAD) else _ELSEWHERE
    mend = _LOOK if error.mend == _LOOK else mend
    return CannotRead(message, mend, final=True, stops=True)


def at_rest(how: str) -> CannotRead:
    """Return the error for an account that is not active."""
    return CannotRead(f"{NETWORK}: the account is {how}", _LOOK, final=True, stops=True)


def _unquoted(exchange: Exchange) -> Exchange:
    """The exchange without words of a server that grants something: these may hold tokens."""
    reply = exchange.reply
    if reply is None or not reply.ok:
        return exchange
    return replace(exchange, reply=replace(reply, body=b""))
