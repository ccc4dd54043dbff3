"""Log in to a server with Mastodon's API: applications, codes, tokens, and a token's scopes.

https://docs.joinmastodon.org/methods/apps and .../methods/oauth, where a person copies the code.
There is no page: `authorize` does what a person would do on it.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from urllib.parse import parse_qsl, urlsplit

from bot.sandbox.mastodon import answers
from bot.sandbox.mastodon.login_behaviours import LoginBehaviour
from bot.sandbox.mastodon.reading import HOME, LISTING, STATUS, STATUSES, path_of
from bot.sandbox.rate_limits import RateLimit
from bot.sandbox.wire import Json, RefusedRequest, Request, Response, reply

APPS = "/api/v1/apps"
AUTHORIZE = "/oauth/authorize"
TOKEN = "/oauth/token"  # noqa: S105 - a path
REVOKE = "/oauth/revoke"
METADATA = "/.well-known/oauth-authorization-server"
REGISTRATIONS = RateLimit("apps", 5, timedelta(minutes=10), aligned=True)

Handler = Callable[[Request, datetime], Response]

_CODE_LASTS = timedelta(minutes=10)
_USUAL = "read"
_ME = "/api/v1/accounts/verify_credentials"
_SCOPES = (
    *("read", "read:accounts", "read:notifications", "read:search", "read:statuses"),
    *("write", "write:accounts", "write:media", "write:statuses", "follow", "push"),
)


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
        self.mint = _minting()
        self._codes: dict[str, Code] = {}

    @property
    def routes(self) -> Mapping[tuple[str, str], Handler]:
        """The endpoints that need no token, by method and path."""
        described = {("GET", METADATA): self._describe} if self.behaviour.metadata else {}
        return {
            ("POST", APPS): self._register,
            ("POST", TOKEN): self._trade,
            ("POST", REVOKE): self._revoke,
            **described,
        }

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
        needed = self._needed(request)
        if self.behaviour.enforces and needed and not needed & {*known.scopes}:
            coarse = self.behaviour.whole_read
            raise RefusedRequest(answers.OUT_OF_SCOPE_IN_CODE if coarse else answers.OUT_OF_SCOPE)
        return True

    def _needed(self, request: Request) -> frozenset[str]:
        """Return the scopes that allow a request, or none if every token may make it."""
        path = path_of(request)
        if path == _ME and self.behaviour.whole_read:
            return frozenset({"read"})
        if path == _ME:
            profile = {"profile"} if self.behaviour.profile else ()
            return frozenset({"read", "read:accounts", *profile})
        if STATUS.fullmatch(path) or LISTING.fullmatch(path) or path in {HOME, STATUSES}:
            kind = "read" if request.method == "GET" else "write"
            return frozenset({kind, f"{kind}:statuses"})
        return frozenset()

    @property
    def _known(self) -> tuple[str, ...]:
        return (*_SCOPES, "profile") if self.behaviour.profile else _SCOPES

    def _describe(self, request: Request, _: datetime) -> Response:
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

    def _register(self, request: Request, _: datetime) -> Response:
        fields = _fields(request)
        redirects = tuple(fields.get("redirect_uris", "").split())
        scopes = tuple(fields.get("scopes", _USUAL).split())
        if not fields.get("client_name") or not redirects:
            return answers.invalid("Application name and redirect URI can't be blank")
        if self.behaviour.checks and not {*scopes} <= {*self._known}:
            return answers.invalid("Scopes doesn't match configured on the server.")
        app = App(self.mint("id"), self.mint("secret"), fields["client_name"], redirects, scopes)
        self.apps[app.id] = app
        return reply(200, self._application(app))

    def _application(self, app: App) -> dict[str, Json]:
        newer: dict[str, Json] = {
            "scopes": app.scopes,
            "redirect_uris": app.redirects,
            "client_secret_expires_at": 0,
        }
        return {
            "id": str(list(self.apps).index(app.id) + 1),
            "name": app.name,
            "website": None,
            "redirect_uri": "\n".join(app.redirects),
            "client_id": app.id,
            "client_secret": app.secret,
            "vapid_key": "none",
            **(newer if self.behaviour.metadata else {}),
        }

    def _client(self, fields: Mapping[str, str]) -> App | None:
        app = self.apps.get(fields.get("client_id", ""))
        return app if app and app.secret == fields.get("client_secret") else None

    def _trade(self, request: Request, now: datetime) -> Response:
        fields = _fields(request)
        app, code = self._client(fields), self._codes.get(fields.get("code", ""))
        if app is None:
            return _oauth_error(401, "invalid_client", "Client authentication failed.")
        if fields.get("grant_type") != "authorization_code":
            return _oauth_error(400, "unsupported_grant_type", "Not supported by this server.")
        if code is None or not _fits(code, app, fields, now):
            return _oauth_error(400, "invalid_grant", "The grant is invalid, expired or revoked.")
        del self._codes[fields["code"]]  # a code is valid for one token
        token = self.mint("token")
        self.tokens[token] = Token(app, code.scopes)
        return reply(200, self._token(token, code.scopes, now))

    def _token(self, token: str, scopes: tuple[str, ...], now: datetime) -> dict[str, Json]:
        answer: dict[str, Json] = {
            "access_token": token,
            "token_type": "Bearer",
            "created_at": int(now.timestamp()),
        }
        if self.behaviour.granted is not None:
            answer["scope"] = self.behaviour.granted or " ".join(scopes)
        if self.behaviour.expires_in is not None:
            answer["expires_in"] = self.behaviour.expires_in
        return answer

    def _revoke(self, request: Request, _: datetime) -> Response:
        fields = _fields(request)
        app, token = self._client(fields), fields.get("token", "")
        known = self.tokens.get(token)
        if app is None or (known and known.app != app):
            return _oauth_error(403, "unauthorized_client", "You may not revoke this token.")
        self.tokens.pop(token, None)
        return reply(200, {})


def _fits(code: Code, app: App, fields: Mapping[str, str], now: datetime) -> bool:
    verifier = fields.get("code_verifier", "").encode()
    challenge = urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
    return (
        code.app == app
        and code.redirect == fields.get("redirect_uri")
        and now - code.made < _CODE_LASTS
        and code.challenge in ("", challenge)
    )


def _fields(request: Request) -> Mapping[str, str]:
    """Return the fields of a form or of a JSON object. The items of a list become lines."""
    value = request.fields() or {}
    listed = {name: item if isinstance(item, list) else [item] for name, item in value.items()}
    named = {name: "\n".join(map(str, items)) for name, items in listed.items()}
    return named | dict(request.form())


def _oauth_error(status: int, name: str, words: str) -> Response:
    return reply(status, {"error": name, "error_description": words})


def _minting() -> Callable[[str], str]:
    numbers = count(1)
    return lambda kind: f"sandbox-mastodon-{kind}-{next(numbers)}"
