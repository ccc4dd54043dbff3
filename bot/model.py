"""Define the values that every module uses: digests, papers, accounts, threads, posts.

All are frozen. Text from a digest is kept as the publisher wrote it; the formatter tidies it.
Datetimes are aware and in UTC. This module imports nothing of the project, and every other module
may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType


class Network(StrEnum):
    """The networks that a thread can be published on."""

    TWITTER = "twitter"
    MASTODON = "mastodon"
    BLUESKY = "bluesky"


class State(StrEnum):
    """What the ledger knows about a post."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    HELD = "held"
    RETRACTED = "retracted"


class Style(StrEnum):
    """One post for each paper, or one post for the digest."""

    THREAD = "thread"
    SINGLE = "single"


class Links(StrEnum):
    """Which posts carry a link: every post, only the closing, or none."""

    EVERY = "every"
    CLOSING = "closing"
    NONE = "none"


class Syntax(StrEnum):
    """How a server reads the text of a post."""

    PLAIN = "plain"
    MARKDOWN = "markdown"


class ReplyListing(StrEnum):
    """Whether the replies of a public Mastodon thread are public or unlisted."""

    UNLISTED = "unlisted"
    PUBLIC = "public"


class Visibility(StrEnum):
    """Who sees the first post of a Mastodon thread, in Mastodon's terms."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"
    DIRECT = "direct"

    @property
    def is_private(self) -> bool:
        """Whether only followers, or only the people it mentions, see the post."""
        return self in {Visibility.PRIVATE, Visibility.DIRECT}


@dataclass(frozen=True, slots=True)
class CountKind:
    """A kind of count: its noun for one and for many, and the place where it is counted."""

    one: str
    many: str
    place: str


COUNT_KINDS: Mapping[str, CountKind] = MappingProxyType(
    {
        "retweets": CountKind("retweet", "retweets", "Twitter"),
        "favorites": CountKind("like", "likes", "Twitter"),
        "upvotes": CountKind("upvote", "upvotes", "Hugging Face"),
        "comments": CountKind("comment", "comments", ""),
        "points": CountKind("point", "points", "Hacker News"),
        "stars": CountKind("star", "stars", "GitHub"),
        "shares": CountKind("share", "shares", ""),
    }
)
"""The kinds of count that a digest may have, by their names in its Markdown."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """How often people reacted to a paper.

    `counts` are pairs of a kind, a key of `COUNT_KINDS`, and a number, in the digest's order. They
    were counted at `as_of` (UTC; None if not known).
    """

    counts: tuple[tuple[str, int], ...] = ()
    as_of: datetime | None = None

    def number(self, kind: str) -> int:
        """Return the count of a kind, 0 where the digest does not have it."""
        return dict(self.counts).get(kind, 0)


@dataclass(frozen=True, slots=True)
class Mention:
    """A tweet about a paper, embedded in the digest.

    `text` is plain: tags removed, entities decoded, a line break for each `<br>`. `handle` has no
    `@`. `date` is the day that the tweet shows, None where it cannot be read.
    """

    author: str
    handle: str
    text: str
    language: str = ""
    url: str = ""
    date: date | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper of a digest.

    `arxiv_id` has no version; it and `doi` are empty where the paper has none. `abs_url` is the
    paper's page. `abstract` may be empty. `says` are the sentences of the abstract that say what
    the paper does, the best first; the formatter fills it.
    """

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
    doi: str = ""
    says: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What identifies the paper: its arXiv id, else its DOI, else the address of its page."""
        return self.arxiv_id or self.doi or self.abs_url

    @property
    def link(self) -> str:
        """The address that a post links."""
        if self.arxiv_id:
            return f"https://arxiv.org/abs/{self.arxiv_id}"
        return f"https://doi.org/{self.doi}" if self.doi else self.abs_url

    @property
    def label(self) -> str:
        """What stands in a post that does not link the paper."""
        if self.arxiv_id:
            return f"arXiv:{self.arxiv_id}"
        return f"doi:{self.doi}" if self.doi else self.abs_url


@dataclass(frozen=True, slots=True)
class Digest:
    """The papers of a day, or of the days from `day` to `last_day`, both included.

    `published` is when the digest was published (UTC), usually the day after. `url` is the digest's
    page for readers, empty where none is known. `ranked_by` says by what the papers are ranked,
    such as `upvotes on Hugging Face`, empty where the digest claims no ranking. `source` is the
    address of the list that the digest was made from, if there is one.
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
    ranked_by: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A file of a post: its media type, and its content in words (`alt`).

    `data` are its bytes, empty in a dry run.
    """

    alt: str
    type: str
    data: bytes = field(default=b"", repr=False, compare=False)


EVERY_HALF_HOUR = "*/30 * * * *"


@dataclass(frozen=True, slots=True)
class Span:
    """A link in a post's text, from code point `start` to before `end`.

    It leads to the address `uri`, or to the posts with the hashtag `tag` (without `#`), never both.
    """

    start: int
    end: int
    uri: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """The preview of a linked page that a network shows below a post."""

    uri: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the bot publishes on, and how its threads are written.

    `top` is the number of papers in a thread, 0 for all. `max_characters` is the limit of a post,
    in the network's own count. `replies` is how the replies of a public thread are listed,
    `dialect` how the account's server reads text. `templates` is a folder of the operator, searched
    first. Only papers with one of `categories` are published, if there are any; `exclude` (keys of
    papers, authors, words) leaves papers out. With `hashtags` None they are made of the digest's
    tags. `schedule` is the cron line by which the worker looks for a new digest. `picture` says
    whether the opening post carries a picture of the ranking.
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
    """One post of a thread, with its final text.

    `part` is `opening`, `closing`, or a paper's key; it never depends on wording or position.
    `token` is the part of `text` by which the post is recognised when it is read back. `length` and
    `limit` are in the network's own count; `spare` is the abstract's share of the length, which
    fills the room that is left. `shortened` names what was shortened (`authors`, `title`) so that
    the post fits. `spans` are its links and hashtags and `card` its preview of a page, where the
    network does not find them in the text by itself.
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
        """The post's place in its thread, counted from 1."""
        return self.position + 1


@dataclass(frozen=True, slots=True)
class Thread:
    """The posts that one account publishes for one digest, each a reply to the one before.

    `papers` are the keys of the digest's papers that the account publishes, with those that are
    left out because the account published them lately.
    """

    account: Account
    digest: str
    posts: tuple[Post, ...]
    papers: tuple[str, ...] = ()
