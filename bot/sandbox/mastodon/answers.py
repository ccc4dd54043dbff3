"""Mastodon's refusals and headers. Servers translate the error texts, so do not match them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from bot.sandbox.mastodon.behaviour import MastodonBehaviour, Resets
from bot.sandbox.rate_limits import RateWindow
from bot.sandbox.wire import Pairs, Response, reply

_HTML = (("content-type", "text/html; charset=utf-8"),)
_CHALLENGE = 'Bearer realm="Doorkeeper", error="invalid_token"'


def error(status: int, text: str) -> Response:
    """Return a refusal in Mastodon's form."""
    return reply(status, {"error": text})


UNAUTHORIZED = error(401, "The access token is invalid").having(("www-authenticate", _CHALLENGE))
OUT_OF_SCOPE = error(403, "This action is outside the authorized scopes")
OUT_OF_SCOPE_IN_CODE = error(403, "out_of_scope_for_token")
BAD_TOKEN_PLAIN = Response(400, b"Invalid Bearer token", (("content-type", "text/plain"),))
BAD_REQUEST = error(422, "invalid_request")
NOT_FOUND = error(404, "Record not found")
NO_PAGE = error(404, "Not Found")
NO_PAGE_HTML = Response(404, b"<h1>404 Not Found</h1>", _HTML)
NO_PARENT = error(404, "The post you are trying to reply to does not appear to exist.")
TOO_MANY = error(429, "Too many requests")
BROKEN = Response(500, b"<!DOCTYPE html><title>500</title><p>Something went wrong.", _HTML)
UNFINISHED_MEDIA = error(
    422, "Cannot attach files that have not finished processing. Try again in a moment!"
)
BROKEN_MEDIA = error(422, "There was an error processing this file")
UNDER_WAY = error(503, "There was a temporary problem serving your request, please try again")


def invalid(reason: str, status: int = 422) -> Response:
    """Return the refusal of a status that is not valid."""
    return error(status, f"Validation failed: {reason}")


def missing_media(media_id: str, status: int = 422) -> Response:
    """Return the refusal of a file that is unknown, or is attached to another status."""
    return error(status, f"Media {media_id} not found, not processed, or attached to another post")


def unreadable(status: int) -> Response:
    """Return the refusal of a read that the token does not allow."""
    return error(status, "This action is outside the authorized scopes")


def limit_headers(window: RateWindow, now: datetime, behaviour: MastodonBehaviour) -> Pairs:
    """Return the three headers of a rate limit; the reset keeps the microsecond of the request."""
    if behaviour.resets is Resets.NONE:
        return ()
    end = window.reset - behaviour.overtime
    resets = {
        Resets.ISO: f"{end.replace(microsecond=now.microsecond):%Y-%m-%dT%H:%M:%S.%f}Z",
        Resets.EPOCH: str(int(end.timestamp())),
        Resets.NONSENSE: "soon",
    }
    return (
        ("X-RateLimit-Limit", str(window.limit.most)),
        ("X-RateLimit-Remaining", str(window.remaining)),
        ("X-RateLimit-Reset", resets[behaviour.resets]),
    )


USUAL: Pairs = (
    ("cache-control", "private, no-store"),
    ("vary", "Authorization, Origin"),
)
"""The headers of every answer, besides those of all networks."""


REFUSALS: Mapping[str, Response] = MappingProxyType(
    {
        "401": UNAUTHORIZED,
        "403 scope": OUT_OF_SCOPE,
        "404": NOT_FOUND,
        "404 parent": NO_PARENT,
        "422 length": invalid("Text character limit of 500 exceeded"),
        "422 media": missing_media("1"),
    }
)
"""Every kind of refusal by name, for tests that try each of them."""
