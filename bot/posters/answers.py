"""What a network answered, as values, and how it is judged. Pure, and the same for all networks.

The rule of the house: what was received decides, not what an SDK made of it. An SDK may raise after
a post went out (mastodon.py over a header it cannot read), or return a list where a post was due.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from bot.posters.json_values import at, clean, http_date, items_at, leaves, origin, text_at, wait
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, Refusal

_NO_CREDITS = 402
_NOT_FOUND = 404
_TOO_MANY = 429
_NOT_NOW = (_TOO_MANY, 503)
_UNTIL_CREDITS = timedelta(hours=1)  # when somebody has bought some, nobody says
_REDIRECTS = (301, 302, 307, 308)
_CLOCKS_APART = timedelta(minutes=5)  # signed requests are refused beyond that
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<|error code: ?\d+\s*\Z)")
_SAID_BY_ALL = (_NO_CREDITS, 413, _TOO_MANY)
"""Statuses that mean the same whoever answers: the request was not carried out."""
_CHECKED = (400, 401, 403, 404, 405, 410, 422)
"""Statuses of a refusal, whose reason must be in the network's own words."""
_ABOUT_CONTENT = (400, 413, 422)
_GONE = (404, 410)
_CLOCK_CODE = re.compile(r"\bcode=135\b")


class TransportResult(StrEnum):
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
    """One request, and the answer where there is one; `problem` says in words why there is none.

    `broke` says that the connection ended before the answer, and not for want of time.
    """

    fate: TransportResult
    reply: Reply | None = None
    problem: str = ""
    broke: bool = False


@dataclass(frozen=True, slots=True)
class AnswerMeaning:
    """What an answer means: what is said of it to people, and what a person can do about it.

    See `Outcome.duplicate`.
    """

    sort: OutcomeKind
    words: str
    refusal: Refusal | None = None
    duplicate: bool = False
    fix: str = ""


@dataclass(frozen=True, slots=True)
class ErrorPattern:
    """A verdict for answers of these statuses whose text matches `said`."""

    statuses: Collection[int]
    said: re.Pattern[str]
    verdict: AnswerMeaning
    replies_only: bool = False


@dataclass(frozen=True, slots=True)
class RefusalRules:
    """How one network refuses: the first hint that fits, else the status, else it is unknown.

    `speaks` are the members of which its own refusals in JSON have at least one. `resets` are the
    beginnings of the names of its rate-limit headers. `signed` says that its requests carry this
    machine's time. `fixes` are what a person can do about a refusal of each kind.
    """

    network: str
    speaks: Collection[str]
    resets: Sequence[str]
    hints: Sequence[ErrorPattern] = ()
    statuses: Mapping[int, AnswerMeaning] = field(default_factory=dict)
    signed: bool = False
    unread: str = ""
    fixes: Mapping[Refusal, str] = field(default_factory=dict)


NOT_ACCEPTED = "it does not accept the account's tokens"
_TAKEN_BACK = "it does not take this post"
WRONG_ADDRESS = AnswerMeaning(
    OutcomeKind.REFUSED, "this address is not one of its API", Refusal.ADDRESS
)
STATUSES: Mapping[int, AnswerMeaning] = MappingProxyType(
    {
        400: AnswerMeaning(OutcomeKind.REFUSED, _TAKEN_BACK, Refusal.CONTENT),
        401: AnswerMeaning(OutcomeKind.REFUSED, NOT_ACCEPTED, Refusal.CREDENTIALS),
        402: AnswerMeaning(
            OutcomeKind.LATER, "the account's credits, or its spending limit, are used up"
        ),
        403: AnswerMeaning(OutcomeKind.REFUSED, "it does not allow this post", Refusal.CONTENT),
        404: WRONG_ADDRESS,
        413: AnswerMeaning(OutcomeKind.REFUSED, "the post is too large for it", Refusal.CONTENT),
        422: AnswerMeaning(OutcomeKind.REFUSED, _TAKEN_BACK, Refusal.CONTENT),
        429: AnswerMeaning(OutcomeKind.LATER, "its rate limit is reached"),
    }
)
"""What a refusal means where the network's own rules say nothing else."""
MENDS: Mapping[Refusal, str] = MappingProxyType(
    {
        Refusal.CREDENTIALS: "Make new tokens (bot login does), set their variables, and try them "
        "with bot check.",
        Refusal.ADDRESS: "Correct the account's base URL, and try it with bot check.",
    }
)

_UNKNOWN = AnswerMeaning(OutcomeKind.UNKNOWN, "whether it was carried out is not known")
_GATEWAY = AnswerMeaning(OutcomeKind.UNKNOWN, "this is a page of something in front of the network")
_UNSAID = AnswerMeaning(OutcomeKind.UNKNOWN, "it does not say why")
_UNANSWERED: Mapping[TransportResult, AnswerMeaning] = MappingProxyType(
    {
        TransportResult.UNSENT: AnswerMeaning(OutcomeKind.LATER, "nothing was sent"),
        TransportResult.UNFIT: AnswerMeaning(
            OutcomeKind.REFUSED, "nothing was sent", Refusal.CONTENT
        ),
        TransportResult.LOST: _UNKNOWN,
    }
)


def unanswered(exchange: Exchange, network: str) -> Outcome:
    """Return the outcome of a request that no whole answer came to."""
    verdict = _UNANSWERED.get(exchange.fate, _UNKNOWN)
    reason = f"{network}: {exchange.problem}; {verdict.words}"
    return Outcome(verdict.sort, reason=reason, refusal=verdict.refusal)


def no_id(network: str, text: str) -> Outcome:
    """Return the outcome of asking for something that cannot be a post's id."""
    reason = f"{clean(text)!r} is no id of a post on {network}"
    return Outcome(OutcomeKind.REFUSED, reason=reason, refusal=Refusal.CONTENT)


def unreadable(reply: Reply, network: str) -> Outcome:
    """Return the outcome of a request that worked by its status, with an answer past reading."""
    return Outcome(
        OutcomeKind.UNKNOWN,
        reason=f"{network} answers {reply.status}, and not with a post; {_UNKNOWN.words}",
    )


def refused(reply: Reply, rules: RefusalRules, now: datetime, *, is_reply: bool = False) -> Outcome:
    """Return the outcome of a request that did not work by its status; `is_reply` of a reply."""
    verdict = judged(reply, rules, now, is_reply=is_reply)
    reason = f"{rules.network} answers {reply.status}{quoted(reply)}: {verdict.words}"
    return Outcome(
        verdict.sort,
        reason=reason,
        refusal=verdict.refusal,
        until=_until(reply, rules, now) if verdict.sort is OutcomeKind.LATER else None,
        duplicate=verdict.duplicate,
        fix=verdict.fix or _fix(verdict.refusal, rules),
    )


def judged(
    reply: Reply, rules: RefusalRules, now: datetime, *, is_reply: bool = False
) -> AnswerMeaning:
    """Return what a refusal means, of any request: the one table of a network.

    What refuses must be the network itself. A page, as gateways show one, says nothing of what
    became of the request, and a refusal without words is `unsaid`.
    """
    if moved := _redirect(reply):
        return moved
    text = said(reply)
    if rules.signed and not is_page(reply) and (wrong := _wrong_clock(reply, text, now)):
        return wrong
    if reply.status not in _SAID_BY_ALL and not _speaks(reply, rules):
        if reply.status in _CHECKED:
            return _GATEWAY if is_page(reply) else _UNSAID
        return _UNKNOWN
    for hint in rules.hints:
        if hint.replies_only and not is_reply:
            continue
        if reply.status in hint.statuses and hint.said.search(text):
            return hint.verdict
    return rules.statuses.get(reply.status) or STATUSES.get(reply.status, _UNKNOWN)


def _speaks(reply: Reply, rules: RefusalRules) -> bool:
    """Tell whether the network itself refuses: in JSON, and with words where it has them."""
    value = reply.value()
    named = isinstance(value, dict) and any(value.get(name) for name in rules.speaks)
    return named and not is_page(reply)


def is_page(reply: Reply) -> bool:
    """Tell whether something in front of the network answers: HTML, or Cloudflare's own words."""
    return bool(_PAGE.match(reply.body)) or at(reply.value(), "cloudflare_error") is not None


def is_unsaid(exchange: Exchange, rules: RefusalRules) -> bool:
    """Tell whether a refusal gives no reason: the token may be what is refused, or the request.

    snac2 and Takahe answer so to a token that was revoked. A page that says 404 may be that of a
    wrong address; any other page is a gateway's.
    """
    reply = exchange.reply
    if reply is None or reply.status not in _CHECKED or _redirect(reply):
        return False
    return not _speaks(reply, rules) and (reply.status == _NOT_FOUND or not is_page(reply))


def is_gone(reply: Reply | None, rules: RefusalRules) -> bool:
    """Tell whether the network itself says that what was asked for is not there."""
    return reply is not None and reply.status in _GONE and _speaks(reply, rules)


def may_be_gone(reply: Reply | None) -> bool:
    """Tell whether an answer without words may mean the same, where the token works."""
    return reply is not None and reply.status in _GONE and not reply.body.strip()


def settled(
    exchange: Exchange, outcome: Outcome, rules: RefusalRules, ask: Callable[[], object]
) -> Outcome:
    """Return the outcome, corrected where the network gave no reason for its refusal.

    `ask` asks the network who we are, and raises CannotRead. Refused alike, it is the token.
    """
    reply = exchange.reply
    if reply is None or outcome.sort is not OutcomeKind.UNKNOWN or not is_unsaid(exchange, rules):
        return outcome
    try:
        ask()
    except CannotRead as error:
        if error.refusal in (Refusal.CREDENTIALS, Refusal.ADDRESS):
            reason, refusal = error.message, error.refusal
            return Outcome(OutcomeKind.REFUSED, reason=reason, refusal=refusal, fix=error.fix)
        return outcome
    if reply.status not in _ABOUT_CONTENT:
        return outcome
    reason = f"{rules.network} answers {reply.status}: {_TAKEN_BACK}, and does not say why"
    return Outcome(OutcomeKind.REFUSED, reason=reason, refusal=Refusal.CONTENT)


def _fix(refusal: Refusal | None, rules: RefusalRules) -> str:
    """Return what a person can do about a refusal; empty where nothing is known."""
    return (rules.fixes.get(refusal) or MENDS.get(refusal, "")) if refusal else ""


def _wrong_clock(reply: Reply, text: str, now: datetime) -> AnswerMeaning | None:
    """Judge a 401 of a request that was signed with a time of this machine's that is wrong."""
    apart = now - reply.clock if reply.clock else timedelta(0)
    is_far = abs(apart) >= _CLOCKS_APART
    if reply.status != HTTPStatus.UNAUTHORIZED or not (is_far or re.search(_CLOCK_CODE, text)):
        return None
    way = "ahead of" if apart > timedelta(0) else "behind"
    minutes = abs(apart) // timedelta(minutes=1)
    off = f"is {minutes} minutes {way} the network's" if is_far else "is wrong"
    words = f"this machine's clock {off}, and requests are signed with its time"
    return AnswerMeaning(
        OutcomeKind.REFUSED, words, Refusal.CREDENTIALS, fix="Set this machine's clock (NTP)."
    )


def _until(reply: Reply, rules: RefusalRules, now: datetime) -> datetime | None:
    """Return when to ask again after a refusal for now; None where it only says "later"."""
    return wait(reply.headers, rules.resets if reply.status in _NOT_NOW else (), now)


def _redirect(reply: Reply) -> AnswerMeaning | None:
    """Judge a redirect. A 303 is none: it is how servers say that they have acted."""
    location = reply.headers.get("location", "")
    if reply.status not in _REDIRECTS or not location:
        return None
    where = origin(location) or "another path of its own"
    words = f"it redirects to {where}, and redirects are not followed"
    return AnswerMeaning(OutcomeKind.REFUSED, words, Refusal.ADDRESS)


def cannot_read(
    exchange: Exchange, rules: RefusalRules, now: datetime, *, login: bool = False
) -> CannotRead:
    """Return the error for a read that did not work; `login` of one that asks who we are.

    Whatever is said to refuse a login is about its credentials. What has no login has no API: the
    address is wrong.
    """
    reply = exchange.reply
    if reply is None:
        return CannotRead(f"{rules.network} cannot be read: {exchange.problem}")
    message = f"{rules.network} cannot be read: it answers {reply.status}{quoted(reply)}"
    if reply.ok:
        return CannotRead(f"{message}, and not what was asked for")
    verdict = judged(reply, rules, now)
    refusal = _about(verdict, reply.status, rules, login=login)
    if refusal is not None:
        words = verdict.words if verdict.refusal is refusal else _ABOUT[refusal]
        fix = verdict.fix or _fix(refusal, rules)
        if refusal is Refusal.SCOPE and rules.unread:
            fix = f"{fix} {rules.unread}"
        stops = refusal is not Refusal.SCOPE or not rules.unread
        return CannotRead(f"{message}: {words}", fix, final=True, stops=stops, refusal=refusal)
    if verdict in (_GATEWAY, _UNSAID):
        message = f"{message}: {verdict.words}"
    until = _until(reply, rules, now)
    if reply.status == _NO_CREDITS and until is None:
        return CannotRead(message, until=now + _UNTIL_CREDITS, named=False)
    return CannotRead(message, until=until)


def _about(
    verdict: AnswerMeaning, status: int, rules: RefusalRules, *, login: bool
) -> Refusal | None:
    """Tell what of the account a refused read is about; None where it may work another time."""
    if login and status == _NOT_FOUND:
        return Refusal.ADDRESS
    if verdict is _GATEWAY or verdict.sort is OutcomeKind.LATER:
        return None
    if verdict.refusal in (Refusal.CREDENTIALS, Refusal.SCOPE):
        return verdict.refusal
    if verdict.refusal is Refusal.ADDRESS:
        return None if status == _NOT_FOUND else Refusal.ADDRESS  # what was asked for may be gone
    if login and status in _CHECKED:
        return Refusal.CREDENTIALS
    is_barred = status == HTTPStatus.FORBIDDEN and verdict is not _UNSAID and rules.unread
    return Refusal.SCOPE if is_barred else None


_ABOUT = {
    Refusal.CREDENTIALS: NOT_ACCEPTED,
    Refusal.SCOPE: "it does not allow reading",
    Refusal.ADDRESS: WRONG_ADDRESS.words,
}


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
