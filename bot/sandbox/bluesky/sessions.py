"""Make and read the two tokens of a session, as JSON Web Tokens (RFC 7519) with HMAC-SHA256.

An access token is valid until it expires, even if the session is closed, since a server checks only
its signature. A refresh token is valid once. For a client that lost the answer it is valid a little
longer, and returns the same successor.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bot.sandbox.bluesky.answers import EXPIRED, NO_TOKEN, UNVERIFIED, bad_token
from bot.sandbox.bluesky.behaviour import BlueskyBehaviour
from bot.sandbox.wire import Json, RefusedRequest, Request

_SCOPE = "com.atproto"


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
    """The refresh tokens of one account, and the signing key. `audience` is the server's DID."""

    def __init__(self, account: str, audience: str) -> None:
        self._account = account
        self._audience = audience
        self._known: dict[str, IssuedSession] = {}
        self._made = 0
        self._keys = 0

    def known(self) -> tuple[IssuedSession, ...]:
        """Return the refresh tokens that are valid, or were lately."""
        return tuple(self._known.values())

    def open(self, now: datetime, behaviour: BlueskyBehaviour) -> Tokens:
        """Return the tokens of a new session."""
        return self._tokens(self._new_id(), now, behaviour)

    def rotate(self, session_id: str, now: datetime, behaviour: BlueskyBehaviour) -> Tokens | None:
        """Return new tokens for a refresh token, or None if it is revoked or no longer valid."""
        self._known = {name: each for name, each in self._known.items() if each.expires > now}
        session = self._known.get(session_id)
        if session is None:
            return None
        after = session.next or self._new_id()
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
        self._keys += 1

    def read(self, token: str, use: Use, now: datetime, *, late: bool) -> str:
        """Return the id in a token, empty for an access token. With `late` it may have expired.

        Raises RefusedRequest if this server did not sign it for this use, or if it has expired.
        """
        head, _, rest = token.partition(".")
        body, _, signature = rest.partition(".")
        signed = hmac.compare_digest(signature.encode(), self._signature(f"{head}.{body}"))
        if not signed or _decoded(head).get("typ") != use:
            raise RefusedRequest(UNVERIFIED)
        claims = _decoded(body)
        if not late and int(str(claims["exp"])) <= int(now.timestamp()):
            raise RefusedRequest(EXPIRED)
        return str(claims.get("jti", ""))

    def _tokens(self, session_id: str, now: datetime, behaviour: BlueskyBehaviour) -> Tokens:
        expires = now + behaviour.refresh_lasts
        # a successor that is requested again keeps its expiry
        self._known.setdefault(session_id, IssuedSession(session_id, expires))
        common: dict[str, Json] = {"aud": self._audience, "sub": self._account}
        times: dict[str, Json] = {"iat": _seconds(now), "exp": _seconds(now, behaviour)}
        access = {"scope": f"{_SCOPE}.appPass", **common, **times}
        refresh = {"scope": f"{_SCOPE}.refresh", **common, "jti": session_id, **times}
        refresh["exp"] = int(expires.timestamp())
        return Tokens(self._token(access, Use.ACCESS), self._token(refresh, Use.REFRESH))

    def _token(self, claims: Mapping[str, Json], use: Use) -> str:
        signed = f"{_encoded({'typ': use, 'alg': 'HS256'})}.{_encoded(claims)}"
        return f"{signed}.{self._signature(signed).decode()}"

    def _signature(self, signed: str) -> bytes:
        key = f"key {self._keys} of {self._account}".encode()
        digest = hmac.new(key, signed.encode("utf-8", "replace"), sha256).digest()
        return urlsafe_b64encode(digest).rstrip(b"=")

    def _new_id(self) -> str:
        self._made += 1
        return b64encode(sha256(f"session {self._made}".encode()).digest()).decode().rstrip("=")


def bearer(request: Request) -> str:
    """Return the request's bearer token. Raises RefusedRequest if there is none."""
    written = request.header("authorization")
    if not written:
        raise RefusedRequest(NO_TOKEN)
    kind, space, token = written.partition(" ")
    if not space or not token or " " in token:
        raise RefusedRequest(bad_token("Malformed authorization header"))
    if kind.lower() == "basic":
        raise RefusedRequest(bad_token("Unexpected authorization type"))
    if kind.lower() != "bearer":
        raise RefusedRequest(bad_token(f"Unsupported authorization type: {kind}"))
    return token


def _seconds(now: datetime, behaviour: BlueskyBehaviour | None = None) -> int:
    return int((now + behaviour.access_lasts if behaviour else now).timestamp())


def _encoded(value: Mapping[str, Json]) -> str:
    data = json.dumps(value, separators=(",", ":")).encode()
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> Mapping[str, object]:
    """Decode a part of a token that this server signed."""
    value: dict[str, object] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value
