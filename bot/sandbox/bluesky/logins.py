"""The calls about sessions: opening one, refreshing it, asking about it, closing it. Pure."""

from __future__ import annotations

from bot.sandbox.bluesky import answers as says
from bot.sandbox.bluesky.behaviour import Standing
from bot.sandbox.bluesky.calls import Call
from bot.sandbox.bluesky.pds import Pds
from bot.sandbox.bluesky.sessions import Tokens
from bot.sandbox.wire import Json, RefusedRequest, Response, reply


def create_session(pds: Pds, call: Call) -> Response:
    """Open a session by handle or DID and app password.

    An account that was taken down knows no app passwords; one at rest may log in.
    """
    known = pds.repo(call.text("identifier")) == pds.account
    right = pds.password and call.text("password") == pds.password
    if not (known and right) or pds.behaviour.standing is Standing.TAKENDOWN:
        raise RefusedRequest(says.NO_LOGIN)
    return _told(pds, call, pds.sessions.open(call.now, pds.behaviour))


def refresh_session(pds: Pds, call: Call) -> Response:
    """Give new tokens for a refresh token, which is good only for a while from then on."""
    pds.check_standing(Standing.DEACTIVATED)
    tokens = pds.sessions.rotate(call.session, call.now, pds.behaviour)
    if tokens is None:
        raise RefusedRequest(says.REVOKED)
    return _told(pds, call, tokens)


def get_session(pds: Pds, call: Call) -> Response:
    """Say whose the token is."""
    if pds.behaviour.standing is Standing.TAKENDOWN:
        message = f"Could not find user info for account: {pds.account}"
        raise RefusedRequest(says.invalid(message))
    return _told(pds, call)


def delete_session(pds: Pds, call: Call) -> Response:
    """Close a session; its access token lives on to its end."""
    pds.sessions.close(call.session)
    return Response(200)


def _told(pds: Pds, call: Call, tokens: Tokens | None = None) -> Response:
    standing, base = pds.behaviour.standing, f"http://{call.request.header('host')}"
    told: dict[str, Json] = {}
    if tokens:
        told |= {"accessJwt": tokens.access, "refreshJwt": tokens.refresh}
    told |= {"did": pds.account, "handle": pds.handle}
    if pds.behaviour.did_doc:
        told["didDoc"] = pds.document(base)
    told |= {"email": "sandbox@example.org", "emailConfirmed": True}
    told["active"] = standing is Standing.ACTIVE
    return reply(200, told | ({} if told["active"] else {"status": standing.value}))
