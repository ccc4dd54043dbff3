"""The values that the page's templates show. All texts and counts are made before a template."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.model import Network

LABELS = {Network.TWITTER: "X", Network.MASTODON: "Mastodon", Network.BLUESKY: "Bluesky"}
"""What people call the networks."""


class Tone(StrEnum):
    """How good or bad a state is, as a colour. The page also names every state in words."""

    PLAIN = "plain"
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: plain, or shown as a `link` or a `tag`. `href` is empty or https."""

    text: str
    kind: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture of a post. `src` is a data URL or a path of this server, empty if there is none.

    `instead` is the text shown without `src`. `size` is the width and height in pixels, if known,
    so that the page keeps room for the picture.
    """

    alt: str
    instead: str
    src: str = ""
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class CardView:
    """The card that a network shows below a post for a linked page. `href` is empty or https."""

    title: str
    description: str
    host: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a post or a thread."""

    text: str
    tone: Tone = Tone.WAIT


@dataclass(frozen=True, slots=True)
class PostView:
    """One post. `anchor` is unique on the page, `parent` is the anchor of the post it replies to.

    `near` says that the post is nearly full, `ends` that it is the last of its thread. `stamp` is
    `when` in ISO 8601.
    """

    anchor: str
    number: int
    pieces: tuple[Piece, ...]
    length: int
    limit: int
    near: bool = False
    state: str = ""
    tone: Tone = Tone.PLAIN
    url: str = ""
    when: str = ""
    stamp: str = ""
    price: str = ""
    notes: tuple[Note, ...] = ()
    pictures: tuple[PictureView, ...] = ()
    card: CardView | None = None
    visibility: str = ""
    language: str = ""
    parent: str = ""
    parent_number: int = 0
    ends: bool = False

    @property
    def share(self) -> int:
        """How much of the limit is used, in percent."""
        return min(100, round(100 * self.length / self.limit)) if self.limit else 0

    @property
    def full(self) -> str:
        """How close the text is to its limit: `over`, `near` or empty."""
        if self.length > self.limit:
            return "over"
        return "near" if self.near else ""


@dataclass(frozen=True, slots=True)
class SwitchView:
    """A fault that can be switched on and off."""

    name: str
    label: str
    hint: str
    on: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """An account's requests and the faults that can be switched on, for the sandbox.

    `summary` counts the requests, `saying` is the bot's last step in words, `asked` are the last
    requests in words.
    """

    summary: str
    saying: str = ""
    tone: Tone = Tone.PLAIN
    switches: tuple[SwitchView, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A column: an account's profile, and the posts of a thread.

    `key` is unique on the page. `facts` are shown under the name, `empty` if there are no posts.
    """

    key: str
    network: Network
    name: str
    handle: str
    bio: str = ""
    badge: str = ""
    facts: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    posts: tuple[PostView, ...] = ()
    empty: str = ""
    panel: Panel | None = None

    @property
    def label(self) -> str:
        """What people call the network."""
        return LABELS[self.network]


@dataclass(frozen=True, slots=True)
class Live:
    """What only a served page has. `token` proves that a form comes from this page.

    `next` is the label of the button, `variables` are the settings that make a bot post here. Both
    may be empty.
    """

    token: str
    next: str = ""
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageView:
    """The page. `eyebrow` says what kind of page it is, `lead` what it shows."""

    title: str
    eyebrow: str
    lead: str
    threads: tuple[ThreadView, ...]
    facts: tuple[tuple[str, str], ...] = ()
    foot: str = ""
    live: Live | None = None
