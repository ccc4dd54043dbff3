"""Serve the page over HTTP, as an ASGI application for one person on this machine.

Another web site must not be able to use the page. So the Host header must name this machine, which
stops DNS rebinding, and every change needs the page's token. The Content-Security-Policy lets the
page load nothing from elsewhere and send nothing elsewhere.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from bot.demo.board import Board
from bot.output.page import render

EVENTS = "/events"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")
_LARGEST_FORM = 10_000
_LOOK = 0.1
_HEARTBEAT = 10.0
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><circle cx="10" cy="10" r="7" '
    'fill="none" stroke="#2b5a4b" stroke-width="5" stroke-dasharray="34 10"/></svg>'
)
_FOREIGN_FORM = PlainTextResponse("This form is not from this page. Reload the page.", 403)


def application(board: Board, ending: Callable[[], bool]) -> Starlette:
    """Make the application. Event streams end once `ending` returns True."""
    pages = Pages(board, ending)
    routes = [
        Route("/", pages.page),
        Route(EVENTS, pages.events),
        Route("/live.js", pages.script),
        Route("/favicon.ico", pages.icon),
        Route("/media/{network}/{media_id}", pages.medium),
        Route("/fault", pages.fault, methods=["POST"]),
        Route("/next", pages.next, methods=["POST"]),
    ]
    hosts = Middleware(
        TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False
    )
    return Starlette(routes=routes, middleware=[hosts])


def headers() -> list[tuple[str, str]]:
    """Return the headers of every answer."""
    policy = render.policy(
        "'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
    return [
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("connection", "close"),  # see bot/demo/serve.py
    ]


class Pages:
    """What the page's addresses answer. `board` is what the page shows."""

    def __init__(self, board: Board, ending: Callable[[], bool]) -> None:
        self._board = board
        self._ending = ending

    async def page(self, _: Request) -> Response:
        """Return the page as it is now."""
        return HTMLResponse(render.html(self._board.page()))

    async def script(self, _: Request) -> Response:
        """Return the script that keeps the page up to date."""
        return Response(render.script(), media_type="text/javascript")

    async def icon(self, _: Request) -> Response:
        """Return the icon of the browser's tab."""
        return Response(_ICON, media_type="image/svg+xml")

    async def events(self, _: Request) -> Response:
        """Return the stream of events."""
        return StreamingResponse(self.changes(), media_type="text/event-stream")

    async def changes(self) -> AsyncIterator[str]:
        """Yield an event at every change of the page, and comments that keep the stream open."""
        # The version is read before the first line, since a browser fetches the page when it has
        # that line, and must hear of every change after that.
        shown, quiet = self._board.version(), 0.0
        yield "retry: 1000\n\n"
        while not self._ending():
            await asyncio.sleep(_LOOK)
            found, quiet = self._board.version(), quiet + _LOOK
            if found != shown:
                yield "event: change\ndata: \n\n"
                shown, quiet = found, 0.0
            elif quiet > _HEARTBEAT:
                yield ": still here\n\n"
                quiet = 0.0

    async def medium(self, request: Request) -> Response:
        """Return a picture that was uploaded to a network."""
        names = request.path_params
        found = self._board.medium(names["network"], names["media_id"])
        if found is None or found.type not in PICTURES:
            return PlainTextResponse("This picture does not exist.", 404)
        return Response(found.data, media_type=found.type)

    async def fault(self, request: Request) -> Response:
        """Switch a fault on or off."""
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        on = form.get("on") == "yes"
        if not self._board.flip(form.get("network", ""), form.get("fault", ""), on=on):
            return PlainTextResponse("This fault does not exist.", 404)
        return RedirectResponse("/", 303)  # so that a reload does not send the form again

    async def next(self, request: Request) -> Response:
        """Press the page's button."""
        if isinstance(form := await self._form(request), Response):
            return form
        self._board.press()
        return RedirectResponse("/", 303)

    async def _form(self, request: Request) -> Mapping[str, str] | Response:
        """Return the form's fields, or a refusal if it is too large or not from this page."""
        own = f"http://{request.headers['host'].lower()}"
        same_site = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        if request.headers.get("origin", own).lower() != own or not same_site:
            return _FOREIGN_FORM
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_FORM:
                return PlainTextResponse("The form is too large.", 413)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        token = form.get("token", "").encode()
        return form if hmac.compare_digest(token, self._board.token.encode()) else _FOREIGN_FORM
