"""Show what happens while threads are published, and the result of each account, as lines."""

from __future__ import annotations

import re
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
    from bot.delivery.types import AccountResult
    from bot.ledger.rows import StoredThread

_dim = partial(style, dim=True)
_COLOURS = {"sent": "green", "found": "green", "held": "red", "refused": "red"}
_QUIET = ("sending",)


@dataclass(slots=True)
class Pace:
    """Measures how fast each account's posts are sent, to estimate the time that is left."""

    _begun: dict[str, tuple[float, int]] = field(default_factory=dict)

    def left(self, event: Event, seconds: float) -> float | None:
        """Return the seconds until the thread is finished, or None if that is not known yet.

        `seconds` is the time of the event on a clock that only grows.
        """
        if event.what != "sent" or event.position is None:
            return None
        begun, first = self._begun.setdefault(event.account, (seconds, event.position))
        if event.position in (first, event.last):
            return None
        pace = (seconds - begun) / (event.position - first)
        return pace * (event.last - event.position)


def event(happened: Event, *, verbose: bool = False, left: float | None = None) -> Iterator[str]:
    """Yield the line for an event. The small steps have a line only if `verbose`.

    `left` is the time in seconds until the thread is finished, or None to leave it out.
    """
    if happened.what in _QUIET and not verbose:
        return
    if happened.what == "waiting":
        yield f"{happened.account}: {waiting(happened.detail)}"
        return
    where = "" if happened.position is None else f" {happened.position + 1}/{happened.last + 1}"
    what = style(happened.what, fg=_COLOURS.get(happened.what, "yellow"))
    rest = "" if left is None else _dim(f"  about {_duration(left)} left")
    yield f"{happened.account}{where} {what} {happened.detail}".rstrip() + rest


def waiting(detail: str) -> str:
    """Return why a run waits and when it tries again. `detail` is such as "3 s: the reason"."""
    found = re.fullmatch(r"(\d+) s: (.+)", detail, re.DOTALL)
    if found is None:
        return sentence(detail)
    if found[1] == "0":
        return f"{sentence(found[2]).removesuffix('.')} ..."
    return f"{sentence(found[2])} Next try in {_duration(int(found[1]))}."


def sentence(text: str) -> str:
    """Return the text with a capital letter and a full stop. A host name keeps its letters."""
    first = text.partition(" ")[0]
    if first.isalpha():
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _duration(seconds: float) -> str:
    """Return a time such as `40 s` or `3 min`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"  # noqa: PLR2004


def outcome(results: Sequence[AccountResult], *, retracting: bool = False) -> Iterator[str]:
    """Yield the lines for each account: done, or what is left and how to continue."""
    for result in results:
        name = result.account.name
        if result.end is End.DONE:
            word = "skipped" if _is_retracted(result) and not retracting else "done"
            yield f"{name}: {style(word, fg='green')}{_because(result, _sent(result))}"
            continue
        colour = "yellow" if result.end is End.LATER else "red"
        word = {End.LATER: "not finished", End.HELD: "held"}.get(result.end, "failed")
        yield f"{name}: {style(word, fg=colour)}{_because(result, _left(result))}"
        if result.end in (End.LATER, End.HELD):
            yield f"  {_next_step(result)}"


def retractable(
    accounts: Sequence[Account], stored: Sequence[StoredThread | None]
) -> Iterator[str]:
    """Yield a line for each account: which posts of a thread are known to be published."""
    for account, thread in zip(accounts, stored, strict=True):
        posts = thread.posts if thread else ()
        sent = [post for post in posts if post.id and post.state is not State.RETRACTED]
        where = f", {sent[0].url or sent[0].id}" if sent else ""
        known = f"{len(sent)} of {len(posts)} posts are known to be published{where}"
        yield f"{account.name}: {known} (others that the network shows are deleted too)"


def _is_retracted(result: AccountResult) -> bool:
    posts = result.thread.posts if result.thread else ()
    return bool(posts) and all(post.state is State.RETRACTED for post in posts)


def _sent(result: AccountResult) -> str:
    posts = result.thread.posts if result.thread else ()
    if not posts or not posts[0].url or _is_retracted(result):
        return ""
    return f", {len(posts)} posts, {posts[0].url}"


def _left(result: AccountResult) -> str:
    if result.thread is None:
        return ""
    posts = result.thread.posts
    left = sum(post.state not in (State.SENT, State.RETRACTED) for post in posts)
    return f", {left} of {len(posts)} posts are left" if left else ""


def _because(result: AccountResult, numbers: str) -> str:
    """Return the numbers and the reason. After numbers the reason is a sentence of its own."""
    if not result.reason:
        return numbers
    return f"{numbers}. {sentence(result.reason)}" if numbers else f": {result.reason}"


def _next_step(result: AccountResult) -> str:
    digest = argument(result.thread.digest) if result.thread else ""
    if result.end is End.LATER:
        return f"Run it again{_when(result.until)}. It continues where it stopped."
    ways = "Decide with bot settle, or delete the thread with bot retract."
    return f"{ways} See bot status {digest}".rstrip()


def _when(until: datetime | None) -> str:
    return f" after {minute(until)}" if until else " later"
