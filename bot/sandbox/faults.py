"""The faults between a client and a network, as values.

A fault says whether the network carries the request out (never, now or later), what it answers,
how many bytes of the answer arrive, and how the connection ends.
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
"""Makes an answer from the request, the network's own answer (None if it has none) and its time."""

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
    """Whether and when the network carries a request out."""

    NEVER = "never"
    NOW = "now"
    LATER = "later"


class Hang(StrEnum):
    """Where a request hangs: nowhere, before the network carries it out, or before the answer."""

    NO = "no"
    BEFORE = "before"
    AFTER = "after"


class Ending(StrEnum):
    """How the connection ends: it is kept, closed, or reset."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for a request to fail. With `commit` NOW and no other value it is no fault.

    `late` is the seconds until a commit LATER. `make` replaces the answer. `head` cuts the answer
    after that many bytes, `body` after that many bytes of its body. A request that hangs goes on
    when it is released. If its client leaves first, a request held BEFORE is not carried out.
    `delay` is the seconds before the answer.
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
        """Return the answer, an empty 504 if there is no other."""
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
    """Return a fault: the answer ends within its first line and headers."""
    return Fault(f"head cut after {after}", Commit.NOW, head=after, ending=Ending.CLOSE)


def cut_body(after: int) -> Fault:
    """Return a fault: the answer ends `after` bytes into its body."""
    return Fault(f"body cut after {after}", Commit.NOW, body=after, ending=Ending.CLOSE)


def server_error(status: int, commit: Commit = Commit.NEVER, late: float = 0.0) -> Fault:
    """Return a fault: the answer is an error page of a gateway."""
    page = Response(status, b"<html><h1>Error</h1></html>", _HTML)
    when = {Commit.NEVER: "before", Commit.NOW: "after", Commit.LATER: f"{late:g} s before"}
    return Fault(f"{status} {when[commit]} commit", commit, late, lambda *_: page)


def own_error(name: str, response: Response, commit: Commit = Commit.NEVER) -> Fault:
    """Return a fault: the answer is an error of the network (`ERRORS` of its answers)."""
    when = "after" if commit is Commit.NOW else "before"
    return Fault(f"{name} {when} commit", commit, make=lambda *_: response)


def later(fault: Fault, seconds: float) -> Fault:
    """Return the same fault, but the request is carried out `seconds` later."""
    name = f"{fault.name}, committed {seconds:g} s later"
    return replace(fault, name=name, commit=Commit.LATER, late=seconds)


def slow(seconds: float) -> Fault:
    """Return a fault: the right answer comes late."""
    return Fault(f"{seconds:g} s late", Commit.NOW, delay=seconds)


def refusal(name: str, response: Response) -> Fault:
    """Return a fault: the answer is a refusal of the network (`REFUSALS` of its answers)."""
    return Fault(name, make=lambda *_: response)


def too_many(network: Network, reset: timedelta | None) -> Fault:
    """Return a fault: a 429 that ends after `reset`, or with None does not say when."""

    def make(_: Request, __: Response | None, now: datetime) -> Response:
        if reset is None:
            return _TOO_MANY[network]
        end, seconds = now + reset, math.ceil(reset.total_seconds())
        stamp = str(int(end.timestamp()))
        headers: Mapping[Network, Pairs] = {
            Network.TWITTER: (("x-rate-limit-reset", stamp),),
            Network.MASTODON: (("X-RateLimit-Reset", f"{end:%Y-%m-%dT%H:%M:%S.%f}Z"),),
            Network.BLUESKY: (("RateLimit-Reset", stamp), ("Retry-After", str(seconds))),
        }
        return _TOO_MANY[network].having(*headers[network])

    return Fault("429" if reset is None else f"429 for {reset}", make=make)


def changed(name: str, make: Callable[[Response], Response]) -> Fault:
    """Return a fault: the network's own answer is changed by `make`."""
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
    """Return a fault: the answer redirects to the same address. The log shows who follows."""

    def make(request: Request, _: Response | None, __: datetime) -> Response:
        query = f"?{request.query}" if request.query else ""
        return Response(status, b"", (("location", request.path + query),))

    return Fault(f"{status} redirect", make=make)


def every(network: Network) -> tuple[Fault, ...]:
    """Return each kind of fault once, for tests that try them all.

    Faults that hang are left out, since they need a client with a timeout, or a release.
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
