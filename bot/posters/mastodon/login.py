"""Logging in to Mastodon and other servers with its API, the code carried by hand.

https://docs.joinmastodon.org/methods/apps and https://docs.joinmastodon.org/methods/oauth. The
requests are our own: mastodon.py's `create_app` does not look at the answer's status, its `log_in`
hides why a code was refused, and neither knows PKCE.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from bot import __version__
from bot.errors import BotError, SettingsError
from bot.posters.answers import Exchange, Reply, quoted, said
from bot.posters.json_values import clean, count_at, id_at, items_at, origin, text_at
from bot.posters.login import (
    AGAIN,
    GrantedTokens,
    OtherPage,
    PendingLogin,
    WrongCode,
    answered,
    code_in,
    is_token,
)
from bot.posters.mastodon import answers

if TYPE_CHECKING:
    from requests import PreparedRequest

    from bot.posters.api_session import ApiSession

RIGHTS = ("write:statuses", "write:media", "read:statuses")
WHO = ("profile", "read:accounts")
"""Either tells who the account is; the first says no more, and came with Mastodon 4.3."""
ALL = ("read", "write")
"""What Takahe wants to tell who the account is, and to post."""

_METADATA = "/.well-known/oauth-authorization-server"
_APPS = "/api/v1/apps"
_OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_UNFIT = (400, 422)
_NOTHING_THERE = (404, 405, 410)
_BAD_TOKEN = (401, 403, 422)
_NOT_THE_CODE = ("invalid_client", "unauthorized_client", "unsupported_grant_type")
_LASTING = timedelta(days=366)
_BY_HAND = (
    "Make a token by hand: on the server, Preferences, Development, New application, with "
    "write:statuses, read:statuses and profile."
)
_MEANT = {
    "write:statuses": "write posts",
    "read:statuses": "read the account's posts",
    "write:media": "upload pictures",
}


def begin(
    base_url: str, timeout: float, clock: Callable[[], datetime], verifier: str
) -> PendingLogin:
    """Register an application with a server, and return the login that waits for its code.

    `base_url` has no slash at its end. `timeout` is in seconds, for one answer. `verifier` is
    PKCE's (RFC 7636): 43 to 128 random letters, digits, `-` and `_`. Raises SettingsError where
    there is no such server, Unreachable where it does not answer now, BotError where it refuses.
    """
    server = _Server(base_url, timeout, clock)
    with closing(server.line()) as line:
        known = server.known(line)
        reply, scopes = _registered(server, line, known)
    pkce = "S256" in items_at(known, "code_challenge_methods_supported")
    return _waiting(server, reply, scopes, verifier if pkce else "")


@dataclass(frozen=True, slots=True)
class _Server:
    """A server, and the requests that a login makes of it."""

    base: str
    timeout: float
    clock: Callable[[], datetime]

    @property
    def where(self) -> str:
        """What people call it."""
        return urlsplit(self.base).netloc

    def line(self, *secrets: str) -> ApiSession:
        """Open a connection. One for each half: a person may take minutes in between."""
        from bot.posters.api_session import ApiSession

        return ApiSession(self.base, self.timeout, secrets)

    def known(self, line: ApiSession) -> object:
        """Return what the server says of its logins (RFC 8414); None where it says nothing.

        Mastodon says it since 4.3, the version that also brought the scope `profile`.
        """
        exchange = self.ask(line, "GET", _METADATA)
        reply = exchange.reply or self.answer(exchange)
        return reply.value() if reply.ok else None

    def register(self, line: ApiSession, scopes: tuple[str, ...]) -> Reply:
        """Register our application, for these scopes at most."""
        form = {
            "client_name": "bot",
            "redirect_uris": _OUT_OF_BAND,
            "scopes": " ".join(scopes),
        }
        return self.answer(self.ask(line, "POST", _APPS, form))

    def ask(
        self,
        line: ApiSession,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        token: str = "",
    ) -> Exchange:
        """Make one request."""

        def bearing(request: PreparedRequest) -> PreparedRequest:
            # That there is such a function keeps the login of a .netrc out, token or no token.
            if token:
                request.headers["Authorization"] = f"Bearer {token}"
            return request

        headers = {"Accept": "application/json", "User-Agent": f"bot/{__version__}"}

        def request() -> object:
            url = self.base + path
            return line.session.request(method, url, data=form, headers=headers, auth=bearing)

        twice = method == "GET" or path == _APPS  # a second registration does no harm
        return line.send_repeatable(request) if twice else line.send_once(request)

    def answer(self, exchange: Exchange) -> Reply:
        """Return the answer. Raises Unreachable or SettingsError where there is none of use."""
        return answered(exchange, self.where, answers.RULES.resets, self.clock())


def _registered(server: _Server, line: ApiSession, known: object) -> tuple[Reply, tuple[str, ...]]:
    """Register our application, and say for which scopes: the narrower where they are known."""
    narrow, wide = ((who, *RIGHTS) for who in WHO)
    if WHO[0] in items_at(known, "scopes_supported"):
        reply = server.register(line, narrow)
        if reply.status not in _UNFIT:
            return reply, narrow
    return server.register(line, wide), wide


def _waiting(server: _Server, reply: Reply, scopes: tuple[str, ...], verifier: str) -> PendingLogin:
    """Return the login of the application that was registered. Raises BotError where none was."""
    value = reply.value()
    client, secret = text_at(value, "client_id"), text_at(value, "client_secret")
    if not reply.ok and reply.status not in _NOTHING_THERE:
        message = f"{server.where} registers no application: it answers {reply.status}"
        raise BotError(message + quoted(reply), _BY_HAND)
    if not (reply.ok and client and secret):
        beyond = urlsplit(server.base).path
        other = (
            f"; is it {origin(server.base)}?" if beyond else ", such as https://mastodon.social."
        )
        raise SettingsError(
            f"{server.where} answers, and not as a server with Mastodon's API does",
            f"Give the address of the account's own server{other}",
        )
    asked = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": _OUT_OF_BAND,
        "scope": " ".join(scopes),
    }
    if verifier:
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = urlsafe_b64encode(digest).decode().rstrip("=")
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    page = f"{server.base}/oauth/authorize?{urlencode(asked, quote_via=quote)}"
    return _PendingMastodon(page, server, scopes, client, secret, verifier)


@dataclass(frozen=True, slots=True)
class _PendingMastodon:
    """See `PendingLogin`. `redeem` makes two requests, four where the token is of no use."""

    page: str
    _server: _Server
    _scopes: tuple[str, ...]
    _client: str = field(repr=False)
    _secret: str = field(repr=False)
    _verifier: str = field(repr=False)

    def redeem(self, pasted: str) -> GrantedTokens:
        value = self._trade(code_in(pasted, "code"))
        token = text_at(value, "access_token")
        if not is_token(token):
            message = f"{self._server.where} took the code, and gave no token that can be used"
            raise BotError(message, _BY_HAND)
        with closing(self._server.line(token, self._secret)) as line:
            try:
                remarks = [*self._missing(value), *self._broad()]
                who = self._who(line, token)
            except BotError:
                self._revoke(line, token)
                raise
        if not who:
            remarks.append(f"{self._server.where} did not say now who the account is")
        settings = {"base_url": self._server.base, "access_token": token}
        return GrantedTokens(settings, who, (*remarks, *_ends(value)))

    def _app(self, **more: str) -> Mapping[str, str]:
        return {"client_id": self._client, "client_secret": self._secret, **more}

    def _trade(self, code: str) -> object:
        form = self._app(grant_type="authorization_code", code=code, redirect_uri=_OUT_OF_BAND)
        if self._verifier:
            form = {**form, "code_verifier": self._verifier}
        server = self._server
        with closing(server.line(self._secret, self._verifier, code)) as line:
            reply = server.answer(server.ask(line, "POST", "/oauth/token", form))
        if reply.ok:
            return reply.value()
        if text_at(reply.value(), "error") in _NOT_THE_CODE:
            message = f"{server.where} does not know the application any more{quoted(reply)}"
            raise BotError(message, AGAIN)
        raise WrongCode(
            f"{server.where} does not take this code{quoted(reply)}",
            "A code is good once, for ten minutes: open the address again for a new one.",
        )

    def _missing(self, value: object) -> tuple[str, ...]:
        """Name what the token may not do though it was asked for; no word of it: it may do it all.

        Raises BotError where that is something no thread goes without.
        """
        given = text_at(value, "scope").split()
        lacking = [each for each in RIGHTS if given and not _covered(each, given)]
        words = " or ".join(_MEANT[each] for each in lacking)
        message = f"{self._server.where} gave a token that may not {words}"
        if {*lacking} - {"write:media"}:
            raise BotError(message, f"Run bot login again, and allow all of it. Or: {_BY_HAND}")
        return (message,) if lacking else ()

    def _who(self, line: ApiSession, token: str) -> str:
        """Return the account's name; empty where the server cannot say it now."""
        path = "/api/v1/accounts/verify_credentials"
        reply = self._server.ask(line, "GET", path, token=token).reply
        if reply and _is_out_of_scope(reply) and self._scopes != ALL:
            raise self._more()
        if reply and reply.status in _BAD_TOKEN:
            message = f"{self._server.where} gave a token and does not accept it: it answers "
            raise BotError(f"{message}{reply.status}{quoted(reply)}", _BY_HAND)
        me = reply.value() if reply and reply.ok else None
        return clean(answers.profile(me, None, "").handle) if id_at(me, "id") else ""

    def _more(self) -> BotError:
        """Register again, for all there is, and return the error that leads to that login."""
        server = self._server
        with closing(server.line()) as line:
            waiting = _waiting(server, server.register(line, ALL), ALL, self._verifier)
        return OtherPage(
            f"{server.where} does not take the narrow scopes that are enough elsewhere",
            "The application was registered again, and asks for read and write.",
            waiting,
        )

    def _broad(self) -> tuple[str, ...]:
        if self._scopes != ALL:
            return ()
        return (f"the token may read and write all of the account: {self._server.where} needs it",)

    def _revoke(self, line: ApiSession, token: str) -> None:
        """Give a token back that nobody will use; where that does not work it does no harm."""
        self._server.ask(line, "POST", "/oauth/revoke", self._app(token=token))


def _is_out_of_scope(reply: Reply) -> bool:
    return reply.status == HTTPStatus.FORBIDDEN and "out_of_scope" in said(reply)


def _covered(scope: str, given: list[str]) -> bool:
    return scope in given or scope.partition(":")[0] in given


def _ends(value: object) -> tuple[str, ...]:
    """Say when the token ends, where it will before long; Mastodon's own do not end."""
    lasts = timedelta(seconds=min(count_at(value, "expires_in"), 10**9))
    if not lasts or lasts >= _LASTING:
        return ()
    return (f"the token ends after {lasts.days} days: then log in again",)
