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
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
_HTTP = 80
_NAMES = ("127.0.0.1", "localhost")


def application(board: Board, port: int, ending: Callable[[], bool]) -> ASGIApp:
    """Make the application. `port` is its port. Event streams end once `ending` returns True."""
    pages = _Pages(board, port, ending)
    routes = [
        Route("/", pages.page),
        Route(EVENTS, pages.events),
        Route("/live.js", pages.script),
        Route("/favicon.ico", pages.icon),
        Route("/media/{network}/{media_id}", pages.medium),
        Route("/fault", pages.fault, methods=["POST"]),
        Route("/next", pages.next, methods=["POST"]),
    ]
    return _Guard(Starlette(routes=routes), port)


def _hosts(port: int) -> set[str]:
    """Return the Host headers that browsers send. They leave port 80 out."""
    bare = set(_NAMES) if port == _HTTP else set()
    return bare | {f"{name}:{port}" for name in _NAMES}


class _Guard:
    """Refuses requests whose Host is not this machine, and adds headers to every answer."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = {host.encode() for host in _hosts(port)}
        policy = render.policy(
            "'self'",
            "script-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),  # see bot/demo/serve.py
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        known = len(hosts) == 1 and hosts[0].lower() in self._hosts
        answer = self._app if known else PlainTextResponse("The Host header is wrong.", 421)
        await answer(scope, receive, send_with_headers)


class _Pages:
    def __init__(self, board: Board, port: int, ending: Callable[[], bool]) -> None:
        self._board = board
        self._ending = ending
        self._origins = {f"http://{host}" for host in _hosts(port)}

    async def page(self, request: Request) -> Response:
        del request
        return HTMLResponse(render.html(self._board.page()))

    async def script(self, request: Request) -> Response:
        del request
        return Response(render.script(), media_type="text/javascript")

    async def icon(self, request: Request) -> Response:
        del request
        return Response(_ICON, media_type="image/svg+xml")

    async def events(self, request: Request) -> Response:
        del request
        return StreamingResponse(self._changes(), media_type="text/event-stream")

    async def _changes(self) -> AsyncIterator[str]:
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
        names = request.path_params
        found = self._board.medium(names["network"], names["media_id"])
        if found is None or found.type not in PICTURES:
            return PlainTextResponse("This picture does not exist.", 404)
        return Response(found.data, media_type=found.type)

    async def fault(self, request: Request) -> Response:
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        on = form.get("on") == "yes"
        if not self._board.flip(form.get("network", ""), form.get("fault", ""), on=on):
            return PlainTextResponse("This fault does not exist.", 404)
        return _back()

    async def next(self, request: Request) -> Response:
        if isinstance(form := await self._form(request), Response):
            return form
        self._board.press()
        return _back()

    async def _form(self, request: Request) -> Mapping[str, str] | Response:
        """Return the form's fields, or a refusal if it is too large or not from this page."""
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            return _FOREIGN_FORM
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _FOREIGN_FORM
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_FORM:
                return PlainTextResponse("The form is too large.", 413)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        token = form.get("token", "").encode()
        return form if hmac.compare_digest(token, self._board.token.encode()) else _FOREIGN_FORM


_FOREIGN_FORM = PlainTextResponse("This form is not from this page. Reload the page.", 403)


def _back() -> Response:
    """Redirect to the page, so that a reload does not send the form again."""
    return Response(status_code=303, headers={"location": "/"})
