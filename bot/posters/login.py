"""What the logins of all networks share: what a person brings, what a network gives, what fails.

A login has two halves with a person between them: the network is asked for a page
(`PendingLogin.page`), the person opens it in a browser and allows what it asks for, and brings back
a code, which is traded for tokens. One file a network: `mastodon_login`, `twitter_login`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs

from bot.errors import BotError, SettingsError, Unreachable
from bot.posters.answers import Exchange, Reply, quoted
from bot.posters.json_values import origin, wait

AGAIN = "Run bot login again."

_TOKEN = re.compile(r"[!-~]{1,4096}")
_CODE = re.compile(r"[!-~]{1,1024}")
_PASTE_MARKS = re.compile(r"\x1b\[20[01]~")
_BROKEN = 500
_REDIRECTS = range(300, 400)


class WrongCode(BotError):
    """A network does not take this code; it may take another, for the same page."""


@dataclass(frozen=True, slots=True)
class GrantedTokens:
    """What a network gave.

    `settings` are by role, as accounts of bot.toml call them (`access_token`); they hold secrets,
    and are not shown when this is printed. `who` is the account, for people, empty where that is
    not known. `remarks` are for people, too.
    """

    settings: Mapping[str, str] = field(repr=False)
    who: str
    remarks: tuple[str, ...] = ()


class OtherPage(BotError):
    """What was allowed is not enough for this network: `login` asks for more, on another page."""

    def __init__(self, message: str, fix: str, login: PendingLogin) -> None:
        super().__init__(message, fix)
        self.login = login


class PendingLogin(Protocol):
    """A login that waits for its code."""

    @property
    def page(self) -> str:
        """The address that the person opens, as the account that is to post."""
        ...

    def redeem(self, pasted: str) -> GrantedTokens:
        """Trade the code in what the person pasted for tokens.

        Raises WrongCode where another may be brought, OtherPage where one of another page is,
        Unreachable where the network does not answer now, BotError where this login is over.
        """
        ...


def code_in(pasted: str, name: str) -> str:
    """Return the code in what a person pasted: it alone, or an address with it under `name`.

    White space within it, quotes around it and a terminal's marks of a paste are dropped. Raises
    WrongCode where there is none, BotError where the address says that it was not allowed.
    """
    text = "".join(_PASTE_MARKS.sub("", pasted).split()).strip("\"'`<>")
    query = parse_qs(text.rpartition("?")[2].partition("#")[0])
    if "error" in query:
        raise BotError("the network says that it was not allowed", AGAIN)
    text = query.get(name, [text])[0]
    if not text:
        raise WrongCode("nothing was pasted")
    if "://" in text or not _CODE.fullmatch(text):
        raise WrongCode("this is no code", "The page shows it once you have allowed what it asks.")
    return text


def is_token(text: str) -> bool:
    """Tell whether this can travel in a header, as a token must: one word of printable ASCII."""
    return bool(_TOKEN.fullmatch(text))


def answered(exchange: Exchange, where: str, limits: Sequence[str], now: datetime) -> Reply:
    """Return the answer, a refusal too; `limits` begin the names of its rate-limit headers.

    Raises Unreachable where there is none, or one that may be another later, and SettingsError
    where it leads elsewhere: nothing is ever sent on.
    """
    reply = exchange.reply
    if reply is None:
        raise Unreachable(f"{where} does not answer: {exchange.problem}", AGAIN)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        until = wait(reply.headers, limits, now)
        when = f"after {until:%Y-%m-%d %H:%M:%S} UTC" if until else "in ten minutes"
        message = f"{where} was asked too often from here{quoted(reply)}"
        raise Unreachable(message, f"Run bot login again {when}.")
    if reply.status >= _BROKEN:
        message = f"{where} cannot do it now: it answers {reply.status}{quoted(reply)}"
        raise Unreachable(message, AGAIN)
    if reply.status in _REDIRECTS and reply.headers.get("location"):
        raise _elsewhere(reply, where)
    return reply


def _elsewhere(reply: Reply, where: str) -> SettingsError:
    there = origin(reply.headers["location"])
    return SettingsError(
        f"{where} sends us on to {there or 'another path of its own'}, which is not followed",
        f"If you trust it, give that address: {there}" if there else "Check the address.",
    )
