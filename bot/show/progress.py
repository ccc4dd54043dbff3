"""For people: what happens while threads are delivered, and what became of each account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from click import style

from bot.delivery.terms import End, Event
from bot.model import State
from bot.show.status import minute

if TYPE_CHECKING:
    from bot.desk import Served

_dim = partial(style, dim=True)
_COLOURS = {"sent": "green", "found": "green", "held": "red", "refused": "red"}
_QUIET = ("sending",)


def event(happened: Event, *, verbose: bool = False) -> Iterator[str]:
    """A line for what happened to a post; the small steps too if `verbose`."""
    if happened.what in _QUIET and not verbose:
        return
    where = "" if happened.position is None else f" post {happened.position} of 0-{happened.last}"
    what = style(happened.what, fg=_COLOURS.get(happened.what, "yellow"))
    yield f"{happened.account}{where} {what} {happened.detail}".rstrip()


def outcome(served: Sequence[Served]) -> Iterator[str]:
    """A line for each account: done, or what is left and how to go on."""
    for one in served:
        name = one.account.name
        if one.end is End.DONE:
            yield f"{name}: {style('done', fg='green')}{_what(one)}{_because(one.reason)}"
            continue
        colour = "yellow" if one.end is End.LATER else "red"
        said = {End.LATER: "not finished", End.HELD: "held", End.FAILED: "failed"}[one.end]
        yield f"{name}: {style(said, fg=colour)}{_left(one)}{_because(one.reason)}"
        if one.end is not End.FAILED:
            yield f"  {_go_on(one)}"


def _what(one: Served) -> str:
    posts = one.thread.posts if one.thread else ()
    if posts and all(post.state is State.RETRACTED for post in posts):
        return f", {len(posts)} posts taken back"
    return f", {len(posts)} posts, {posts[0].url}" if posts and posts[0].url else ""


def _left(one: Served) -> str:
    if one.thread is None:
        return ""
    left = sum(post.state not in (State.SENT, State.RETRACTED) for post in one.thread.posts)
    return f", {left} of {len(one.thread.posts)} posts are left" if left else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _go_on(one: Served) -> str:
    digest = one.thread.digest if one.thread else ""
    if one.end is End.LATER:
        return f"Run it again{_when(one.until)}; it goes on where it stopped."
    return f"See bot status {digest}; decide with bot settle, or take it back: bot retract."


def _when(until: datetime | None) -> str:
    return f" after {minute(until)}" if until else " later"
