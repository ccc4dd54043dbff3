"""The words of the project: what a digest holds, what a thread is made of.

Everything here is a frozen value. Text from a digest is kept as the publisher wrote it (tidying is
the formatter's work), datetimes are aware and in UTC, counts are whole numbers. This module imports
nothing of the project, and every other one may import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path


class Network(StrEnum):
    """The kinds of service a thread can be published on."""

    TWITTER = "twitter"
    MASTODON = "mastodon"
    BLUESKY = "bluesky"


class State(StrEnum):
    """What is known of a post."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    HELD = "held"
    RETRACTED = "retracted"


class Style(StrEnum):
    """One post a paper, or the whole digest packed into one post."""

    THREAD = "thread"
    SINGLE = "single"


class Links(StrEnum):
    """Which posts carry a link: each one, only the closing, or none."""

    EVERY = "every"
    CLOSING = "closing"
    NONE = "none"


class Syntax(StrEnum):
    """How a server reads the words of a post: as they are, or as Markdown."""

    PLAIN = "plain"
    MARKDOWN = "markdown"


class ReplyListing(StrEnum):
    """How the other posts of a public Mastodon thread are listed."""

    UNLISTED = "unlisted"
    PUBLIC = "public"


class Visibility(StrEnum):
    """Who sees the first post of a Mastodon thread, in Mastodon's own words."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"
    DIRECT = "direct"

    @property
    def is_private(self) -> bool:
        """Whether only followers see it, or only those it names."""
        return self in {Visibility.PRIVATE, Visibility.DIRECT}


@dataclass(frozen=True, slots=True)
class Metrics:
    """How often a paper was shared and liked, as counted at `as_of` (UTC; None where not said)."""

    retweets: int
    favorites: int
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """A tweet about a paper, embedded in the digest.

    `text` is plain: tags removed, entities decoded, a line break for each `<br>`. `handle` has no
    `@`. `date` is as the tweet shows it, a day without a time; None where it cannot be read.
    """

    author: str
    handle: str
    text: str
    language: str = ""
    url: str = ""
    date: date | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """One section of a digest. `arxiv_id` carries no version; `abstract` may be empty."""

    rank: int
    title: str
    authors: tuple[str, ...]
    metrics: Metrics
    arxiv_id: str
    abs_url: str
    pdf_url: str = ""
    categories: tuple[str, ...] = ()
    abstract: str = ""
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class Digest:
    """The papers of a day, or of the days from `day` to `last_day`, both included.

    `published` is when the digest came out (UTC), usually the day after. `url` is the digest's page
    for readers, empty where none is known.
    """

    slug: str
    title: str
    day: date
    last_day: date
    published: datetime
    papers: tuple[Paper, ...] = ()
    draft: bool = False
    category: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A file that travels with a post: its media type, and what it shows in words.

    `data` are its bytes, where they were made; a dry run does without.
    """

    alt: str
    type: str
    data: bytes = field(default=b"", repr=False, compare=False)


EVERY_HALF_HOUR = "*/30 * * * *"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a post's text, from `start` to before `end` in code points, that leads somewhere.

    To the address `uri`, or to the posts with the hashtag `tag`, which has no `#`; never to both.
    """

    start: int
    end: int
    uri: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What a network shows below a post of the page that it links to."""

    uri: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Account:
    """One account of ours on a network, and the taste its threads are written to.

    `top` is how many papers a thread holds, 0 for all. `max_characters` is the limit its posts are
    rendered to, in the network's own count. `replies` is how those of a public thread are listed,
    `dialect` is how its server reads them. `templates` is
    a folder of the operator's, searched first. `categories` lets only papers through that have one
    of them; `exclude` (arXiv ids, authors, words) keeps papers out. `hashtags` of None takes them
    from the digest's tags. `schedule` is the cron line by which the worker looks for a new digest.
    `picture` says whether the opening post carries a picture of the ranking.
    """

    name: str
    network: Network
    top: int = 10
    style: Style = Style.THREAD
    links: Links = Links.EVERY
    visibility: Visibility = Visibility.PUBLIC
    replies: ReplyListing = ReplyListing.UNLISTED
    dialect: Syntax = Syntax.PLAIN
    max_characters: int = 280
    monthly_budget: Decimal | None = None
    templates: Path | None = None
    categories: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    language: str = "en"
    hashtags: tuple[str, ...] | None = None
    schedule: str = EVERY_HALF_HOUR
    picture: bool = False


@dataclass(frozen=True, slots=True)
class Post:
    """One post of a thread, worded for good.

    `part` names what it is about: `opening`, `closing`, or a paper's arXiv id; it never depends on
    wording or position. `token` is the piece of `text` by which it is recognised when read back.
    `length` and `limit` are in the network's own count; `spare` of the length is the abstract's,
    which takes what room is left. `shortened` names what had to give way (`authors`, `title`) so
    that the post fits. `spans` are its links and hashtags, and `card` what is shown of a page,
    where the network does not find these in the text by itself.
    """

    position: int
    part: str
    text: str
    token: str
    length: int
    limit: int
    media: tuple[Media, ...] = ()
    shortened: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    card: Card | None = None
    spare: int = 0

    @property
    def number(self) -> int:
        """Which post of its thread it is, counted from 1 as people do."""
        return self.position + 1


@dataclass(frozen=True, slots=True)
class Thread:
    """What one account publishes of one digest: each post a reply to the one before.

    `papers` are the ids of the papers that the account publishes of the digest, those included
    that are left out because they went out lately.
    """

    account: Account
    digest: str
    posts: tuple[Post, ...]
    papers: tuple[str, ...] = ()
