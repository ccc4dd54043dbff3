"""What could not be done at Bluesky, and what a person can do about it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.posters.answers import Exchange, cannot_read, said
from bot.posters.bluesky.answers import LOG_IN, NETWORK, RULES
from bot.posters.bluesky.session import moved_to
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, Refusal


def not_sent(error: CannotRead) -> Outcome:
    """Return the outcome of a request that was not made, since what it needs could not be had."""
    reason = f"{error.message}; nothing was sent"
    if error.final:
        refusal = Refusal.ADDRESS if error.wrong else Refusal.CREDENTIALS
        return Outcome(OutcomeKind.REFUSED, reason=reason, refusal=refusal, fix=error.fix)
    return Outcome(OutcomeKind.LATER, reason=reason, until=error.until)


def gone() -> Outcome:
    """Return the outcome of a reply to a post that is not there; a server would take it."""
    reason = f"{NETWORK}: the post replied to, or its thread's first, is gone; nothing was sent"
    return Outcome(OutcomeKind.REFUSED, reason=reason, refusal=Refusal.PARENT)


def unread(exchange: Exchange, now: datetime, *, login: bool = False) -> CannotRead:
    """Return the error for a read that did not work; `login` of one that asks who we are."""
    return cannot_read(_unquoted(exchange), RULES, now, login=login)


def no_session(exchange: Exchange, now: datetime) -> CannotRead:
    """Return the error for a login that did not work."""
    reply, error = exchange.reply, unread(exchange, now, login=True)
    why = error.message.removeprefix(f"{NETWORK} cannot be read")
    if reply is not None and "AuthFactorTokenRequired" in said(reply):
        fix = f"It asks for a code by mail, which an app password never needs. {error.fix}"
    else:
        fix = error.fix
    return CannotRead(
        f"{NETWORK} does not log us in{why}",
        fix,
        until=error.until,
        final=error.final,
        stops=error.stops,
        refusal=error.refusal,
        login=True,
    )


def at_rest(how: str, base: str, home: str) -> CannotRead:
    """Return the error for an account that is not active on the server at `base`."""
    error = CannotRead(f"{NETWORK}: the account is {how}", LOG_IN, final=True, stops=True)
    return elsewhere(error, base, home)


def elsewhere(error: CannotRead, base: str, home: str) -> CannotRead:
    """Return the error, with the way to another server where the account has moved there."""
    if error.stops and (there := moved_to(base, home)):
        error.fix = f"The account is on another server: set BLUESKY_SERVICE_URL={there}."
    return error


def _unquoted(exchange: Exchange) -> Exchange:
    """The exchange without words of a server that grants something: these may hold tokens."""
    reply = exchange.reply
    if reply is None or not reply.ok:
        return exchange
    return replace(exchange, reply=replace(reply, body=b""))
