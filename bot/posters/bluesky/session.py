"""Being logged in to Bluesky: one session, kept over restarts and renewed in time.

Logins are scarce (30 in 5 minutes, 300 a day), so a session is kept. Follows
https://docs.bsky.app/docs/api/com-atproto-server-create-session and refresh-session. An access
token lives two hours, a refresh token 90 days; each refresh gives a new pair, and for two hours
more the old refresh token gives that pair again, so that a lost answer loses nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.posters.answers import Exchange, is_page
from bot.posters.bluesky.records import DID
from bot.posters.bluesky.xrpc import Wire
from bot.posters.json_values import at, clean, created_at, items_at, origin, text_at
from bot.posters.login import is_token
from bot.posters.session_store import SessionStore
from bot.redact import Redact

CREATE = "com.atproto.server.createSession"
REFRESH = "com.atproto.server.refreshSession"
DELETE = "com.atproto.server.deleteSession"

_BEFORE = timedelta(minutes=2)  # renewed so long before it ends: no post is refused for its token
_REFUSED = (400, 401, 403)
_LONGEST_LIFE = 10**9
_DID = re.compile(DID)
_HANDLE = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}")
_NO_HANDLE = "handle.invalid"  # what servers say of a handle whose domain does not name it


@dataclass(frozen=True, slots=True)
class SavedSession:
    """Who we are logged in as, and by what, and when (by our clock; None where not known).

    `rest` says why the account can log in and do nothing else; empty for an active one. `home` is
    the server that the account's DID document names, empty where none does.
    """

    did: str
    handle: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    made: datetime | None = None
    rest: str = ""
    home: str = ""

    def lasts(self, now: datetime) -> timedelta | None:
        """How long the access token is still good, from its own times; None where not known.

        Its life is counted from when it came: the server's clock may be far from ours.
        """
        life = _life(self.access)
        return self.made + life - now if self.made and life else None

    def ends_soon(self, now: datetime) -> bool:
        """Tell whether it is time to renew it."""
        left, life = self.lasts(now), _life(self.access)
        return bool(left is not None and life and left <= min(_BEFORE, life / 10))

    @property
    def scope(self) -> str:
        """What the access token is good for, in the protocol's words; empty where it is silent."""
        return text_at(_claims(self.access), "scope")


@dataclass(slots=True)
class SessionManager:
    """The session of one account; `fresh` once it was made, not found. Not for two threads."""

    wire: Wire
    handle: str
    password: str = field(repr=False)
    keeper: SessionStore
    clock: Callable[[], datetime]
    session: SavedSession | None = field(default=None, init=False)
    fresh: bool = field(default=False, init=False)
    problem: Exchange | None = field(default=None, init=False)
    """What came of the last try to get one, where there is no session."""

    def current(self) -> SavedSession | None:
        """The session, renewed where it is about to end; None, and `problem`, if there is none."""
        self.session = self.session or self._kept()
        if self.session is None:
            return self._log_in()
        if self.session.ends_soon(self.clock()):
            return self.renewed(self.session) or self._still_good()
        return self.session

    def renewed(self, session: SavedSession) -> SavedSession | None:
        """One with new tokens in its place: refreshed, or where that is refused, by one login."""
        exchange = self.wire.post(REFRESH, session.refresh, None, again=True)
        reply = exchange.reply
        # a gateway's page is no reason to use up a login
        if reply and reply.status in _REFUSED and not is_page(reply):
            return self._log_in()
        return self._taken(exchange)

    def close(self) -> None:
        """End a session that nobody keeps: it would live for 90 days. If that fails, so it does."""
        if self.session and not self.keeper.owner:
            self.wire.post(DELETE, self.session.refresh, None)
            self.session = None

    def _still_good(self) -> SavedSession | None:
        """The session where its renewal failed, as long as it lasts."""
        left = self.session.lasts(self.clock()) if self.session else None
        return self.session if left is not None and left > timedelta(0) else None

    def _log_in(self) -> SavedSession | None:
        self.session = None
        asked = {"identifier": self.handle, "password": self.password}
        return self._taken(self.wire.post(CREATE, "", asked))

    def _taken(self, exchange: Exchange) -> SavedSession | None:
        """Keep the session that was answered before it is used: the old one ends with it."""
        self.problem = exchange
        now = self.clock()
        reply = exchange.reply
        made = session_in(reply.value(), now) if reply and reply.ok else None
        if made is None:
            return None
        self.session, self.problem, self.fresh = made, None, True
        self.wire.hide(made.access, made.refresh)
        kept = {
            "owner": self.keeper.owner,
            "did": made.did,
            "handle": made.handle,
            "accessJwt": made.access,
            "refreshJwt": made.refresh,
            "made": now.isoformat(),
        }
        self.keeper.keep(json.dumps(kept))
        return made

    def _kept(self) -> SavedSession | None:
        kept = _decoded(self.keeper.read())
        if text_at(kept, "owner") != self.keeper.owner:
            return None
        session = session_in(kept, created_at(kept, "made"))
        if session:
            self.wire.hide(session.access, session.refresh)
        return session


def session_in(value: object, made: datetime | None) -> SavedSession | None:
    """Return the session in decoded JSON, a server's or our own; None where none can be used."""
    did, access, refresh = (text_at(value, name) for name in ("did", "accessJwt", "refreshJwt"))
    if not (_DID.fullmatch(did) and is_token(access) and is_token(refresh)):
        return None
    redact = Redact(access, refresh)  # what grants them may repeat them as something else
    handle = redact(text_at(value, "handle"))
    named = _HANDLE.fullmatch(handle) and handle != _NO_HANDLE
    shown = handle if named else did
    rest, home = redact(rest_in(value)), redact(home_in(value))
    return SavedSession(did, shown, access, refresh, made, rest, home)


def home_in(value: object) -> str:
    """Return the server that holds the account, from the DID document in a session's JSON."""
    for service in items_at(value, "didDoc", "service"):
        if text_at(service, "id").endswith("#atproto_pds"):
            return origin(text_at(service, "serviceEndpoint"))
    return ""


def moved_to(base: str, home: str) -> str:
    """Return the server that an account has moved to from `base`; empty where it has not.

    Whoever logs in at bsky.social is told one of the servers behind it, which is no move.
    """
    behind = base == "https://bsky.social" and home.endswith(".bsky.network")
    return "" if behind or home == base else home


def rest_in(value: object) -> str:
    """Return why the account of a session is not active, from decoded JSON; empty where it is."""
    if at(value, "active") is not False:
        return ""
    return clean(text_at(value, "status")) or "not active"


def _life(token: str) -> timedelta | None:
    claims = _claims(token)
    begins, ends = at(claims, "iat"), at(claims, "exp")
    if not (isinstance(begins, int) and isinstance(ends, int)):
        return None
    return timedelta(seconds=ends - begins) if 0 < ends - begins <= _LONGEST_LIFE else None


def _claims(token: str) -> object:
    """Return what a token says of itself (RFC 7519), unverified; None where it says nothing."""
    middle = "".join(token.split(".")[1:2])
    try:
        return _decoded(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except ValueError:
        return None


def _decoded(text: str | bytes) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
