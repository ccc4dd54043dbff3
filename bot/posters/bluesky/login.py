"""Logging in to Bluesky: an app password is made by hand, tried once here, and printed.

https://docs.bsky.app/docs/api/com-atproto-server-create-session. What it opens is closed again:
the bot itself logs in when it needs to.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from bot.errors import BotError, SettingsError
from bot.posters.answers import Reply, quoted
from bot.posters.bluesky.answers import OWN_PASSWORD, RULES
from bot.posters.bluesky.session import CREATE, DELETE, SavedSession, moved_to, session_in
from bot.posters.bluesky.xrpc import Wire
from bot.posters.json_values import text_at
from bot.posters.login import GrantedTokens, PendingLogin, WrongCode, answered

BASE_URL = "https://bsky.social"

_REFUSED = (400, 401, 403)
_HOW = "One is made in Bluesky's app: Settings, Privacy and security, App passwords."
_OWN = "this is the account's own password, which can do everything, and not an app password"


def begin(
    handle: str, base_url: str, timeout: float, clock: Callable[[], datetime]
) -> PendingLogin:
    """Return the login of an account that waits for its app password; nothing is sent yet.

    `handle` has no `@`; `base_url` no slash at its end. `timeout` is in seconds, for one answer.
    """
    return _PendingBluesky(handle, base_url, timeout, clock)


@dataclass(frozen=True, slots=True)
class _PendingBluesky:
    """See `PendingLogin`; it has no page. `redeem` logs in once, and closes what that opened."""

    handle: str
    base: str
    timeout: float
    clock: Callable[[], datetime]
    page: str = ""

    @property
    def where(self) -> str:
        """What people call the server."""
        return urlsplit(self.base).netloc

    def redeem(self, pasted: str) -> GrantedTokens:
        password = "".join(pasted.split()).strip("\"'`")
        if not password:
            raise WrongCode("nothing was pasted", _HOW)
        with closing(Wire(self.base, self.timeout, password)) as wire:
            asked = {"identifier": self.handle, "password": password}
            exchange = wire.post(CREATE, "", asked)
            reply = answered(exchange, self.where, RULES.resets, self.clock())
            session = self._session(reply)
            wire.hide(session.access, session.refresh)
            wire.post(DELETE, session.refresh, None)  # where that does not work it ends by itself
        if session.scope == OWN_PASSWORD:
            raise WrongCode(_OWN, _HOW)
        settings = {"handle": self.handle, "app_password": password}
        if self.base != BASE_URL:
            settings["service_url"] = self.base
        rest = f"the account is {session.rest}: it can log in, and not post"
        if there := moved_to(self.base, session.home):
            rest += f"; it is on another server: BLUESKY_SERVICE_URL={there}"
        remarks = (rest,) if session.rest else ()
        return GrantedTokens(settings, f"{session.handle} on Bluesky", remarks)

    def _session(self, reply: Reply) -> SavedSession:
        """Return what was opened. Raises BotError where nothing was."""
        if reply.status in _REFUSED:
            raise self._refusal(reply)
        session = session_in(reply.value(), None) if reply.ok else None
        if session is None:
            raise SettingsError(
                f"{self.where} answers, and not as a server of Bluesky's does",
                f"Set BLUESKY_SERVICE_URL to the account's server; most are at {BASE_URL}.",
            )
        return session

    def _refusal(self, reply: Reply) -> BotError:
        name = text_at(reply.value(), "error")
        if name == "AuthFactorTokenRequired":  # asked only of the account's own password
            return WrongCode(_OWN, _HOW)
        if name.startswith("Account"):
            return BotError(
                f"{self.where} does not let the account log in{quoted(reply)}",
                "Log in to it in Bluesky's app: it says there what became of it.",
            )
        message = f"{self.where} does not accept this app password for {self.handle}"
        return WrongCode(message + quoted(reply), f"{_HOW} Is the handle right?")
