"""How servers of Bluesky's protocol behave: one frozen value, and the servers that were tried.

The defaults are bsky.social as documented and read in @atproto/pds 0.5.35, November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum


class Standing(StrEnum):
    """What the server thinks of the account: fine, put to rest by its owner, or taken down."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    TAKENDOWN = "takendown"


@dataclass(frozen=True, slots=True)
class BlueskyLimits:
    """What one account may do in a window, which begins with the first use of it.

    `hour` and `day` are points for changes of the repository (a create costs 3, a put 2, a delete
    1), `requests` are all requests of one address in five minutes, `logins` createSession of one
    name in five minutes, `uploads` uploadBlob in a day.
    """

    hour: int = 5000
    day: int = 35_000
    requests: int = 3000
    logins: int = 30
    logins_day: int = 300
    uploads: int = 1000


@dataclass(frozen=True, slots=True)
class BlueskyBehaviour:
    """What a server does where servers differ, or where one can be told to.

    `limits` of None: neither limits nor their headers, as a PDS of one's own is installed. Without
    `appview` the server stands alone, and what it would ask of Bluesky is a 502. `did_doc`: an
    answer with tokens names the server that holds the account, and clients move there.
    `access_lasts` and `refresh_lasts` are the lives of the two tokens, `grace` how long a refresh
    token is good for after it was used. `blobs_last`: how long a file is kept that no record
    refers to, for ever with None. `most_json`, `most_blob`: bytes of a body.
    """

    standing: Standing = Standing.ACTIVE
    limits: BlueskyLimits | None = BlueskyLimits()
    appview: bool = True
    did_doc: bool = True
    access_lasts: timedelta = timedelta(minutes=120)
    refresh_lasts: timedelta = timedelta(days=90)
    grace: timedelta = timedelta(hours=2)
    blobs_last: timedelta | None = timedelta(hours=6)
    most_json: int = 1_000_000
    most_blob: int = 5 * 1024 * 1024


BSKY_SOCIAL = BlueskyBehaviour()
OWN_PDS = replace(BSKY_SOCIAL, limits=None, did_doc=False, blobs_last=None)
DEV_ENV = replace(BSKY_SOCIAL, appview=False, did_doc=False, blobs_last=None)
SERVERS = (BSKY_SOCIAL, OWN_PDS, DEV_ENV)
"""bsky.social, a PDS of one's own, and @atproto/dev-env: for tests that must hold on each."""
