"""Make and read the two tokens of a session, in the form of JSON Web Tokens (RFC 7519).

An access token is valid until it expires, even if the session is closed. A refresh token is valid
once. For a client that lost the answer it is valid a little longer, and returns the same successor.
The tokens are not signed: the server knows those that it made.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.sandbox.bluesky.answers import EXPIRED, NO_TOKEN, UNVERIFIED, bad_token
from bot.sandbox.bluesky.behaviour import BlueskyBehaviour
from bot.sandbox.wire import Json, RefusedRequest, Request

_SERVICE = "did:web:pds.example.org"


class Use(StrEnum):
    """The use of a token. Its header holds the value."""

    ACCESS = "at+jwt"
    REFRESH = "refresh+jwt"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The two tokens of a session."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A known refresh token: its id, when it expires, and the id of its successor."""

    id: str
    expires: datetime
    next: str | None = None


class Sessions:
    """The tokens of one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._known: dict[str, IssuedSession] = {}
        self._claims: dict[str, tuple[Use, Mapping[str, Json]]] = {}
        self._made = 0

    def known(self) -> tuple[IssuedSession, ...]:
        """Return the refresh tokens that are valid, or were lately."""
        return tuple(self._known.values())

    def open(self, now: datetime, behaviour: BlueskyBehaviour) -> Tokens:
        """Open a session."""
        self._made += 1
        return self._tokens(f"session-{self._made}", now, behaviour)

    def rotate(self, session_id: str, now: datetime, behaviour: BlueskyBehaviour) -> Tokens | None:
        """Return new tokens for a refresh token, or None if it is revoked or no longer valid."""
        self._known = {name: each for name, each in self._known.items() if each.expires > now}
        session = self._known.get(session_id)
        if session is None:
            return None
        after = session.next or f"after-{session_id}"
        expires = min(session.expires, now + behaviour.grace)
        self._known[session_id] = replace(session, expires=expires, next=after)
        return self._tokens(after, now, behaviour)

    def close(self, session_id: str) -> None:
        """Forget a refresh token, if it is known."""
        self._known.pop(session_id, None)

    def close_all(self) -> None:
        """Forget every refresh token. Access tokens stay valid, as at a real server."""
        self._known.clear()

    def change_key(self) -> None:
        """Sign with another key from now on. Earlier tokens cannot be verified any more."""
        self._claims.clear()

    def read(self, request: Request, use: Use, now: datetime, *, late: bool) -> str:
        """Return the id in a request's token, empty for an access token.

        With `late` it may have expired. Raises RefusedRequest if there is no token, or if this
        server did not make it for this use, or if it has expired.
        """
        written = request.header("authorization")
        if not written:
            raise RefusedRequest(NO_TOKEN)
        kind, _, token = written.partition(" ")
        if kind.lower() != "bearer":
            raise RefusedRequest(bad_token(f"Unsupported authorization type: {kind}"))
        made_for, claims = self._claims.get(token, (None, {}))
        if made_for is not use:
            raise RefusedRequest(UNVERIFIED)
        if not late and int(str(claims["exp"])) <= int(now.timestamp()):
            raise RefusedRequest(EXPIRED)
        return str(claims.get("jti", ""))

    def _tokens(self, session_id: str, now: datetime, behaviour: BlueskyBehaviour) -> Tokens:
        # a successor that is requested again keeps its expiry
        session = self._known.setdefault(
            session_id, IssuedSession(session_id, now + behaviour.refresh_lasts)
        )
        written = []
        for use, scope, expires in (
            (Use.ACCESS, "com.atproto.appPass", now + behaviour.access_lasts),
            (Use.REFRESH, "com.atproto.refresh", session.expires),
        ):
            claims: dict[str, Json] = {"scope": scope, "aud": _SERVICE, "sub": self._account}
            claims |= {"iat": int(now.timestamp()), "exp": int(expires.timestamp())}
            claims |= {"jti": session_id} if use is Use.REFRESH else {}
            parts = [{"typ": use, "alg": "HS256"}, claims, {"number": len(self._claims)}]
            token = ".".join(
                urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts
            )
            self._claims[token] = use, claims
            written.append(token)
        return Tokens(*written)
