"""Turn one post of a plan and its row in the ledger into a view for the page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from bot.formatter.x.prices import thread_price
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Account, Media, Network, Post, State
from bot.output.data import is_near
from bot.output.page.pieces import Stretch, linked, safe, size_of
from bot.output.page.views import CardView, Note, PictureView, PostView, Tone

Kept = Callable[[StoredThread, int], bytes]
"""Returns the picture of a stored thread's post, by position. Empty if the ledger has none."""

STATES = {
    State.PLANNED: ("Not sent yet", Tone.PLAIN),
    State.SENDING: ("Being sent", Tone.WAIT),
    State.SENT: ("Sent", Tone.GOOD),
    State.UNKNOWN: ("Unknown: it may be published", Tone.WAIT),
    State.HELD: ("Held: a person must decide", Tone.BAD),
    State.RETRACTED: ("Retracted", Tone.PLAIN),
}
_SHORTENED = {
    "authors": "The list of authors was shortened to fit.",
    "areas": "Areas were left out to fit.",
    "title": "The title was cut to fit.",
}


@dataclass(frozen=True, slots=True)
class Known:
    """One post of a plan, and its row in the ledger."""

    post: Post
    stored: StoredPost | None

    @property
    def state(self) -> State:
        """The state in the ledger, or PLANNED if the ledger does not have the post."""
        return self.stored.state if self.stored else State.PLANNED

    @property
    def is_out(self) -> bool:
        """Whether the post has an id on its network."""
        return bool(self.stored and self.stored.id)


def dollars(amount: Decimal) -> str:
    """Return an amount as `$0.20`, or as `$0.015` if it has a third decimal place."""
    text = f"{amount:,.3f}"
    return f"${text.removesuffix('0')}"


def billed(posts: Sequence[Known]) -> Decimal:
    """Return what X bills for creating these posts, in US dollars."""
    drawn = sum(len(one.post.media) for one in posts)
    return thread_price((one.post.text for one in posts), drawn)


def pictures(one: Known, stored: StoredThread | None, kept: Kept) -> tuple[PictureView, ...]:
    """Return the post's pictures. One that is neither drawn nor in the ledger is an empty frame."""
    known = kept(stored, one.post.position) if stored and one.stored and one.post.media else b""
    return tuple(
        _picture(media, media.data or known, is_out=one.is_out) for media in one.post.media
    )


def _picture(media: Media, data: bytes, *, is_out: bool) -> PictureView:
    size = size_of(data)
    source = f"data:image/png;base64,{b64encode(data).decode()}" if size else ""
    gone = "Published with this picture. The file is not kept."
    return PictureView(media.alt, gone if is_out else f"Picture ({media.type})", source, size)


def view(
    key: str, at: int, one: Known, account: Account, shown: tuple[PictureView, ...]
) -> PostView:
    """Return the view of a post. `at` is its place in the thread, from 0, `key` the thread's."""
    post = one.post
    state, tone = STATES[one.state]
    return PostView(
        anchor=f"{key}-{at + 1}",
        number=at + 1,
        pieces=linked(account.network, post.text, _stretches(post)),
        length=post.length,
        limit=post.limit,
        near=is_near(post),
        state=state,
        tone=tone,
        url=safe(one.stored.url) if one.stored else "",
        price=_price(account, one),
        notes=_merged([*_notes(one)]),
        pictures=shown,
        card=_card(post),
        visibility=_visibility(account, at),
        language=account.language,
        parent=f"{key}-{at}" if at else "",
        parent_number=at,
    )


def _stretches(post: Post) -> list[Stretch]:
    return [(span.start, span.end, span.uri) for span in post.spans]


def _card(post: Post) -> CardView | None:
    card = post.card
    if card is None or post.media:  # a post has room for one of the two
        return None
    href = safe(card.uri)
    host = urlsplit(href).hostname or "" if href else ""
    return CardView(card.title, card.description, host, href)


def _visibility(account: Account, at: int) -> str:
    """Return who sees a Mastodon post. The replies of a public thread are unlisted."""
    if account.network is not Network.MASTODON:
        return ""
    first = account.visibility.value
    return "unlisted" if at and first == "public" else first


def _price(account: Account, one: Known) -> str:
    if account.network is not Network.TWITTER:
        return ""
    price = dollars(billed([one]))
    return f"{price} billed" if one.is_out else price


def _merged(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Join the notes into one, which has the worst of their tones."""
    if not notes:
        return ()
    tones = [note.tone for note in notes]
    return (Note(" ".join(note.text for note in notes), max(tones, key=list(Tone).index)),)


def _notes(one: Known) -> Iterator[Note]:
    post = one.post
    if post.length > post.limit:
        yield Note(f"{post.length - post.limit} over the limit.", Tone.BAD)
    elif is_near(post):
        left = post.limit - post.length
        yield Note(f"Near the limit: {left} left." if left else "At the limit: nothing left.")
    for what in post.shortened:
        yield Note(_SHORTENED.get(what, f"Shortened to fit: {what}."))
    if one.stored and one.stored.reason and one.state is not State.SENT:
        tone = Tone.BAD if one.state is State.HELD else Tone.WAIT
        yield Note(one.stored.reason, tone)
