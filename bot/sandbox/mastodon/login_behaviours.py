"""How servers with Mastodon's API log people in, as one frozen value, and the known servers."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.mastodon.behaviour import MastodonBehaviour, Software

_FIRST_WITH_PROFILE = (4, 3)


@dataclass(frozen=True, slots=True)
class LoginBehaviour:
    """How a server's logins work.

    `metadata`: the server describes its endpoints (RFC 8414). `profile`: it knows that scope, as
    Mastodon does since 4.3. `checks`: it refuses to register an unknown scope. Others register it
    without effect. `whole_read`: only a token with the complete scope `read` may ask for the
    account. `enforces`: a token may do only what its scopes allow. `granted` is the scope that the
    answer names, empty for the requested scope, None for none. `expires_in` is in seconds, None for
    a token that does not expire.
    """

    metadata: bool = True
    profile: bool = True
    checks: bool = True
    whole_read: bool = False
    enforces: bool = True
    granted: str | None = ""
    expires_in: int | None = None


MAINLINE = LoginBehaviour()
BEFORE_4_3 = LoginBehaviour(metadata=False, profile=False)
GOTOSOCIAL = LoginBehaviour(metadata=False)
PLEROMA = LoginBehaviour(metadata=False, profile=False, checks=False, expires_in=3_153_600_000)
SNAC2 = LoginBehaviour(metadata=False, profile=False, checks=False, enforces=False, granted=None)
TAKAHE = LoginBehaviour(metadata=False, profile=False, checks=False, whole_read=True)
BEHAVIOURS = (MAINLINE, BEFORE_4_3, GOTOSOCIAL, PLEROMA, SNAC2, TAKAHE)
"""The known behaviours, for tests that run with each of them."""


def login_behaviour(behaviour: MastodonBehaviour) -> LoginBehaviour:
    """Return how the logins of a server work."""
    own = {Software.GOTOSOCIAL: GOTOSOCIAL, Software.SNAC: SNAC2, Software.TAKAHE: TAKAHE}
    if behaviour.software is not Software.MASTODON:
        return own.get(behaviour.software, MAINLINE)
    major, minor = (int(part) for part in behaviour.version.split(".")[:2])
    return MAINLINE if (major, minor) >= _FIRST_WITH_PROFILE else BEFORE_4_3
