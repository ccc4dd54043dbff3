"""How X behaves, as one frozen value, where X may change or is not documented.

The defaults are X for a new pay-per-use developer, as documented in August 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from bot.sandbox.rewrites import Rewrites, Stamps


class Duplicates(StrEnum):
    """Which texts are refused as duplicates: none, or equal texts."""

    NONE = "none"
    EXACT = "exact"


class Paging(StrEnum):
    """How the timeline is paged.

    FULL: as documented. EMPTY_FIRST: the first page is empty, and the next one is a 503.
    """

    FULL = "full"
    EMPTY_FIRST = "empty first"


class FieldNames(StrEnum):
    """The names of fields: `referenced_tweets`, or `referenced_posts` as documented later."""

    TWEETS = "tweets"
    POSTS = "posts"


@dataclass(frozen=True, slots=True)
class CallPrices:
    """US dollars a call, https://docs.x.com/x-api/getting-started/pricing, read 2026-08-22.

    `read` is for each returned post of the account, `linked` for making a post with a URL,
    `metadata` for setting an alt text.
    """

    post: Decimal = Decimal("0.015")
    linked: Decimal = Decimal("0.200")
    read: Decimal = Decimal("0.001")
    user: Decimal = Decimal("0.010")
    delete: Decimal = Decimal("0.010")
    metadata: Decimal = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class XLimits:
    """Requests in a window, for one user. The window begins with its first request."""

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
    """How X behaves.

    `duplicates` compares with the posts of the last day. `timeline_lag`: how late a post is in the
    timeline, which has the newest `depth` posts. `unreadable` is the HTTP status of every read of
    posts on a plan without reads, 401 or 403. `credits` of None never run out. An upload has at
    most `media_limit` bytes and `alt_limit` characters of alt text, and expires after
    `media_expires`. `processing` is how long a file is processed, `breaks_media` lets that fail,
    `loses_media` publishes posts without their files. `rewrites` and `stamps` change the texts and
    times that are read, `pages` the pages of the timeline.
    """

    duplicates: Duplicates = Duplicates.EXACT
    timeline_lag: timedelta = timedelta(0)
    unreadable: int | None = None
    names: FieldNames = FieldNames.TWEETS
    max_weight: int = 280
    depth: int = 3200
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
    prices: CallPrices = CallPrices()
    limits: XLimits = XLimits()
