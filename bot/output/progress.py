"""For people: what happens while threads are delivered, and what became of each account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from click import style

from bot.delivery.types import End, Event
from bot.model import Account, State
from bot.output.status import minute
from bot.terminal import argument

if TYPE_CHECKING:
    from bot.delivery.publish import AccountResult
    from bot.ledger.rows import StoredThread

_dim = partial(style, dim=True)
_COLOURS = {"sent": "green", "found": "green", "held": "red", "refused": "red"}
_QUIET = ("sending",)


@dataclass(slots=True)
class Pace:
    """How fast each account's posts go out, and so how long the rest will take."""

    _begun: dict[str, tuple[float, int]] = field(default_factory=dict)

    def left(self, happened: Event, seconds: float) -> float | None:
        """Seconds until the thread is out, asked at `seconds` of a clock; None if nobody knows."""
        if happened.what != "sent" or happened.position is None:
            return None
        begun, first = self._begun.setdefault(happened.account, (seconds, happened.position))
        if happened.position in (first, happened.last):
            return None
        pace = (seconds - begun) / (happened.position - first)
        return pace * (happened.last - happened.position)


def event(happened: Event, *, verbose: bool = False, left: float | None = None) -> Iterator[str]:
    """A line for what happened to a post; the small steps too if `verbose`.

    `left` are the seconds until the thread is out, None where nobody knows or wants to.
    """
    if happened.what in _QUIET and not verbose:
        return
    where = "" if happened.position is None else f" {happened.position + 1}/{happened.last + 1}"
    what = style(happened.what, fg=_COLOURS.get(happened.what, "yellow"))
    rest = "" if left is None else _dim(f"  about {_duration(left)} left")
    yield f"{happened.account}{where} {what} {happened.detail}".rstrip() + rest


def _duration(seconds: float) -> str:
    """`40 s`, `3 min`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004


def outcome(served: Sequence[AccountResult]) -> Iterator[str]:
    """A line for each account: done, or what is left and how to go on."""
    for one in served:
        name = one.account.name
        if one.end is End.DONE:
            yield f"{name}: {style('done', fg='green')}{_what(one)}{_because(one.reason)}"
            continue
        colour = "yellow" if one.end is End.LATER else "red"
        said = {End.LATER: "not finished", End.HELD: "held"}.get(one.end, "failed")
        yield f"{name}: {style(said, fg=colour)}{_left(one)}{_because(one.reason)}"
        if one.end in (End.LATER, End.HELD):
            yield f"  {_go_on(one)}"


def retractable(
    accounts: Sequence[Account], stored: Sequence[StoredThread | None]
) -> Iterator[str]:
    """A line for each account: what of a thread is known to be out, and where."""
    for account, thread in zip(accounts, stored, strict=True):
        posts = thread.posts if thread else ()
        out = [post for post in posts if post.id and post.state is not State.RETRACTED]
        where = f", {out[0].url or out[0].id}" if out else ""
        known = f"{len(out)} of {len(posts)} posts are known to be out{where}"
        yield f"{account.name}: {known}; what else the network shows of it is deleted too"


def _what(one: AccountResult) -> str:
    posts = one.thread.posts if one.thread else ()
    if posts and all(post.state is State.RETRACTED for post in posts):
        return ", taken back"
    return f", {len(posts)} posts, {posts[0].url}" if posts and posts[0].url else ""


def _left(one: AccountResult) -> str:
    if one.thread is None:
        return ""
    left = sum(post.state not in (State.SENT, State.RETRACTED) for post in one.thread.posts)
    return f", {left} of {len(one.thread.posts)} posts are left" if left else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _go_on(one: AccountResult) -> str:
    digest = argument(one.thread.digest) if one.thread else ""
    if one.end is End.LATER:
        return f"Run it again{_when(one.until)}; it goes on where it stopped."
    ways = "Decide with bot settle, or take it back with bot retract"
    return f"{ways}; see bot status {digest}".rstrip()


def _when(until: datetime | None) -> str:
    return f" after {minute(until)}" if until else " later"
