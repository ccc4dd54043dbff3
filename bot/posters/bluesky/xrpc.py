"""Calls of XRPC, one request each, over the connection that all posters use. Nothing is decided.

https://atproto.com/specs/xrpc: a query is a GET with parameters, a procedure a POST with JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bot import __version__
from bot.posters.answers import Exchange
from bot.redact import Redact

if TYPE_CHECKING:
    from requests import PreparedRequest

_GRANTING = ("com.atproto.server.createSession", "com.atproto.server.refreshSession")


class Wire:
    """One server. `timeout` is in seconds, for one answer; its answers repeat no secrets."""

    def __init__(
        self, base_url: str, timeout: float, password: str, redact: Redact | None = None
    ) -> None:
        from bot.posters.api_session import ApiSession

        self._line = ApiSession(base_url, timeout, [password])
        self.base = base_url
        self._base = f"{base_url}/xrpc/"
        self._redact = redact or Redact()

    def hide(self, *secrets: str) -> None:
        """Take these tokens of a session, too, out of all answers.

        Only the answer that grants a session keeps them: it may hold tokens that we have.
        """
        self._redact.add_passing(*secrets)

    def get(self, method: str, token: str, params: Mapping[str, str | int]) -> Exchange:
        """Ask a query, with a token or none (empty)."""
        asked = {name: str(value) for name, value in params.items()}
        session = self._line.session
        exchange = self._line.send_repeatable(
            lambda: session.get(
                self._base + method, params=asked, headers=_headers(), auth=_bearing(token)
            )
        )
        return self._quiet(exchange, method)

    def post(self, method: str, token: str, body: object, *, again: bool = False) -> Exchange:
        """Call a procedure; without a body where that is None.

        `again` says that it may be called twice, where a connection breaks.
        """
        if body is None:
            return self.send(method, token, lambda: b"", "", again=again)
        written = partial(json.dumps, body, ensure_ascii=False)
        return self.send(method, token, lambda: written().encode(), "application/json", again=again)

    def send(
        self,
        method: str,
        token: str,
        data: Callable[[], bytes],
        media: str,
        *,
        again: bool = False,
    ) -> Exchange:
        """Call a procedure with a body of this media type; what has none has no type."""

        def ask() -> object:
            headers = _headers() | ({"Content-Type": media} if media else {})
            return self._line.session.post(
                self._base + method, data=data(), headers=headers, auth=_bearing(token)
            )

        exchange = self._line.send_repeatable(ask) if again else self._line.send_once(ask)
        return self._quiet(exchange, method)

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _quiet(self, exchange: Exchange, method: str) -> Exchange:
        from bot.posters.api_session import redacted

        reply = exchange.reply
        if reply is None or (reply.ok and method in _GRANTING):
            return exchange
        return replace(exchange, reply=redacted(reply, self._redact))


def _headers() -> dict[str, str]:
    return {"User-Agent": f"bot/{__version__}", "Accept": "application/json"}


def _bearing(token: str) -> Callable[[PreparedRequest], PreparedRequest]:
    """Put the token on a request.

    That there is such a function keeps the login of a .netrc out, token or no token.
    """

    def bearing(request: PreparedRequest) -> PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return bearing
