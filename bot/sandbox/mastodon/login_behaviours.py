"""How servers with Mastodon's API log people in: one frozen value, and the servers known so far."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.mastodon.behaviour import MastodonBehaviour, Software

_FIRST_WITH_PROFILE = (4, 3)


@dataclass(frozen=True, slots=True)
class LoginBehaviour:
    """What servers do differently about logins.

    `metadata`: they describe them (RFC 8414). `profile`: they know that scope, Mastodon since 4.3.
    `checks`: they refuse to register a scope they do not know; others keep it, and it opens
    nothing. `whole_read`: only a token with all of `read` may ask who the account is. `enforces`:
    a token may do what its scopes say; with others it may do everything. `granted` is what each
    token is said to be good for, empty for what was asked; of None nothing is said. `expires_in`
    is in seconds, None for a token that lasts.
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
WAYS = (MAINLINE, BEFORE_4_3, GOTOSOCIAL, PLEROMA, SNAC2, TAKAHE)
"""Those that are known, for tests that must hold with each."""


def ways_of(behaviour: MastodonBehaviour) -> LoginBehaviour:
    """Return how a server that behaves so logs people in."""
    own = {Software.GOTOSOCIAL: GOTOSOCIAL, Software.SNAC: SNAC2, Software.TAKAHE: TAKAHE}
    if behaviour.software is not Software.MASTODON:
        return own.get(behaviour.software, MAINLINE)
    major, minor = (int(part) for part in behaviour.version.split(".")[:2])
    return MAINLINE if (major, minor) >= _FIRST_WITH_PROFILE else BEFORE_4_3
