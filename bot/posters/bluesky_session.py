"""Being logged in to Bluesky: one session, kept over restarts and renewed in time.

Logins are scarce (30 in 5 minutes, 300 a day), so a session is kept. Follows
https://docs.bsky.app/docs/api/com-atproto-server-create-session and refresh-session. An access
token lives two hours, a refresh token 90 days; each refresh gives a new pair.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.posters.answers import Exchange, Reply
from bot.posters.bluesky_answers import is_expired
from bot.posters.keeper import Keeper
from bot.posters.values import at, text_at

_BEFORE = timedelta(minutes=2)  # renewed so long before it ends: no post is refused for its token

Call = Callable[[str, str, object], Exchange]
"""Asks a method of the server with a token (empty for none) and a body, in one request."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who we are logged in as, and by what."""

    did: str
    handle: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


@dataclass(slots=True)
class Login:
    """The session of one account. Not for two threads at once."""

    call: Call
    handle: str
    password: str = field(repr=False)
    keeper: Keeper
    clock: Callable[[], datetime]
    session: Session | None = field(default=None, init=False, repr=False)
    trouble: Exchange | None = field(default=None, init=False)
    """What came of the last try to log in, where there is no session."""

    def current(self) -> Session | None:
        """The session, renewed where it is about to end; None, and `trouble`, if there is none."""
        if self.session is None:
            self.session = self._kept()
        if self.session is None:
            return self._log_in()
        ends = _ends(self.session.access)
        if ends is not None and ends - self.clock() <= _BEFORE:
            return self.renewed()
        return self.session

    def renewed(self) -> Session | None:
        """A session with new tokens: refreshed, or where that is refused, by one login."""
        if self.session is None:
            return self._log_in()
        exchange = self.call("com.atproto.server.refreshSession", self.session.refresh, None)
        if _refuses(exchange.reply):
            return self._log_in()
        return self._taken(exchange)

    def _log_in(self) -> Session | None:
        self.session = None
        asked = {"identifier": self.handle, "password": self.password}
        return self._taken(self.call("com.atproto.server.createSession", "", asked))

    def _taken(self, exchange: Exchange) -> Session | None:
        """Keep the session that was answered, before it is used: its refresh token is the last."""
        self.trouble = exchange
        made = _session(exchange.reply.value()) if exchange.reply and exchange.reply.ok else None
        if made is None:
            return None
        self.session, self.trouble = made, None
        kept = {
            "owner": self.keeper.owner,
            "did": made.did,
            "handle": made.handle,
            "accessJwt": made.access,
            "refreshJwt": made.refresh,
        }
        self.keeper.keep(json.dumps(kept))
        return made

    def _kept(self) -> Session | None:
        try:
            kept: object = json.loads(self.keeper.read())
        except ValueError:
            return None
        return _session(kept) if text_at(kept, "owner") == self.keeper.owner else None


def _refuses(reply: Reply | None) -> bool:
    """Whether the server will have nothing of these tokens any more."""
    return is_expired(reply) or (reply is not None and reply.status in (401, 403))


def _session(value: object) -> Session | None:
    did, access, refresh = (text_at(value, name) for name in ("did", "accessJwt", "refreshJwt"))
    if not (did.startswith("did:") and access and refresh):
        return None
    return Session(did, text_at(value, "handle") or did, access, refresh)


def _ends(token: str) -> datetime | None:
    """When a token ends, as it says itself; None where it does not."""
    try:
        middle = token.split(".")[1]
        claims: object = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, IndexError):
        return None
    ends = at(claims, "exp")
    try:
        return datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) else None
    except (ValueError, OverflowError, OSError):
        return None
