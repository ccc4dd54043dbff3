"""The calls about sessions: open, refresh, read and close a session. Pure."""

from __future__ import annotations

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.behaviour import Standing
from bot.sandbox.bluesky.calls import Call
from bot.sandbox.bluesky.pds import Pds
from bot.sandbox.bluesky.sessions import Tokens
from bot.sandbox.wire import Json, RefusedRequest, Response, reply


def create_session(pds: Pds, call: Call) -> Response:
    """Open a session with a handle or DID and an app password.

    An account that is taken down cannot log in with an app password. A deactivated one can.
    """
    known = pds.repo(call.text("identifier")) == pds.account
    right = pds.password and call.text("password") == pds.password
    if not (known and right) or pds.behaviour.standing is Standing.TAKENDOWN:
        raise RefusedRequest(answers.NO_LOGIN)
    return _session(pds, call, pds.sessions.open(call.now, pds.behaviour))


def refresh_session(pds: Pds, call: Call) -> Response:
    """Return new tokens for a refresh token, which is then valid only for a grace period."""
    pds.check_standing(Standing.DEACTIVATED)
    tokens = pds.sessions.rotate(call.session, call.now, pds.behaviour)
    if tokens is None:
        raise RefusedRequest(answers.REVOKED)
    return _session(pds, call, tokens)


def get_session(pds: Pds, call: Call) -> Response:
    """Return the account of a token."""
    if pds.behaviour.standing is Standing.TAKENDOWN:
        message = f"Could not find user info for account: {pds.account}"
        raise RefusedRequest(answers.invalid(message))
    return _session(pds, call)


def delete_session(pds: Pds, call: Call) -> Response:
    """Close a session. Its access token stays valid until it expires."""
    pds.sessions.close(call.session)
    return Response(200)


def _session(pds: Pds, call: Call, tokens: Tokens | None = None) -> Response:
    standing, base = pds.behaviour.standing, f"http://{call.request.header('host')}"
    session: dict[str, Json] = {}
    if tokens:
        session |= {"accessJwt": tokens.access, "refreshJwt": tokens.refresh}
    session |= {"did": pds.account, "handle": pds.handle}
    if pds.behaviour.did_doc:
        session["didDoc"] = pds.document(base)
    session |= {"email": "sandbox@example.org", "emailConfirmed": True}
    session["active"] = standing is Standing.ACTIVE
    return reply(200, session | ({} if session["active"] else {"status": standing.value}))
