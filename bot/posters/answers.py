"""What a network answered, as values, and how it is judged. Pure, and the same for all networks.

The rule of the house: what was received decides, not what an SDK made of it. An SDK may raise after
a post went out (mastodon.py over a header it cannot read), or return a list where a post was due.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from bot.posters.poster import CannotRead, Outcome, Refusal, Sort
from bot.posters.values import clean, http_date, items_at, leaves, origin, text_at, wait

FINAL = (401, 403)
"""Statuses of a read that trying again does not help."""
_MENDS = {
    401: "Make new tokens (bot login does), set their variables, and try them with bot check.",
    403: "The tokens, or the plan behind them, do not allow it: see what they may do.",
}
_LATER = (429, 503)
_NO_CREDENTIALS = 401
_NO_CREDITS = 402
_UNTIL_CREDITS = timedelta(hours=1)  # when somebody has bought some, nobody says
_REDIRECTS = (301, 302, 307, 308)


class Fate(StrEnum):
    """What became of a request, as far as this machine can tell."""

    ANSWERED = "answered"
    UNSENT = "unsent"
    """The network stopped it before its first byte left."""
    UNFIT = "unfit"
    """It cannot be written down as a request, today or ever."""
    LOST = "lost"
    """It left, or may have, and no whole answer came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that came whole. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def clock(self) -> datetime | None:
        """The network's time when it answered; None where it does not say."""
        return http_date(self.headers.get("date", ""))

    @property
    def ok(self) -> bool:
        """Tell whether the status says that it worked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def value(self) -> object:
        """Return the body, decoded from JSON; None where it is none."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and the answer where there is one; `trouble` says in words why there is none.

    `broke` says that a connection ended that had been kept, and not for want of time.
    """

    fate: Fate
    reply: Reply | None = None
    trouble: str = ""
    broke: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, and what is said of it to people. See `Outcome.duplicate`."""

    sort: Sort
    words: str
    refusal: Refusal | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """A verdict for answers of these statuses whose text matches `said`."""

    statuses: Collection[int]
    said: re.Pattern[str]
    verdict: Verdict
    replies_only: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How one network refuses: the first hint that fits, else the status, else it is unknown.

    `resets` are the beginnings of the names of its rate-limit headers.
    """

    network: str
    resets: Sequence[str]
    hints: Sequence[Hint] = ()
    statuses: Mapping[int, Verdict] = field(default_factory=dict)


_TAKEN_BACK = "it does not take this post"
WRONG_ADDRESS = Verdict(
    Sort.REFUSED, "nothing is at this address: check the account's base URL", Refusal.CREDENTIALS
)
STATUSES: Mapping[int, Verdict] = MappingProxyType(
    {
        400: Verdict(Sort.REFUSED, _TAKEN_BACK, Refusal.CONTENT),
        401: Verdict(Sort.REFUSED, "it does not accept the account's tokens", Refusal.CREDENTIALS),
        402: Verdict(Sort.LATER, "the account's credits, or its spending limit, are used up"),
        403: Verdict(Sort.REFUSED, "it does not allow this post", Refusal.CONTENT),
        404: WRONG_ADDRESS,
        413: Verdict(Sort.REFUSED, "the post is too large for it", Refusal.CONTENT),
        422: Verdict(Sort.REFUSED, _TAKEN_BACK, Refusal.CONTENT),
        429: Verdict(Sort.LATER, "its rate limit is reached"),
    }
)
"""What a refusal means where the network's own rules say nothing else."""

_UNKNOWN = Verdict(Sort.UNKNOWN, "whether it was carried out is not known")
_UNANSWERED: Mapping[Fate, Verdict] = MappingProxyType(
    {
        Fate.UNSENT: Verdict(Sort.LATER, "nothing was sent"),
        Fate.UNFIT: Verdict(Sort.REFUSED, "nothing was sent", Refusal.CONTENT),
        Fate.LOST: _UNKNOWN,
    }
)


def unanswered(exchange: Exchange, network: str) -> Outcome:
    """Return the outcome of a request that no whole answer came to."""
    verdict = _UNANSWERED.get(exchange.fate, _UNKNOWN)
    reason = f"{network}: {exchange.trouble}; {verdict.words}"
    return Outcome(verdict.sort, reason=reason, refusal=verdict.refusal)


def no_id(network: str, text: str) -> Outcome:
    """Return the outcome of asking for something that cannot be a post's id."""
    reason = f"{clean(text)!r} is no id of a post on {network}"
    return Outcome(Sort.REFUSED, reason=reason, refusal=Refusal.CONTENT)


def unreadable(reply: Reply, network: str) -> Outcome:
    """Return the outcome of a request that worked by its status, with an answer past reading."""
    return Outcome(
        Sort.UNKNOWN,
        reason=f"{network} answers {reply.status}, and not with a post; {_UNKNOWN.words}",
    )


def refused(reply: Reply, rules: Rules, now: datetime, *, is_reply: bool = False) -> Outcome:
    """Return the outcome of a request that did not work by its status; `is_reply` of a reply."""
    verdict = _redirect(reply) or _verdict(reply, rules, is_reply=is_reply)
    until = wait(reply.headers, rules.resets, now) if verdict.sort is Sort.LATER else None
    reason = f"{rules.network} answers {reply.status}{quoted(reply)}: {verdict.words}"
    return Outcome(
        verdict.sort,
        reason=reason,
        refusal=verdict.refusal,
        until=until,
        duplicate=verdict.duplicate,
    )


def _verdict(reply: Reply, rules: Rules, *, is_reply: bool) -> Verdict:
    text = said(reply)
    for hint in rules.hints:
        if hint.replies_only and not is_reply:
            continue
        if reply.status in hint.statuses and hint.said.search(text):
            return hint.verdict
    return rules.statuses.get(reply.status) or STATUSES.get(reply.status, _UNKNOWN)


def _redirect(reply: Reply) -> Verdict | None:
    """Judge a redirect. A 303 is none: it is how servers say that they have acted."""
    location = reply.headers.get("location", "")
    if reply.status not in _REDIRECTS or not location:
        return None
    where = origin(location) or "another path of its own"
    words = f"it sends us on to {where}, which is not followed: correct the account's base URL"
    return Verdict(Sort.REFUSED, words, Refusal.CREDENTIALS)


def cannot_read(
    exchange: Exchange, rules: Rules, now: datetime, final: Collection[int] = FINAL
) -> CannotRead:
    """Return the error for a read that did not work; statuses in `final` will not get better."""
    reply = exchange.reply
    if reply is None:
        return CannotRead(f"{rules.network} cannot be read: {exchange.trouble}")
    beside = ", and not what was asked for" if reply.ok else ""
    message = f"{rules.network} cannot be read: it answers {reply.status}{quoted(reply)}{beside}"
    if moved := _redirect(reply):
        return CannotRead(f"{message}: {moved.words}", final=True, stops=True)
    hopeless = reply.status in final
    mend = _MENDS.get(reply.status, "") if hopeless else ""
    later = reply.status in _LATER
    until = wait(reply.headers, rules.resets, now) if later else None
    if reply.status == _NO_CREDITS:
        until = now + _UNTIL_CREDITS
    stops = reply.status == _NO_CREDENTIALS
    return CannotRead(message, mend, until=until, final=hopeless, stops=stops)


def said(reply: Reply) -> str:
    """Return all that a refusal in JSON says, on one line: every text and number in it."""
    return " ".join(leaves(reply.value()))


def quoted(reply: Reply) -> str:
    """Return a refusal's own words for people, in brackets and short; empty where it has none."""
    value = reply.value()
    errors = items_at(value, "errors")
    places = (*errors[:1], value)
    names = ("detail", "message", "error_description", "error", "title")
    found = (text_at(place, name) for place in places for name in names)
    words = clean(next(filter(None, found), "")).rstrip(".")
    return f" ({words})" if words else ""
