"""The errors of XRPC, word for word as a PDS writes them, and the headers of its answers.

https://atproto.com/specs/xrpc#error-responses. Each was seen at @atproto/pds 0.5.35.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.sandbox.wire import Pairs, Response, reply

_HTML = (("content-type", "text/html; charset=utf-8"),)


def error(status: int, name: str, message: str) -> Response:
    """Return a refusal in XRPC's form."""
    return reply(status, {"error": name, "message": message})


def invalid(message: str) -> Response:
    """Return the refusal of a request that does not follow its lexicon."""
    return error(400, "InvalidRequest", message)


def bad_swap(what: str, at: str | None) -> Response:
    """Return the refusal of a conditional change. `what` was at the version `at`."""
    return error(400, "InvalidSwap", f"{what} was at {'null' if at is None else at}")


def no_record(uri: str) -> Response:
    """Return the answer to a read of a record that does not exist."""
    return error(400, "RecordNotFound", f"Could not locate record: {uri}")


def no_blob(cid: str) -> Response:
    """Return the refusal of a record that refers to a file the server does not have."""
    return error(400, "BlobNotFound", f"Could not find blob: {cid}")


def other_blob(what: str, there: str, said: str) -> Response:
    """Return the refusal of a record that says something else of a file than is stored."""
    name = {"Mimetype": "InvalidMimeType", "Size": "InvalidSize"}[what]
    message = f"Referenced {what} does not match stored blob. Expected: {there}, Got: {said}"
    return error(400, name, message)


def no_repo(repo: str) -> Response:
    """Return the refusal to list the records of an account that is missing or not active."""
    return invalid(f"Could not find repo: {repo}")


def bad_token(message: str) -> Response:
    """Return the refusal of a token that is not valid, or is meant for another use."""
    return error(400, "InvalidToken", message)


EXPIRED = error(400, "ExpiredToken", "Token has expired")
REVOKED = error(400, "ExpiredToken", "Token has been revoked")
UNVERIFIED = bad_token("Token could not be verified")
NO_TOKEN = error(401, "AuthMissing", "Authentication Required")
NO_LOGIN = error(401, "AuthenticationRequired", "Invalid identifier or password")
NOT_YOURS = error(401, "AuthenticationRequired", "Authentication Required")
TAKEN_DOWN = error(401, "AccountTakedown", "Account has been taken down")
DEACTIVATED = error(401, "AccountDeactivated", "Account is deactivated")
NO_ACCOUNT = error(403, "AccountNotFound", "Account not found")
TOO_LARGE = error(413, "PayloadTooLarge", "request entity too large")
TOO_MANY = error(429, "RateLimitExceeded", "Rate Limit Exceeded")
BROKEN = error(500, "InternalServerError", "Internal Server Error")
NO_METHOD = error(501, "MethodNotImplemented", "Method Not Implemented")
NO_UPSTREAM = error(502, "UpstreamFailure", "Upstream service unreachable")
NO_PAGE = Response(404, b"<!DOCTYPE html><title>Error</title><pre>Not Found</pre>", _HTML)


USUAL: Pairs = (
    ("access-control-allow-origin", "*"),
    ("vary", "Authorization, Accept-Encoding"),
)
"""The headers of every answer, besides those of all networks."""


_CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
_LONG = "grapheme too big (maximum 300, got 301) at $.record.text"
REFUSALS: Mapping[str, Response] = MappingProxyType(
    {
        "400 invalid": invalid(f"Invalid app.bsky.feed.post record: {_LONG}"),
        "400 swap": bad_swap("Record", _CID),
        "400 blob": no_blob(_CID),
        "400 expired": EXPIRED,
        "400 revoked": REVOKED,
        "400 token": UNVERIFIED,
        "401 no token": NO_TOKEN,
        "401 no login": NO_LOGIN,
        "401 takedown": TAKEN_DOWN,
        "401 deactivated": DEACTIVATED,
        "403 account": NO_ACCOUNT,
        "413": TOO_LARGE,
    }
)
"""Every kind of refusal by name, for tests that try each of them."""
ERRORS: Mapping[str, Response] = MappingProxyType(
    {"500 in JSON": BROKEN, "502 in JSON": NO_UPSTREAM}
)
"""The answers of a PDS that fails. It may have carried the request out."""
