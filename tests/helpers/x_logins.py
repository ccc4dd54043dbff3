"""Logs in to X's stand-in with a PIN: request tokens, and access tokens that are given for them.

https://docs.x.com/fundamentals/authentication/oauth-1-0a, the PIN-based flow. There is no page:
`authorize` does what a person would do on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from urllib.parse import parse_qsl, urlencode, urlsplit

from bot.sandbox.wire import Json, Request, Response, reply, usual_headers
from bot.sandbox.x.answers import USUAL
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.oauth1 import OAuthKeys, signed
from bot.sandbox.x.rules import XRules, bases_of

REQUEST_TOKEN = "/oauth/request_token"
AUTHORIZE = "/oauth/authorize"
ACCESS_TOKEN = "/oauth/access_token"

_HTML = (("content-type", "text/html; charset=utf-8"),)
_FIRST_PIN = 1_234_567


def _error(status: int, code: int, message: str) -> Response:
    value: Json = {"errors": [{"code": code, "message": message}]}
    return reply(status, value)


NOT_SIGNED = _error(401, 32, "Could not authenticate you.")
NO_CALLBACK = _error(
    403,
    415,
    "Callback URL not approved for this client application. Approved callback URLs can be adjusted "
    "in your application settings",
)
BAD_PIN = Response(
    401, b"Error processing your OAuth request: Invalid oauth_verifier parameter", _HTML
)


class XLogins:
    """The logins of one application (`keys`) and one user.

    `granted` are the keys of completed logins. `mint` makes a new token or secret. `callbacks` are
    the allowed callback addresses of the application. `oob` shows a PIN.
    """

    def __init__(self, keys: OAuthKeys, username: str) -> None:
        self.granted: list[OAuthKeys] = []
        self.callbacks = frozenset({"oob"})
        tokens = count(1)
        self.mint: Callable[[str], str] = lambda kind: f"sandbox-x-{kind}-{next(tokens)}"
        self._keys = keys
        self._username = username
        self._pending: dict[str, OAuthKeys] = {}
        self._pins: dict[str, str] = {}
        self._numbers = count(_FIRST_PIN, 1_111)

    def answer(self, request: Request, bases: tuple[str, ...]) -> Response | None:
        """Return the answer to a login's request, or None for any other request.

        `bases` are the base URLs that a signature may be made for.
        """
        if (request.method, request.path) == ("POST", REQUEST_TOKEN):
            return self.request_token(request, bases)
        if (request.method, request.path) == ("POST", ACCESS_TOKEN):
            return self.access_token(request, bases)
        return None

    def authorize(self, url: str) -> str:
        """Authorize the app as a person would on the page at `url`, and return the PIN.

        Raises ValueError if the page would say that the address is wrong.
        """
        parts = urlsplit(url)
        token = dict(parse_qsl(parts.query)).get("oauth_token", "")
        if parts.path != AUTHORIZE or token not in self._pending:
            raise ValueError("The request token for this page is invalid.")
        self._pins[token] = str(next(self._numbers))
        return self._pins[token]

    def request_token(self, request: Request, bases: tuple[str, ...]) -> Response:
        """Give a request token. Only the application signs this request, without a user's token."""
        app_keys = replace(self._keys, access_token="", access_token_secret="")
        if not signed(request, app_keys, bases):
            return NOT_SIGNED
        if _parameters(request).get("oauth_callback") not in self.callbacks:
            return NO_CALLBACK
        token, secret = self.mint("request"), self.mint("secret")
        self._pending[token] = replace(self._keys, access_token=token, access_token_secret=secret)
        confirmed = {"oauth_callback_confirmed": "true"}
        return _form({"oauth_token": token, "oauth_token_secret": secret} | confirmed)

    def access_token(self, request: Request, bases: tuple[str, ...]) -> Response:
        """Give an access token for a request token and its PIN, once."""
        parameters = _parameters(request)
        token = parameters.get("oauth_token", "")
        pending = self._pending.get(token)
        if pending is None or not signed(request, pending, bases):
            return NOT_SIGNED
        if token not in self._pins or self._pins[token] != parameters.get("oauth_verifier"):
            return BAD_PIN
        del self._pending[token]
        user = self._keys.access_token.partition("-")[0]
        keys = replace(
            self._keys,
            access_token=f"{user}-{self.mint('access')}",
            access_token_secret=self.mint("secret"),
        )
        self.granted.append(keys)
        tokens = {"oauth_token": keys.access_token, "oauth_token_secret": keys.access_token_secret}
        return _form(tokens | {"user_id": user, "screen_name": self._username})


def _parameters(request: Request) -> dict[str, str]:
    """Return the parameters of a request from its query, its form and its header."""
    header = request.header("authorization").partition(" ")[2].replace('"', "")
    pairs = parse_qsl(header.replace(", ", "&").replace(",", "&"))
    return dict((*request.params(), *request.form(), *pairs))


def _form(fields: dict[str, str]) -> Response:
    return Response(200, urlencode(fields).encode(), _HTML)


class XWithLogins(XRules):
    """X that gives tokens for PINs. `logins` makes them."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        behaviour: XBehaviour | None = None,
        keys: OAuthKeys | None = None,
    ) -> None:
        super().__init__(clock, behaviour, keys)
        self.logins = XLogins(self.keys, self.username)

    def authorize(self, url: str) -> str:
        """Authorize the app as a person would on the page at `url`, and return the PIN.

        Raises ValueError if the page would say that the address is wrong.
        """
        return self.logins.authorize(url)

    def _serve(self, request: Request, now: datetime) -> Response:
        answer = self.logins.answer(request, bases_of(request))
        if answer:
            return answer.having(*usual_headers(now, *USUAL))
        return super()._serve(request, now)

    def _known_keys(self) -> Sequence[OAuthKeys]:
        return [self.keys, *self.logins.granted]
