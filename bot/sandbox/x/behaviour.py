"""How X behaves, as far as it can be told or is known to change: one frozen value.

The defaults are X for a new pay-per-use developer, as documented in August 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from bot.sandbox.rewrites import Rewrites, Stamps


class Duplicates(StrEnum):
    """Which posts are refused as repeating a text: none, the very same, or nearly the same."""

    NONE = "none"
    EXACT = "exact"
    FUZZY = "fuzzy"


class Replies(StrEnum):
    """Which replies an app may make: under its own posts and mentions, none at all, or any."""

    OWN = "own"
    NONE = "none"
    ANY = "any"


class Paging(StrEnum):
    """How the timeline is paged.

    FULL: as documented. EMPTY_FIRST: the first page is empty and names a next one, which is a 503.
    """

    FULL = "full"
    EMPTY_FIRST = "empty first"


class FieldNames(StrEnum):
    """What fields are called: `referenced_tweets`, or `referenced_posts` as newly documented."""

    TWEETS = "tweets"
    POSTS = "posts"


@dataclass(frozen=True, slots=True)
class CallPrices:
    """US dollars a call, https://docs.x.com/x-api/getting-started/pricing, read 2026-08-22.

    `read` is for each post returned of the account's own, `linked` for a post with a URL in it,
    `metadata` for saying what an upload shows.
    """

    post: Decimal = Decimal("0.015")
    linked: Decimal = Decimal("0.200")
    read: Decimal = Decimal("0.001")
    user: Decimal = Decimal("0.010")
    delete: Decimal = Decimal("0.010")
    metadata: Decimal = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class XLimits:
    """Requests in a window, for one user. The window begins with the first of them."""

    create: int = 100
    timeline: int = 900
    lookup: int = 900
    delete: int = 50
    me: int = 75
    upload: int = 500
    metadata: int = 500
    window: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class XBehaviour:
    """What X does where it could do otherwise.

    `duplicates` compares with what was posted within `duplicates_for`; with `duplicates_deleted`
    also with posts that are gone. `missing_parent` and `delete_missing` are the status for a reply
    to, and the deletion of, a post that is not there (both 400 and 403 are on record for the
    first; for the second 404, or 200 with `deleted` false). `parent_lag`: a post cannot be
    replied to at once. `timeline_lag`, `lookup_lag`: how late a post can be read, by timeline and
    by id. `unreadable` is the status of every read of posts on a plan without it, 401 or 403.
    `credits` of None never run out; `bills_refusals` bills a create that was refused as well.
    `signed_for` are the addresses a signature may be made out to, beside the one it is sent to.
    An upload has `media_limit` bytes and `alt_limit` characters at most, and is gone after
    `media_expires`; `processing` is how long it is worked on first, `breaks_media` makes that fail,
    `loses_media` publishes posts without the files they came with. `rewrites` and `stamps` alter
    the words and times of what is read, `pages` how much of it comes.
    """

    duplicates: Duplicates = Duplicates.EXACT
    duplicates_for: timedelta = timedelta(hours=24)
    duplicates_deleted: bool = False
    replies: Replies = Replies.OWN
    parent_lag: timedelta = timedelta(0)
    missing_parent: int = 403
    delete_missing: int = 404
    timeline_lag: timedelta = timedelta(0)
    lookup_lag: timedelta = timedelta(0)
    unreadable: int | None = None
    names: FieldNames = FieldNames.TWEETS
    max_weight: int = 280
    depth: int = 3200
    depth_without_replies: int = 800
    media_limit: int = 5 * 1024 * 1024
    media_expires: timedelta = timedelta(hours=24)
    alt_limit: int = 1000
    processing: timedelta = timedelta(0)
    breaks_media: bool = False
    loses_media: bool = False
    rewrites: Rewrites = Rewrites.NONE
    stamps: Stamps = Stamps.WRITTEN
    pages: Paging = Paging.FULL
    credits: Decimal | None = None
    bills_refusals: bool = False
    prices: CallPrices = CallPrices()
    limits: XLimits = XLimits()
    signed_for: tuple[str, ...] = ("https://api.twitter.com", "https://api.x.com")
