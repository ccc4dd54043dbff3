"""What the page shows, as values: all that is worded, counted and checked before a template."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.model import Network

LABELS = {Network.TWITTER: "X", Network.MASTODON: "Mastodon", Network.BLUESKY: "Bluesky"}
"""What people call the networks."""


class Tone(StrEnum):
    """How a state feels; the page says every state in words as well."""

    PLAIN = "plain"
    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: plain, or shown as a `link` or a `tag`. `href` is empty or https."""

    text: str
    kind: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture of a post. `src` is a data URL or a path of our own; empty where it is not here.

    `instead` is said in its place then. `size` is its width and height in pixels where these are
    known, so that nothing jumps.
    """

    alt: str
    instead: str
    src: str = ""
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a network shows below a post of the page it links to. `href` is empty or https."""

    title: str
    description: str
    host: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to look at before it goes out, or what became of it."""

    text: str
    tone: Tone = Tone.WAIT


@dataclass(frozen=True, slots=True)
class PostView:
    """One post. `anchor` is unique on the page, `parent` the anchor of what it replies to.

    `near` says that there was hardly room for it, `ends` that no post of its thread follows.
    `stamp` is `when` as machines write it.
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
    leaf: Leaf | None = None
    visibility: str = ""
    language: str = ""
    parent: str = ""
    parent_number: int = 0
    ends: bool = False

    @property
    def share(self) -> int:
        """How much of the limit is used, in percent, for a meter."""
        return min(100, round(100 * self.length / self.limit)) if self.limit else 0

    @property
    def full(self) -> str:
        """`over`, `near` or nothing: how close the text is to its limit."""
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
    """How an account copes, for the sandbox: what was asked of it, and the faults it can have.

    `saying` is what the bot itself says of its last step, `asked` the last requests in words.
    """

    coping: str
    saying: str = ""
    tone: Tone = Tone.PLAIN
    switches: tuple[SwitchView, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A column: an account as its profile shows it, and the posts of a thread.

    `key` is unique on the page. `facts` stand under the name; `empty` is said where nothing is.
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
    """What only a page has that is served: `token` proves that a form is ours.

    `next` is what a button offers, `variables` what leads a bot to this place; both may be empty.
    """

    token: str
    next: str = ""
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageView:
    """The whole page. `eyebrow` says what kind of page it is, `lead` what to make of it."""

    title: str
    eyebrow: str
    lead: str
    threads: tuple[ThreadView, ...]
    facts: tuple[tuple[str, str], ...] = ()
    foot: str = ""
    live: Live | None = None
