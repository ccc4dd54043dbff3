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

if TYPE_CHECKING:
    from requests import PreparedRequest

_SHORTEST = 8  # characters of a password; to blot less out would spoil what refusals say


class Wire:
    """One server. `timeout` is in seconds, for one answer; secrets are blotted out of refusals."""

    def __init__(self, base_url: str, timeout: float, password: str) -> None:
        from bot.posters.http import Line  # noqa: PLC0415 - loads at first use

        self._line = Line(base_url, timeout, [password])
        self.base = base_url
        self._base = f"{base_url}/xrpc/"
        self._secrets: set[str] = set()
        self.hide(password)

    def hide(self, *secrets: str) -> None:
        """Blot these out, too, wherever the server refuses something and repeats them.

        Only there: what it grants holds tokens, and may hold one that we have.
        """
        self._secrets.update(each for each in secrets if len(each) >= _SHORTEST)

    def get(self, method: str, token: str, params: Mapping[str, str | int]) -> Exchange:
        """Ask a query, with a token or none (empty)."""
        asked = {name: str(value) for name, value in params.items()}
        session = self._line.session
        return self._quiet(
            self._line.idempotent(
                lambda: session.get(
                    self._base + method, params=asked, headers=_headers(), auth=_bearing(token)
                )
            )
        )

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

        return self._quiet(self._line.idempotent(ask) if again else self._line.once(ask))

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _quiet(self, exchange: Exchange) -> Exchange:
        """Blot the secrets out of a refusal."""
        reply = exchange.reply
        if reply is None or reply.ok:
            return exchange
        body = reply.body
        for secret in sorted(self._secrets, key=len, reverse=True):
            body = body.replace(secret.encode("utf-8", "replace"), b"***")
        return replace(exchange, reply=replace(reply, body=body))


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
