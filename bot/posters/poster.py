"""The protocol of a poster: what delivery needs from each network.

A poster makes one request for each call and returns the result. It never waits, retries or decides.
The result of a post, a deletion or an upload is an `Outcome`, also where the network fails. A read
that fails raises `CannotRead`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from bot.errors import BotError
from bot.model import Card, Network, Span

MOST_ANSWERS: Mapping[Network, int] = MappingProxyType(
    {
        Network.TWITTER: 2,
        Network.MASTODON: 2,
        # renewing the session is two, refused it is another login; root and parent are read first
        Network.BLUESKY: 8,
    }
)
"""The most answers that one call of a poster waits for, each for up to the timeout."""


class OutcomeKind(StrEnum):
    """The four kinds of outcome. Only `REFUSED` and `LATER` prove that nothing was published."""

    SENT = "sent"
    REFUSED = "refused"
    LATER = "later"
    UNKNOWN = "unknown"


class Refusal(StrEnum):
    """What a refusal is about. This decides what happens next."""

    CREDENTIALS = "credentials"
    """The account's tokens, or the account itself. The account stops; its posts stay planned."""
    SCOPE = "scope"
    """The tokens, or the plan behind them, do not allow this kind of request."""
    ADDRESS = "address"
    """The account's base URL is not that of the network's API."""
    REPLIES = "replies"
    """X's reply rule. The opening stands alone, and the thread is held."""
    PARENT = "parent"
    """The post replied to is gone."""
    CONTENT = "content"
    """The network will never accept this post as it is."""


@dataclass(frozen=True, slots=True)
class PostRequest:
    """A post to publish. `parent` is the network's id of the post it replies to, empty for a root.

    `root` is the id of the thread's first post. `key` makes a repeat recognisable to a network that
    keeps keys. `media` are ids of uploads. `spans`, `card` and `created` are for a network that
    does not find the links of a text by itself, and that takes the time of writing.
    """

    text: str
    key: str
    parent: str = ""
    root: str = ""
    language: str = "en"
    visibility: str = "public"
    media: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    card: Card | None = None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture of a post: its bytes, its media type, and its alternative text."""

    data: bytes = field(repr=False)
    type: str
    alt: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a request to publish, to delete or to upload.

    `id` is there for SENT, and `url` where it is a post. `reason` is for people and holds no
    secret. `until` says when to come back after LATER: None means after a moment, and after longer
    each time. `flaw` names what is wrong with what was SENT: another parent than asked for, an
    upload without its alternative text. `bare` says that a post was SENT and its media are missing.
    `cost` is what the network bills for a request to delete or to upload, in US dollars. `ready` is
    False for an upload that no post may take yet. `duplicate` says that this try surely published
    nothing, since the network has such a post already (UNKNOWN). That post may be from an earlier
    try or from another sender. `fix` is what a person can do about a refusal.
    """

    sort: OutcomeKind
    id: str = ""
    url: str = ""
    reason: str = ""
    refusal: Refusal | None = None
    until: datetime | None = None
    flaw: str = ""
    cost: Decimal = Decimal(0)
    ready: bool = True
    bare: str = ""
    duplicate: bool = False
    fix: str = ""


@dataclass(frozen=True, slots=True)
class RemotePost:
    """A post of the account, as the network returns it.

    `text` is plain: t.co links, entities and HTML are undone. `parent` is the id it replies to,
    empty for a root. `application` is the program that wrote it, `key` its record key, `author` the
    id of the account, all empty where the network does not say.
    """

    id: str
    url: str
    text: str
    parent: str
    created: datetime
    application: str = ""
    media: int = 0
    key: str = ""
    author: str = ""


MOST_TEXT = 8_000_000
"""Characters of posts that one read keeps. A read of more text ends early, and is incomplete."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The account's own posts, newest first, from one or more requests.

    `complete` says that reading reached the post or the time it was asked to go back to; only then
    does it prove that a post is absent. `cost` is what the network bills for it, in US dollars.
    `clock` is the network's own time when it answered, None where it did not say.
    """

    posts: tuple[RemotePost, ...]
    complete: bool
    cost: Decimal = Decimal(0)
    clock: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountProfile:
    """The account on the network, and advice for the operator.

    `id` is the account's own. `limit` is the longest post the server takes, None where it does not
    say. `advice` are sentences for the operator, such as that the account is not marked as a bot.
    `server` is the software of the server in lower case (`mastodon`, `gotosocial`, `snac`,
    `takahe`, `hollo`), empty where that is not known.
    """

    id: str
    handle: str
    url: str
    limit: int | None = None
    application: str = ""
    advice: tuple[str, ...] = ()
    server: str = ""

    @property
    def who(self) -> str:
        """What identifies the account on the whole network: its DID, else its address.

        An id is unique on its server only. Empty where the network names neither.
        """
        return self.id if self.id.startswith("did:") else self.url


class CannotRead(BotError):
    """The account's posts could not be read.

    `until` says when to try again, None where the network did not say. `final` means that trying
    again will not help: the credentials or the plan do not allow it. `stops` says that it is about
    the whole account, such as its credentials or its address, so that the account can do nothing.
    `refusal` says what it is about. `blind` says that the account can post, but no read shows
    its posts, since the server leaves private posts out: reading then proves nothing. `login`
    says that the login failed, which is tried as seldom as possible. `named` is False where the
    network did not name the time `until`.
    """

    def __init__(  # noqa: PLR0913 - what follows from a read that failed
        self,
        message: str,
        fix: str = "",
        *,
        until: datetime | None = None,
        final: bool = False,
        stops: bool = False,
        refusal: Refusal | None = None,
        blind: bool = False,
        login: bool = False,
        named: bool = True,
    ) -> None:
        super().__init__(message, fix)
        self.until = until
        self.final = final
        self.stops = stops
        self.refusal = refusal
        self.blind = blind
        self.login = login
        self.named = named

    @property
    def wrong(self) -> bool:
        """Whether a setting cannot be right."""
        return self.refusal is Refusal.ADDRESS


class Poster(Protocol):
    """One account on one network. Not for use by two threads at once."""

    def publish(self, post: PostRequest) -> Outcome:
        """Publish one post, in exactly one request."""
        ...

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Timeline:
        """Read our own posts back to the time `since`, or to the post `after` where that is nearer.

        `after` is an id of ours, and is itself not returned. A network that files posts under keys
        of ours reads those with these `keys`, and those filed between them, whatever the time.
        Raises CannotRead.
        """
        ...

    def read(self, post_id: str) -> RemotePost | None:
        """Read one post; None where it is not there. Raises CannotRead."""
        ...

    def delete(self, post_id: str) -> Outcome:
        """Delete one post, in one request. A post that is not there counts as deleted (SENT)."""
        ...

    def upload(self, media: Upload) -> Outcome:
        """Upload a picture with its alternative text, for `PostRequest.media` to name by its id.

        Nothing of it is public until a post takes it, so it may be done again whatever came of it:
        SENT, LATER, REFUSED, which but for CREDENTIALS speaks of this picture only, or UNKNOWN.
        """
        ...

    def media_ready(self, media_id: str) -> Outcome:
        """Ask, in one request, about an upload that was SENT and not `ready`.

        REFUSED means that the network could not use the upload, or does not have it any more.
        """
        ...

    def profile(self) -> AccountProfile:
        """Try the credentials, and read the account's profile. Raises CannotRead."""
        ...

    def cost(self, text: str) -> Decimal:
        """Return what the network bills for publishing `text`, in US dollars."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
