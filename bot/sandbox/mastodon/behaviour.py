"""How servers with Mastodon's API behave: one frozen value, and the servers that were tried."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum


class Keys(StrEnum):
    """What an Idempotency-Key is worth.

    HONOURED: a replay within the hour gets the same status; while the first is still under way,
    503. FAILS (4.6.0 and on, until mended): the replay gets a 500, and no second status. RACY (up
    to 4.5): honoured, but what is still under way does not count. IGNORED: worth nothing.
    """

    HONOURED = "honoured"
    FAILS = "fails"
    RACY = "racy"
    IGNORED = "ignored"


class IdForm(StrEnum):
    """What ids look like: Mastodon's numbers, GoToSocial's ULIDs, snac2's 42 hex digits."""

    SNOWFLAKE = "snowflake"
    ULID = "ulid"
    HEX = "hex"


class Resets(StrEnum):
    """How the end of a rate limit is written; NONSENSE cannot be read, NONE sends no headers."""

    ISO = "iso"
    EPOCH = "epoch"
    NONSENSE = "nonsense"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MastodonLimits:
    """Requests in windows aligned to the epoch; with `shared` reads and writes are one limit."""

    requests: int = 300
    statuses: int = 300
    deletes: int = 30
    uploads: int = 30
    requests_in: timedelta = timedelta(minutes=5)
    statuses_in: timedelta = timedelta(hours=3)
    deletes_in: timedelta = timedelta(minutes=30)
    uploads_in: timedelta = timedelta(minutes=30)
    shared: bool = False


@dataclass(frozen=True, slots=True)
class MastodonBehaviour:
    """What a server does where servers differ, or where one can be told to.

    `too_long` is the status for a text over `max_characters`, in graphemes with links at 23, or
    with `plain_count` in code points with links in full. `missing_parent` of 404 refuses a reply
    to what is not there, 200 posts it as a root. `parent_forgotten`: replies to a deleted status
    name no parent. `context_survives`: a thread with a deleted status still shows the rest.
    `unreadable` is the status for reading the account's statuses, 403 for a token without it;
    `writes` of False refuses to publish. `lag`: how late a status is listed. `drops`: a text with
    this in it is answered 200 and never kept. `loses_media`: published without what it came with.
    `uploads` of False takes no files, as for a token without write:media; `media_limit` is in
    bytes, `description_limit` in characters. `processing`: how long a file is worked on before a
    status may take it; `breaks_media`: that work fails. `missing_media` is the status for a file
    that is unknown, or another's already; 200 publishes without it.
    `languages_checked` refuses a bad language tag, `language_fixed` ignores any. `bare` refuses
    bad tokens without a word. `deprecates` marks the old instance page as such.
    """

    version: str = "4.7.0"
    keys: Keys = Keys.HONOURED
    keys_last: timedelta = timedelta(hours=1)
    ids: IdForm = IdForm.SNOWFLAKE
    resets: Resets = Resets.ISO
    limits: MastodonLimits = MastodonLimits()
    max_characters: int = 500
    plain_count: bool = False
    too_long: int = 422
    missing_parent: int = 404
    parent_forgotten: bool = True
    context_survives: bool = True
    since_id: bool = True
    min_id: bool = True
    links: bool = True
    instance_v2: bool = True
    deprecates: bool = True
    unreadable: int | None = None
    writes: bool = True
    lag: timedelta = timedelta(0)
    drops: str = ""
    loses_media: bool = False
    uploads: bool = True
    media_limit: int = 16_777_216
    description_limit: int = 1500
    processing: timedelta = timedelta(0)
    breaks_media: bool = False
    missing_media: int = 422
    visibility: str = "public"
    languages_checked: bool = False
    language_fixed: bool = False
    line_break: str = "<br />"
    bare: bool = False


MASTODON = MastodonBehaviour()
MASTODON_4_6 = replace(MASTODON, version="4.6.4", keys=Keys.FAILS)
MASTODON_4_5 = replace(MASTODON, version="4.5.2", keys=Keys.RACY)
GOTOSOCIAL = MastodonBehaviour(
    version="0.20.0",
    keys=Keys.IGNORED,
    ids=IdForm.ULID,
    resets=Resets.EPOCH,
    limits=MastodonLimits(shared=True),
    max_characters=5000,
    plain_count=True,
    too_long=400,
    parent_forgotten=False,
    context_survives=False,
    since_id=False,
    deprecates=False,
    missing_media=400,
    visibility="unlisted",
    languages_checked=True,
    line_break="<br>",
)
SNAC2 = MastodonBehaviour(
    version="4.0.0 (not true; really snac/2.94)",
    keys=Keys.IGNORED,
    ids=IdForm.HEX,
    resets=Resets.NONE,
    max_characters=100_000,
    missing_parent=200,
    since_id=False,
    min_id=False,
    links=False,
    instance_v2=False,
    deprecates=False,
    missing_media=200,
    language_fixed=True,
    line_break="<br>",
    bare=True,
)
SERVERS = (MASTODON, MASTODON_4_6, MASTODON_4_5, GOTOSOCIAL, SNAC2)
"""Those that were tried, for tests that must hold on each."""
