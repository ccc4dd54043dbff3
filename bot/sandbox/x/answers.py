"""X's refusals, word for word where they are on record, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.sandbox.rate_limits import RateWindow
from bot.sandbox.wire import Json, Pairs, Response, reply

_PROBLEMS = "https://api.twitter.com/2/problems/"


def problem(status: int, title: str, detail: str, kind: str = "about:blank") -> Response:
    """Return a refusal in X's form of RFC 7807."""
    return reply(status, {"title": title, "detail": detail, "type": kind, "status": status})


UNAUTHORIZED = problem(401, "Unauthorized", "Unauthorized")
# Only the title is on record.
NO_CREDITS = reply(
    402,
    {
        "title": "CreditsDepleted",
        "detail": "There are no credits left to carry out this request.",
        "type": f"{_PROBLEMS}credits",
    },
)
FORBIDDEN = problem(403, "Forbidden", "You are not permitted to perform this action.")
DUPLICATE = problem(
    403, "Forbidden", "You are not allowed to create a Tweet with duplicate content."
)
REPLY_RULE = problem(
    403,
    "Authorization Error",
    "You can only reply to or quote posts where you are mentioned or are the author.",
    "https://api.x.com/2/problems/not-authorized-for-resource",
)
CASHTAGS = problem(403, "Forbidden", "Posts are limited to a maximum of one cashtag.")
NO_PAGE = problem(404, "Not Found", "Not Found")
TOO_MANY = problem(429, "Too Many Requests", "Too Many Requests")
UNAVAILABLE = problem(503, "Service Unavailable", "Service Unavailable")


def missing_parent(status: int = 403) -> Response:
    """Return the refusal of a reply to a post that is deleted, hidden, or not visible yet."""
    title = "Invalid Request" if status == 400 else "Forbidden"  # noqa: PLR2004 - HTTP's number
    detail = "You attempted to reply to a Tweet that is deleted or not visible to you."
    return problem(status, title, detail)


def invalid(name: str, value: str, message: str) -> Response:
    """Return the refusal of a parameter or a field of the body."""
    return reply(
        400,
        {
            "errors": [{"parameters": {name: [value]}, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": f"{_PROBLEMS}invalid-request",
        },
    )


def unreadable(status: int) -> Response:
    """Return the refusal of a read that the plan does not include."""
    if status == UNAUTHORIZED.status:
        return UNAUTHORIZED
    return reply(
        status,
        {
            "title": "Client Forbidden",
            "detail": "This plan has no access to the endpoint.",
            "reason": "client-not-enrolled",
            "required_enrollment": "Appropriate Level of API Access",
            "type": f"{_PROBLEMS}client-forbidden",
        },
    )


def not_found(kind: str, parameter: str, value: str) -> Mapping[str, Json]:
    """Return the entry of `errors` for one post or user that does not exist."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{_PROBLEMS}resource-not-found",
    }


def limit_headers(window: RateWindow) -> Pairs:
    """Return the three headers of a rate limit. The reset is in unix seconds."""
    return (
        ("x-rate-limit-limit", str(window.limit.most)),
        ("x-rate-limit-remaining", str(window.remaining)),
        ("x-rate-limit-reset", str(int(window.reset.timestamp()))),
    )


USUAL: Pairs = (
    ("api-version", "2.167"),
    ("cache-control", "no-cache, no-store, max-age=0"),
    ("x-access-level", "read-write"),
)
"""The headers of every answer, besides those of all networks."""


REFUSALS: Mapping[str, Response] = MappingProxyType(
    {
        "400 invalid": invalid("$.text", "", "$.text: is invalid"),
        "400 parent": missing_parent(400),
        "401": UNAUTHORIZED,
        "402 credits": NO_CREDITS,
        "403 generic": FORBIDDEN,
        "403 duplicate": DUPLICATE,
        "403 reply rule": REPLY_RULE,
        "403 parent": missing_parent(403),
        "404": NO_PAGE,
    }
)
"""Every kind of refusal by name, for tests that try each of them."""
