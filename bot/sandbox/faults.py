"""What can go wrong between a client and a network, as values.

A fault says three things: whether the network carries the request out (never, at once, or later),
what it answers instead, and how many bytes of that arrive before the connection goes which way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from bot.model import Network
from bot.sandbox.bluesky import answers as bluesky_answers
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.wire import Pairs, Request, Response, reply
from bot.sandbox.x import answers as x_answers

Make: TypeAlias = Callable[[Request, Response | None, datetime], Response]
"""Makes an answer of the request, the network's own answer (None if it gave none) and its time."""

_HTML = (("content-type", "text/html"),)
_RESETS = {"x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset"}
_TOO_MANY: Mapping[Network, Response] = {
    Network.TWITTER: x_answers.TOO_MANY,
    Network.MASTODON: mastodon_answers.TOO_MANY,
    Network.BLUESKY: bluesky_answers.TOO_MANY,
}
_REFUSALS: Mapping[Network, Mapping[str, Response]] = {
    Network.TWITTER: x_answers.REFUSALS,
    Network.MASTODON: mastodon_answers.REFUSALS,
    Network.BLUESKY: bluesky_answers.REFUSALS,
}


class Commit(StrEnum):
    """Whether and when the network does what it was asked."""

    NEVER = "never"
    NOW = "now"
    LATER = "later"


class Hang(StrEnum):
    """Where a request is held: not at all, before the network has it, or before the answer."""

    NO = "no"
    BEFORE = "before"
    AFTER = "after"


class Ending(StrEnum):
    """What becomes of the connection: kept, closed, or reset."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for a request to go wrong; a fault of all defaults but `commit` NOW is none.

    `late`: seconds to a commit LATER. `make` replaces the answer. `head` and `body` cut it after so
    many bytes of the whole, or of the body; the connection then closes. A request that hangs does
    so until it is released, and then goes on, or until the client leaves: held BEFORE, it was
    then never carried out. `delay`: seconds before the answer.
    """

    name: str
    commit: Commit = Commit.NEVER
    late: float = 0.0
    make: Make | None = None
    head: int | None = None
    body: int | None = None
    hang: Hang = Hang.NO
    delay: float = 0.0
    ending: Ending = Ending.KEEP

    def answer(self, request: Request, own: Response | None, now: datetime) -> Response:
        """Return what is to be answered; an empty 504 where there is nothing else to say."""
        if self.make is not None:
            return self.make(request, own, now)
        return own or Response(504)

    def cut(self, head: bytes, body: bytes) -> bytes:
        """Return the bytes of an answer that arrive."""
        whole = head + body
        if self.body is not None:
            return whole[: len(head) + self.body]
        return whole if self.head is None else whole[: self.head]


NONE = Fault("none", Commit.NOW)
CLOSED_BEFORE = Fault("closed before commit", head=0, ending=Ending.CLOSE)
CLOSED_AFTER = Fault("closed after commit", Commit.NOW, head=0, ending=Ending.CLOSE)
RESET_BEFORE = Fault("reset before commit", head=0, ending=Ending.RESET)
RESET_AFTER = Fault("reset after commit", Commit.NOW, head=0, ending=Ending.RESET)
HUNG_BEFORE = Fault("hung before commit", Commit.NOW, hang=Hang.BEFORE)
HUNG_AFTER = Fault("hung after commit", Commit.NOW, hang=Hang.AFTER)
CLOSED_IDLE = Fault("closed once answered", Commit.NOW, ending=Ending.CLOSE)


def cut_head(after: int) -> Fault:
    """Return the fault of an answer that ends within its first line and headers."""
    return Fault(f"head cut after {after}", Commit.NOW, head=after, ending=Ending.CLOSE)


def cut_body(after: int) -> Fault:
    """Return the fault of an answer that ends `after` bytes into its body, all headers sent."""
    return Fault(f"body cut after {after}", Commit.NOW, body=after, ending=Ending.CLOSE)


def server_error(status: int, commit: Commit = Commit.NEVER, late: float = 0.0) -> Fault:
    """Return the fault of an error page as gateways send them, whatever became of the request."""
    page = Response(status, b"<html><h1>Error</h1></html>", _HTML)
    when = {Commit.NEVER: "before", Commit.NOW: "after", Commit.LATER: f"{late:g} s before"}
    return Fault(f"{status} {when[commit]} commit", commit, late, lambda *_: page)


def own_error(name: str, response: Response, commit: Commit = Commit.NEVER) -> Fault:
    """Return the fault of an error in the network's own words (`ERRORS` of its answers)."""
    when = "after" if commit is Commit.NOW else "before"
    return Fault(f"{name} {when} commit", commit, make=lambda *_: response)


def later(fault: Fault, seconds: float) -> Fault:
    """Return the same fault with the request carried out `seconds` later."""
    name = f"{fault.name}, committed {seconds:g} s later"
    return replace(fault, name=name, commit=Commit.LATER, late=seconds)


def slow(seconds: float) -> Fault:
    """Return the fault of a right answer that takes its time."""
    return Fault(f"{seconds:g} s late", Commit.NOW, delay=seconds)


def refusal(name: str, response: Response) -> Fault:
    """Return the fault of a refusal, by the network's own words (`REFUSALS` of its answers)."""
    return Fault(name, make=lambda *_: response)


def too_many(network: Network, reset: timedelta | None) -> Fault:
    """Return the fault of a 429 that ends `reset` from now; of None, one that does not say when."""

    def make(_: Request, __: Response | None, now: datetime) -> Response:
        told = () if reset is None else _told(network, now, reset)
        return _TOO_MANY[network].having(*told)

    return Fault("429" if reset is None else f"429 for {reset}", make=make)


def _told(network: Network, now: datetime, wait: timedelta) -> Pairs:
    """Return the headers that say when a limit ends, `wait` from now."""
    reset, seconds = now + wait, math.ceil(wait.total_seconds())
    stamp = str(int(reset.timestamp()))
    told: Mapping[Network, Pairs] = {
        Network.TWITTER: (("x-rate-limit-reset", stamp),),
        Network.MASTODON: (("X-RateLimit-Reset", f"{reset:%Y-%m-%dT%H:%M:%S.%f}Z"),),
        Network.BLUESKY: (("RateLimit-Reset", stamp), ("Retry-After", str(seconds))),
    }
    return told[network]


def changed(name: str, make: Callable[[Response], Response]) -> Fault:
    """Return the fault of the network's own answer, altered on its way."""
    return Fault(name, Commit.NOW, make=lambda _, own, __: make(own or Response(504)))


NOT_JSON = changed("not JSON", lambda own: replace(own, body=b"<html>Welcome</html>"))
EMPTY = changed("empty", lambda own: replace(own, body=b""))
JSON_LIST = changed("a JSON list", lambda own: replace(own, body=b"[]"))
ERRORS_ONLY = changed("only errors", lambda _: reply(200, {"errors": [{"message": "?"}]}))
BAD_RESET = changed(
    "unreadable reset",
    lambda own: own.having(*((name, "soon") for name, _ in own.headers if name.lower() in _RESETS)),
)
ERROR_LIST = Fault("500 with a JSON list", make=lambda *_: reply(500, ["?"]))


def redirect(status: int = 301) -> Fault:
    """Return the fault of being sent to the same address again; the log shows who follows."""

    def make(request: Request, _: Response | None, __: datetime) -> Response:
        query = f"?{request.query}" if request.query else ""
        return Response(status, b"", (("location", request.path + query),))

    return Fault(f"{status} redirect", make=make)


def every(network: Network) -> tuple[Fault, ...]:
    """Return each kind of fault once, for tests that try them all.

    Those that hang are not among them: they need a client with a timeout, or a test to let go.
    """
    own = bluesky_answers.ERRORS if network is Network.BLUESKY else {}
    errors = [
        own_error(name, response, commit)
        for name, response in own.items()
        for commit in (Commit.NEVER, Commit.NOW)
    ]
    errors += [
        server_error(status, commit)
        for status in (500, 502, 503, 504)
        for commit in (Commit.NEVER, Commit.NOW)
    ]
    return (
        *(CLOSED_BEFORE, CLOSED_AFTER, RESET_BEFORE, RESET_AFTER, CLOSED_IDLE),
        *(cut_head(20), cut_body(0), cut_body(7), NOT_JSON, EMPTY, JSON_LIST, ERRORS_ONLY),
        *(BAD_RESET, ERROR_LIST, redirect(301), redirect(308), server_error(408)),
        *(*errors, too_many(network, None), too_many(network, timedelta(minutes=5))),
        *(refusal(name, response) for name, response in _REFUSALS[network].items()),
    )
