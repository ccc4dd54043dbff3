"""Logs in to Mastodon's stand-in: applications, codes, tokens, and a token's scopes.

https://docs.joinmastodon.org/methods/apps and .../methods/oauth, where a person copies the code.
There is no page: `authorize` does what a person would do on it.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from urllib.parse import parse_qsl, urlsplit

from bot.sandbox.mastodon import answers
from bot.sandbox.mastodon.behaviour import MASTODON, MastodonBehaviour, Software
from bot.sandbox.mastodon.rules import MastodonRules, path_of
from bot.sandbox.rate_limits import RateLimit
from bot.sandbox.wire import Json, RefusedRequest, Request, Response, reply

APPS = "/api/v1/apps"
AUTHORIZE = "/oauth/authorize"
TOKEN = "/oauth/token"
REVOKE = "/oauth/revoke"
METADATA = "/.well-known/oauth-authorization-server"
REGISTRATIONS = RateLimit("apps", 5, timedelta(minutes=10), aligned=True)
_CODE_LASTS = timedelta(minutes=10)
_USUAL = "read"
_ME = "/api/v1/accounts/verify_credentials"
_POSTS = re.compile(
    "/api/v1/(?:statuses(?:/[^/]+)?|accounts/[^/]+/statuses|timelines/home)/?", re.ASCII
)
_SCOPES = (
    *("read", "read:accounts", "read:notifications", "read:search", "read:statuses"),
    *("write", "write:accounts", "write:media", "write:statuses", "follow", "push"),
)
_FIRST_WITH_PROFILE = (4, 3)


@dataclass(frozen=True, slots=True)
class LoginBehaviour:
    """How a server's logins work.

    `metadata`: the server describes its endpoints (RFC 8414). `profile`: it knows that scope, as
    Mastodon does since 4.3. `checks`: it refuses to register an unknown scope. Others register it
    without effect. `whole_read`: only a token with the complete scope `read` may ask for the
    account. `enforces`: a token may do only what its scopes allow. `granted` is the scope that the
    answer names, empty for the requested scope, None for none. `expires_in` is in seconds, None for
    a token that does not expire.
    """

    metadata: bool = True
    profile: bool = True
    checks: bool = True
    whole_read: bool = False
    enforces: bool = True
    granted: str | None = ""
    expires_in: int | None = None


MAINLINE = LoginBehaviour()
BEFORE_4_3 = LoginBehaviour(metadata=False, profile=False)
GOTOSOCIAL = LoginBehaviour(metadata=False)
PLEROMA = LoginBehaviour(metadata=False, profile=False, checks=False, expires_in=3_153_600_000)
SNAC2 = LoginBehaviour(metadata=False, profile=False, checks=False, enforces=False, granted=None)
TAKAHE = LoginBehaviour(metadata=False, profile=False, checks=False, whole_read=True)
BEHAVIOURS = (MAINLINE, BEFORE_4_3, GOTOSOCIAL, PLEROMA, SNAC2, TAKAHE)
"""The known behaviours, for tests that run with each of them."""


def login_behaviour(behaviour: MastodonBehaviour) -> LoginBehaviour:
    """Return how the logins of a server work."""
    own = {Software.GOTOSOCIAL: GOTOSOCIAL, Software.SNAC: SNAC2, Software.TAKAHE: TAKAHE}
    if behaviour.software is not Software.MASTODON:
        return own.get(behaviour.software, MAINLINE)
    major, minor = (int(part) for part in behaviour.version.split(".")[:2])
    return MAINLINE if (major, minor) >= _FIRST_WITH_PROFILE else BEFORE_4_3


@dataclass(frozen=True, slots=True)
class App:
    """A registered application. Its codes may go to `redirects`."""

    id: str
    secret: str = field(repr=False)
    name: str
    redirects: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was shown to a person. `challenge` is that of PKCE, empty without PKCE."""

    app: App
    redirect: str
    scopes: tuple[str, ...]
    challenge: str
    made: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was given for a code: its application, and its scopes."""

    app: App
    scopes: tuple[str, ...]


class MastodonLogins:
    """The applications, codes and tokens of one account. `mint` makes a new key of a kind.

    `apps` and `tokens` hold the valid ones by their keys.
    """

    def __init__(self, behaviour: LoginBehaviour) -> None:
        self.behaviour = behaviour
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self._codes: dict[str, Code] = {}
        numbers = count(1)
        self.mint: Callable[[str], str] = lambda kind: f"sandbox-mastodon-{kind}-{next(numbers)}"

    def answer(self, request: Request, now: datetime) -> Response | None:
        """Return the answer to a login's request, which needs no token, or None for another."""
        match request.method, request.path.rstrip("/"):
            case "POST", "/api/v1/apps":
                return self.register(request)
            case "POST", "/oauth/token":
                return self.trade(request, now)
            case "POST", "/oauth/revoke":
                return self.revoke(request)
            case "GET", "/.well-known/oauth-authorization-server" if self.behaviour.metadata:
                return self.describe(request)
        return None

    def authorize(self, url: str, now: datetime) -> str:
        """Authorize the app as a person would on the page at `url`, and return the code.

        Raises ValueError if the page would say that the address is wrong.
        """
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query))
        app = self.apps.get(asked.get("client_id", ""))
        if parts.path != AUTHORIZE or asked.get("response_type") != "code" or app is None:
            raise ValueError("The request is missing a required parameter.")
        redirect, scopes = asked.get("redirect_uri", ""), asked.get("scope", _USUAL).split()
        if redirect not in app.redirects:
            raise ValueError("The redirect URI included is not valid.")
        if not {*scopes} <= {*app.scopes}:
            raise ValueError("The requested scope is invalid, unknown, or malformed.")
        code = self.mint("code")
        self._codes[code] = Code(app, redirect, tuple(scopes), asked.get("code_challenge", ""), now)
        return code

    def allows(self, token: str, request: Request) -> bool:
        """Tell whether a token may make a request. An unknown token may not.

        Raises RefusedRequest if the token's scopes do not allow the request.
        """
        known = self.tokens.get(token)
        if known is None:
            return False
        path, needed = request.path.rstrip("/"), set[str]()
        if path == _ME:
            needed = {"read"} if self.behaviour.whole_read else {"read", "read:accounts"}
            needed |= {"profile"} if self.behaviour.profile else set()
        elif _POSTS.fullmatch(path):
            kind = "read" if request.method == "GET" else "write"
            needed = {kind, f"{kind}:statuses"}
        if self.behaviour.enforces and needed and not needed & {*known.scopes}:
            coarse = self.behaviour.whole_read
            raise RefusedRequest(answers.OUT_OF_SCOPE_IN_CODE if coarse else answers.OUT_OF_SCOPE)
        return True

    @property
    def _known(self) -> tuple[str, ...]:
        return (*_SCOPES, "profile") if self.behaviour.profile else _SCOPES

    def describe(self, request: Request) -> Response:
        """Return the server's endpoints and what it supports (RFC 8414)."""
        base = f"http://{request.header('host')}"
        return reply(
            200,
            {
                "issuer": f"{base}/",
                "authorization_endpoint": base + AUTHORIZE,
                "token_endpoint": base + TOKEN,
                "revocation_endpoint": base + REVOKE,
                "userinfo_endpoint": f"{base}/oauth/userinfo",
                "scopes_supported": self._known,
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "grant_types_supported": ["authorization_code", "client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "service_documentation": "https://docs.joinmastodon.org/",
                "app_registration_endpoint": base + APPS,
            },
        )

    def register(self, request: Request) -> Response:
        """Register an application."""
        fields = _fields(request)
        redirects = tuple(fields.get("redirect_uris", "").split())
        scopes = tuple(fields.get("scopes", _USUAL).split())
        if not fields.get("client_name") or not redirects:
            return answers.invalid("Application name and redirect URI can't be blank")
        if self.behaviour.checks and not {*scopes} <= {*self._known}:
            return answers.invalid("Scopes doesn't match configured on the server.")
        app = App(self.mint("id"), self.mint("secret"), fields["client_name"], redirects, scopes)
        self.apps[app.id] = app
        answer: dict[str, Json] = {
            "id": str(len(self.apps)),
            "name": app.name,
            "website": None,
            "redirect_uri": "\n".join(app.redirects),
            "client_id": app.id,
            "client_secret": app.secret,
            "vapid_key": "none",
        }
        if self.behaviour.metadata:
            answer |= {"scopes": app.scopes, "redirect_uris": app.redirects}
            answer |= {"client_secret_expires_at": 0}
        return reply(200, answer)

    def trade(self, request: Request, now: datetime) -> Response:
        """Give a token for a code. A code is valid for one token."""
        fields = _fields(request)
        app, code = self._client(fields), self._codes.get(fields.get("code", ""))
        if app is None:
            return _oauth_error(401, "invalid_client", "Client authentication failed.")
        if fields.get("grant_type") != "authorization_code":
            return _oauth_error(400, "unsupported_grant_type", "Not supported by this server.")
        verifier = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(verifier).decode().rstrip("=")
        if code is None or not (
            code.app == app
            and code.redirect == fields.get("redirect_uri")
            and now - code.made < _CODE_LASTS
            and code.challenge in ("", challenge)
        ):
            return _oauth_error(400, "invalid_grant", "The grant is invalid, expired or revoked.")
        del self._codes[fields["code"]]
        token = self.mint("token")
        self.tokens[token] = Token(app, code.scopes)
        answer: dict[str, Json] = {"access_token": token, "token_type": "Bearer"}
        if self.behaviour.granted is not None:
            answer["scope"] = self.behaviour.granted or " ".join(code.scopes)
        answer["created_at"] = int(now.timestamp())
        if self.behaviour.expires_in is not None:
            answer["expires_in"] = self.behaviour.expires_in
        return reply(200, answer)

    def revoke(self, request: Request) -> Response:
        """Revoke a token."""
        fields = _fields(request)
        app, token = self._client(fields), fields.get("token", "")
        known = self.tokens.get(token)
        if app is None or (known and known.app != app):
            return _oauth_error(403, "unauthorized_client", "You may not revoke this token.")
        self.tokens.pop(token, None)
        return reply(200, {})

    def _client(self, fields: Mapping[str, str]) -> App | None:
        app = self.apps.get(fields.get("client_id", ""))
        return app if app and app.secret == fields.get("client_secret") else None


def _fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a form or of a JSON object. The items of a list become lines."""
    value = request.fields() or {}
    listed = {name: item if isinstance(item, list) else [item] for name, item in value.items()}
    named = {name: "\n".join(map(str, items)) for name, items in listed.items()}
    return named | dict(request.form())


def _oauth_error(status: int, name: str, words: str) -> Response:
    return reply(status, {"error": name, "error_description": words})


class MastodonWithLogins(MastodonRules):
    """A server that logs people in. `logins` makes tokens, each with the requested scopes."""

    def __init__(
        self, clock: Callable[[], datetime], behaviour: MastodonBehaviour = MASTODON
    ) -> None:
        super().__init__(clock, behaviour)
        self.logins = MastodonLogins(login_behaviour(behaviour))

    def authorize(self, url: str) -> str:
        """Authorize the app as a person would on the page at `url`, and return the code.

        Raises ValueError if the page would say that the address is wrong.
        """
        return self.logins.authorize(url, self.now())

    def _limit(self, request: Request) -> RateLimit:
        registers = (request.method, path_of(request)) == ("POST", APPS)
        return REGISTRATIONS if registers else super()._limit(request)

    def _carry_out(self, request: Request, now: datetime) -> Response:
        return self.logins.answer(request, now) or super()._carry_out(request, now)

    def _allows(self, token: str, request: Request) -> bool:
        return super()._allows(token, request) or self.logins.allows(token, request)
