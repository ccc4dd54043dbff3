"""Logging in to X: OAuth 1.0a with a PIN, for an application of the operator's own.

https://docs.x.com/fundamentals/authentication/oauth-1-0a. tweepy signs; its own dance opens a new
connection to a fixed address for each step, and tells of a refusal only that there was one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, urlencode

from bot import __version__
from bot.errors import BotError, SettingsError
from bot.posters.answers import Exchange, Reply, quoted
from bot.posters.json_values import clean
from bot.posters.login import (
    AGAIN,
    GrantedTokens,
    PendingLogin,
    WrongCode,
    answered,
    code_in,
    is_token,
)
from bot.posters.twitter import answers

if TYPE_CHECKING:
    from requests import PreparedRequest

BASE_URL = "https://api.twitter.com"
"""Where X logs people in: api.x.com serves these pages too, and broke them once (2024)."""

CONSOLE = "https://console.x.com"

_OWN_HOSTS = (BASE_URL, "https://api.x.com")
_OUT_OF_BAND = "oob"
_NOT_KNOWN = (400, 401)
_READ_ONLY = "read"
_SET_UP = (
    f"At {CONSOLE}, in the app's User authentication settings, choose Read and write; any https "
    "address will do as its callback."
)


def begin(
    consumer_key: str,
    consumer_secret: str,
    base_url: str,
    timeout: float,
    clock: Callable[[], datetime],
) -> PendingLogin:
    """Ask X for a page to open, and return the login that waits for its PIN.

    `base_url` has no slash at its end, and is `BASE_URL` but for tests and gateways. `timeout` is
    in seconds, for one answer. Raises SettingsError where X does not know the application or does
    not let it log people in, Unreachable where it does not answer now.
    """
    x = _X(base_url, timeout, clock, consumer_key, consumer_secret)
    reply = x.answer(x.ask("request_token", callback=_OUT_OF_BAND))
    given = _fields(reply)
    token, secret = given.get("oauth_token", ""), given.get("oauth_token_secret", "")
    if reply.status in _NOT_KNOWN:
        raise SettingsError(
            f"X does not accept TWITTER_CONSUMER_KEY and TWITTER_CONSUMER_SECRET{quoted(reply)}",
            f"Copy both anew from {CONSOLE}: the app's Keys and tokens. This machine's clock must "
            "be right, too.",
        )
    if not reply.ok:
        message = f"X lets this app log nobody in: it answers {reply.status}{quoted(reply)}"
        raise SettingsError(message, _SET_UP)
    if not (token and secret):
        message = f"{base_url} answers, and not as X does"
        raise SettingsError(message, "Check TWITTER_API_URL, or leave it empty.")
    page = f"{base_url}/oauth/authorize?{urlencode({'oauth_token': token})}"
    return _PendingX(page, x, token, secret)


class _OAuthClient(Protocol):
    """What signs a request (oauthlib's), as far as it is set here."""

    callback_uri: str | None
    verifier: str | None


class _Auth(Protocol):
    """What tweepy gives a request to be signed with; tweepy itself has no types."""

    client: _OAuthClient

    def __call__(self, request: PreparedRequest) -> PreparedRequest: ...


@dataclass(frozen=True, slots=True)
class _X:
    """X as it is asked by one application."""

    base: str
    timeout: float
    clock: Callable[[], datetime]
    _key: str = field(repr=False)
    _secret: str = field(repr=False)

    def ask(
        self,
        step: str,
        token: str = "",
        secret: str = "",
        callback: str | None = None,
        verifier: str | None = None,
    ) -> Exchange:
        """Make one request, on a connection of its own: a person may take minutes in between."""
        import tweepy  # type: ignore[import-untyped]

        from bot.posters.api_session import ApiSession, BaseUrlRewrite

        handler = tweepy.OAuth1UserHandler(self._key, self._secret, token or None, secret or None)
        auth: _Auth = handler.apply_auth()
        auth.client.callback_uri, auth.client.verifier = callback, verifier
        signed = self.base if self.base in _OWN_HOSTS else BASE_URL
        secrets = [each for each in (self._key, self._secret, token, secret) if each]
        with closing(
            ApiSession(self.base, self.timeout, secrets, BaseUrlRewrite(BASE_URL, signed))
        ) as line:
            return line.send_once(
                lambda: line.session.post(
                    f"{BASE_URL}/oauth/{step}",
                    headers={"User-Agent": f"bot/{__version__}"},
                    auth=auth,
                )
            )

    def answer(self, exchange: Exchange) -> Reply:
        """Return the answer. Raises Unreachable or SettingsError where there is none of use."""
        return answered(exchange, answers.NETWORK, answers.RULES.resets, self.clock())


@dataclass(frozen=True, slots=True)
class _PendingX:
    """See `PendingLogin`. `redeem` makes one request."""

    page: str
    _x: _X
    _token: str = field(repr=False)
    _secret: str = field(repr=False)

    def redeem(self, pasted: str) -> GrantedTokens:
        pin = code_in(pasted, "oauth_verifier")
        exchange = self._x.ask("access_token", self._token, self._secret, verifier=pin)
        reply = self._x.answer(exchange)
        if not reply.ok:
            raise WrongCode(
                f"X does not take this PIN: it answers {reply.status}{quoted(reply)}",
                "Type it again. If it is right, stop here and run bot login again for a new one.",
            )
        given = _fields(reply)
        settings = {
            "access_token": given.get("oauth_token", ""),
            "access_token_secret": given.get("oauth_token_secret", ""),
        }
        if not all(map(is_token, settings.values())):
            message = "X took the PIN, and gave no tokens that can be used"
            raise BotError(message, AGAIN)
        if reply.headers.get("x-access-level") == _READ_ONLY:
            message = "X gave tokens that may only read"
            raise BotError(
                message, f"{_SET_UP} Then run bot login again: old tokens stay as they are."
            )
        name = clean(given.get("screen_name", ""))
        return GrantedTokens(settings, f"@{name} on X" if name else "")


def _fields(reply: Reply) -> Mapping[str, str]:
    """Return what X says in a form, which is how it answers here."""
    return dict(parse_qsl(reply.body.decode("utf-8", "replace")))
