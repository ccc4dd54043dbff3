"""How servers with Mastodon's API behave, as one frozen value, and the servers that were tried."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from bot.sandbox.rewrites import Rewrites, Stamps


class Software(StrEnum):
    """The server's software, by the name it gives itself."""

    MASTODON = "mastodon"
    GOTOSOCIAL = "gotosocial"
    SNAC = "snac"
    TAKAHE = "takahe"
    HOLLO = "hollo"


class Markup(StrEnum):
    """How the text of a status is read: as it is, as Markdown, or as snac2's own markup."""

    NONE = "none"
    MARKDOWN = "markdown"
    SNAC = "snac"


class Orphans(StrEnum):
    """What the server does with a reply to a deleted status.

    REFUSED: 404. BREAKS: 500. ROOT: it publishes the status without a parent. TAKEN: it publishes a
    reply to the deleted status, or a status without a parent if the parent never existed.
    """

    REFUSED = "refused"
    BREAKS = "breaks"
    ROOT = "root"
    TAKEN = "taken"


class BadToken(StrEnum):
    """How a token is refused: 401 in JSON, an empty 422 (401 to a POST), 400 in plain text."""

    SAID = "said"
    BARE = "bare"
    PLAIN = "plain"


class IdempotencyKeys(StrEnum):
    """What the server does with an Idempotency-Key.

    HONOURED: a replay within the hour gets the same status, or a 503 while the first request is
    not finished. FAILS (since 4.6.0): the replay gets a 500, and no second status is made. RACY
    (up to 4.5): honoured, but not while the first request is not finished. IGNORED: nothing.
    """

    HONOURED = "honoured"
    FAILS = "fails"
    RACY = "racy"
    IGNORED = "ignored"


class InstanceV2(StrEnum):
    """The newer instance page: it exists, is missing (snac2), or is an error (Takahe)."""

    THERE = "there"
    MISSING = "missing"
    BREAKS = "breaks"


class IdForm(StrEnum):
    """The form of ids: Mastodon's numbers, GoToSocial's ULIDs, snac2's 42 hex digits, UUIDs."""

    SNOWFLAKE = "snowflake"
    ULID = "ulid"
    HEX = "hex"
    UUID = "uuid"


class Resets(StrEnum):
    """How the end of a rate limit is written. NONSENSE is unreadable, NONE sends no headers."""

    ISO = "iso"
    EPOCH = "epoch"
    NONSENSE = "nonsense"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MastodonLimits:
    """Requests in windows that are aligned to the epoch. With `shared` all use one limit."""

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
    """How a server behaves, where servers or their settings differ.

    `forms` of False refuses a status that is sent as a form instead of as JSON. `orphans`, `keys`
    and `bad_token`: see their types. `markup` is how text is read, unless the request asks for
    plain text and `plain_on_request` allows that. `application`: a status names its application.
    `private_listed` and `private_at_home`: private and direct statuses are in the account's list,
    and in its home timeline. `slash`: the instance addresses may end with a slash. `overtime`: a
    limit lasts this much longer than its header says. `hangs_up`: a second request on a connection
    is answered with a reset. `rewrites` and `stamps` change the texts and times that are read.
    `too_long` is the HTTP status for a text over `max_characters`, counted in graphemes with links
    as 23, or with `plain_count` in code points with complete links. `parent_forgotten`: a reply to
    a deleted status names no parent. `unreadable` is the HTTP status for reading the account's
    statuses, such as 403 for a token without the scope. `writes` of False refuses to publish.
    `lag`: how late a status is listed. `drops`: a text that contains this is answered with 200 and
    not stored. `loses_media`: statuses are published without their media. `uploads` of False takes
    no files, as for a token without write:media. `media_limit` is in bytes, `description_limit` in
    characters. `processing`: how long a file is processed before a status may use it.
    `breaks_media`: processing fails. `missing_media` is the HTTP status for a file that is unknown
    or already used, and 200 publishes without it. `languages_checked` refuses a bad language tag,
    `language_fixed` ignores any. `web_visibility` is what the web shows of an account, empty if the
    account cannot choose.
    """

    version: str = "4.7.0"
    software: Software = Software.MASTODON
    forms: bool = True
    markup: Markup = Markup.NONE
    plain_on_request: bool = False
    application: bool = True
    private_listed: bool = True
    private_at_home: bool = True
    slash: bool = True
    overtime: timedelta = timedelta(0)
    hangs_up: bool = False
    rewrites: Rewrites = Rewrites.NONE
    stamps: Stamps = Stamps.WRITTEN
    keys: IdempotencyKeys = IdempotencyKeys.HONOURED
    ids: IdForm = IdForm.SNOWFLAKE
    resets: Resets = Resets.ISO
    limits: MastodonLimits = MastodonLimits()
    max_characters: int = 500
    plain_count: bool = False
    too_long: int = 422
    too_long_words: str = "Validation failed: Text character limit of {limit} exceeded"
    orphans: Orphans = Orphans.REFUSED
    parent_forgotten: bool = True
    since_id: bool = True
    links: bool = True
    instance_v2: InstanceV2 = InstanceV2.THERE
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
    web_visibility: str = ""
    languages_checked: bool = False
    language_fixed: bool = False
    line_break: str = "<br />"
    bad_token: BadToken = BadToken.SAID


MASTODON = MastodonBehaviour()
MASTODON_4_6 = replace(MASTODON, version="4.6.4", keys=IdempotencyKeys.FAILS)
MASTODON_4_5 = replace(MASTODON, version="4.5.2", keys=IdempotencyKeys.RACY)
GOTOSOCIAL = MastodonBehaviour(
    version="0.20.0+git-e4c2b1d",
    software=Software.GOTOSOCIAL,
    keys=IdempotencyKeys.IGNORED,
    ids=IdForm.ULID,
    resets=Resets.EPOCH,
    limits=MastodonLimits(shared=True),
    overtime=timedelta(milliseconds=500),
    plain_on_request=True,
    max_characters=5000,
    plain_count=True,
    too_long=400,
    too_long_words="Bad Request: text with spoiler exceed max chars",
    parent_forgotten=False,
    since_id=False,
    missing_media=400,
    visibility="unlisted",
    web_visibility="public",
    languages_checked=True,
    line_break="<br>",
)
GOTOSOCIAL_500 = replace(GOTOSOCIAL, max_characters=500)
GOTOSOCIAL_MARKDOWN = replace(GOTOSOCIAL, markup=Markup.MARKDOWN)
SNAC2 = MastodonBehaviour(
    version="4.0.0 (not true; really snac/2.94)",
    software=Software.SNAC,
    keys=IdempotencyKeys.IGNORED,
    ids=IdForm.HEX,
    resets=Resets.NONE,
    markup=Markup.SNAC,
    application=False,
    private_listed=False,
    hangs_up=True,
    max_characters=100_000,
    orphans=Orphans.ROOT,
    since_id=False,
    links=False,
    instance_v2=InstanceV2.MISSING,
    missing_media=200,
    language_fixed=True,
    line_break="<br>",
    bad_token=BadToken.BARE,
)
TAKAHE = MastodonBehaviour(
    version="takahe/0.11.0",
    software=Software.TAKAHE,
    keys=IdempotencyKeys.IGNORED,
    resets=Resets.NONE,
    private_listed=False,
    private_at_home=False,
    slash=False,
    instance_v2=InstanceV2.BREAKS,
    plain_count=True,
    too_long=400,
    too_long_words="Status is too long",
    orphans=Orphans.TAKEN,
    parent_forgotten=False,
    missing_media=404,
    language_fixed=True,
    line_break="<br>",
    bad_token=BadToken.PLAIN,
)
HOLLO = MastodonBehaviour(
    version="0.7.18",
    software=Software.HOLLO,
    keys=IdempotencyKeys.RACY,
    ids=IdForm.UUID,
    resets=Resets.NONE,
    forms=False,
    markup=Markup.MARKDOWN,
    max_characters=10_000,
    orphans=Orphans.BREAKS,
    parent_forgotten=False,
    line_break="<br>",
)
HOLLO_0_6 = replace(HOLLO, version="0.6.20")
SERVERS = (
    *(MASTODON, MASTODON_4_6, MASTODON_4_5, GOTOSOCIAL, GOTOSOCIAL_500, GOTOSOCIAL_MARKDOWN),
    *(SNAC2, TAKAHE, HOLLO, HOLLO_0_6),
)
"""The servers that were tried, for tests that run on each of them."""
