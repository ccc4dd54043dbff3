"""How servers of Bluesky's protocol behave, as one frozen value, and the servers that were tried.

The defaults are bsky.social, as documented and as in the source of @atproto/pds 0.5.35, November
2026.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum


class Standing(StrEnum):
    """The account's state: active, deactivated by its owner, or taken down by moderators."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    TAKENDOWN = "takendown"


@dataclass(frozen=True, slots=True)
class BlueskyLimits:
    """What one account may do in a window. A window begins with its first use.

    `hour` and `day` are points for changes of the repository: a create costs 3, a put 2, a delete
    1. `requests` are all requests of one address in five minutes, `logins` and `logins_day` the
    logins with one name in five minutes and in a day, `uploads` the uploads in a day.
    """

    hour: int = 5000
    day: int = 35_000
    requests: int = 3000
    logins: int = 30
    logins_day: int = 300
    uploads: int = 1000


@dataclass(frozen=True, slots=True)
class BlueskyBehaviour:
    """How a server behaves, where servers or their settings differ.

    `limits` of None means no limits and no headers about them, as with a self-hosted PDS.
    `did_doc`: an answer with tokens names the server that holds the account, and clients then use
    that server. `access_lasts` and `refresh_lasts` are the lifetimes of the two tokens, `grace` is
    how long a refresh token is valid after its first use. `blobs_last` is how long a file without a
    record is kept, None for ever. `most_blob` is the greatest size of a file in bytes.
    """

    standing: Standing = Standing.ACTIVE
    limits: BlueskyLimits | None = BlueskyLimits()
    did_doc: bool = True
    access_lasts: timedelta = timedelta(minutes=120)
    refresh_lasts: timedelta = timedelta(days=90)
    grace: timedelta = timedelta(hours=2)
    blobs_last: timedelta | None = timedelta(hours=6)
    most_blob: int = 5 * 1024 * 1024


BSKY_SOCIAL = BlueskyBehaviour()
OWN_PDS = replace(BSKY_SOCIAL, limits=None, did_doc=False, blobs_last=None)
DEV_ENV = replace(BSKY_SOCIAL, did_doc=False, blobs_last=None)
SERVERS = (BSKY_SOCIAL, OWN_PDS, DEV_ENV)
"""bsky.social, a self-hosted PDS, and @atproto/dev-env, for tests that run on each of them."""
