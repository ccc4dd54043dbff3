"""Threads and what the ledger has of them, as views for the page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from bot.formatter.prices import PRICES, month_price, thread_price
from bot.formatter.tidy import tidy
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Account, Digest, Media, Network, Post, State, Thread
from bot.show.data import shown_posts
from bot.show.page.pieces import Stretch, linked, safe, size_of
from bot.show.page.views import (
    LABELS,
    Leaf,
    Note,
    PageView,
    Picture,
    PostView,
    ThreadView,
    Tone,
)

Kept = Callable[[StoredThread, int], bytes]
"""Gives the picture of a stored thread's post, by position; empty where it is not to be had."""

_STATES = {
    State.PLANNED: ("Not sent yet", Tone.PLAIN),
    State.SENDING: ("Being sent", Tone.WAIT),
    State.SENT: ("Sent", Tone.GOOD),
    State.UNKNOWN: ("Unknown: it may be out", Tone.WAIT),
    State.HELD: ("Held: a person must decide", Tone.BAD),
    State.RETRACTED: ("Taken back", Tone.PLAIN),
}
# From this share of the limit on, a post is said to be near it.
_NEARLY_FULL = 0.95
_GAVE_WAY = {
    "authors": "The list of authors was shortened to fit.",
    "areas": "Areas were left out to fit.",
    "title": "The title was cut to fit.",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """One post of a plan, what had to give way in it, and what the ledger has of it."""

    post: Post
    stored: StoredPost | None

    @property
    def state(self) -> State:
        return self.stored.state if self.stored else State.PLANNED

    @property
    def is_out(self) -> bool:
        return bool(self.stored and self.stored.id)


def _none_kept(thread: StoredThread, position: int) -> bytes:
    del thread, position
    return b""


def page(  # noqa: PLR0913 - what is shown, and what is known of it
    digest: Digest,
    source: str,
    threads: Sequence[Thread],
    stored: Mapping[str, StoredThread | None],
    *,
    made: datetime,
    kept: Kept = _none_kept,
) -> PageView:
    """The page of a plan. `stored` gives, by account, what the ledger has; `made` is now, UTC.

    `kept` is asked for the pictures of what the ledger has.
    """
    known = [_known(thread, stored.get(thread.account.name)) for thread in threads]
    columns = tuple(
        _column(number, thread, posts, stored.get(thread.account.name), kept)
        for number, (thread, posts) in enumerate(zip(threads, known, strict=True), 1)
    )
    return PageView(
        title=tidy(digest.title),
        eyebrow="Preview",
        lead="The threads as readers will see them. Nothing was sent to make this page.",
        threads=columns,
        facts=tuple(_facts(digest, source, threads, known)),
        foot=f"Made {made:%Y-%m-%d %H:%M} UTC by bot preview.",
    )


def counted(number: int, what: str) -> str:
    """`1 post`, `2 posts`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def dollars(amount: Decimal) -> str:
    """`$0.20`, and `$0.015` where there is a third place to show."""
    text = f"{amount:,.3f}"
    return f"${text.removesuffix('0')}"


def handle(network: Network, name: str) -> str:
    """How an account of that name is addressed there, as far as a plan can know it."""
    ends = {Network.TWITTER: "", Network.MASTODON: "@your.server", Network.BLUESKY: ".your.host"}
    return f"@{name}{ends[network]}"


def _known(thread: Thread, stored: StoredThread | None) -> list[_Known]:
    """What is shown of a stored post lacks what gave way in it; the plan may still know that."""
    planned = {(post.part, post.text): post for post in thread.posts}
    found = []
    for post, known in shown_posts(thread, stored):
        same = planned.get((post.part, post.text))
        whole = (
            replace(
                post,
                shortened=same.shortened,
                spans=same.spans,
                card=same.card,
                spare=same.spare,
            )
            if same
            else post
        )
        found.append(_Known(whole, known))
    return found


def _facts(
    digest: Digest, source: str, threads: Sequence[Thread], known: Sequence[Sequence[_Known]]
) -> Iterator[tuple[str, str]]:
    every = [one for posts in known for one in posts]
    yield "Digest", f"{counted(len(digest.papers), 'paper')} · {_short(source)}"
    accounts = counted(len(threads), "account")
    yield "Threads", f"{counted(len(every), 'post')} on {accounts}"
    yield "Sent already", f"{sum(one.is_out for one in every)} of {len(every)}"
    near = sum(_is_near(one.post) for one in every)
    cut = sum(bool(one.post.shortened) for one in every)
    yield "To look at", f"{near} near the limit · {cut} shortened"
    billed = [
        one
        for thread, posts in zip(threads, known, strict=True)
        for one in posts
        if thread.account.network is Network.TWITTER and not one.is_out
    ]
    total = _total(billed)
    a_month = f" · about ${month_price(total):,.2f} a month of such days" if billed else ""
    yield "X would bill", f"{dollars(total)}{a_month}"


def _short(source: str) -> str:
    """An address whole, of a file only its name: the page may be passed on."""
    return source if "://" in source else source.replace("\\", "/").rpartition("/")[2]


def _column(
    number: int,
    thread: Thread,
    posts: Sequence[_Known],
    stored: StoredThread | None,
    kept: Kept,
) -> ThreadView:
    account = thread.account
    key = f"t{number}"
    shown = [
        _post(key, at, one, account, _pictures(one, stored, kept)) for at, one in enumerate(posts)
    ]
    views = (*shown[:-1], *(replace(last, ends=True) for last in shown[-1:]))
    return ThreadView(
        key=key,
        network=account.network,
        name=account.name if account.name != account.network else "Your account",
        handle=handle(account.network, account.name if account.name != account.network else "you"),
        badge="Automated" if account.network is Network.MASTODON else "",
        facts=tuple(_told(account, posts)),
        notes=tuple(_about(thread, posts, stored)),
        posts=views,
        empty="No paper of this digest is for this account.",
    )


def _told(account: Account, posts: Sequence[_Known]) -> Iterator[str]:
    yield counted(len(posts), "post")
    if posts:
        longest = max(one.post.length for one in posts)
        yield f"longest {longest} of {posts[0].post.limit}"
    out = sum(one.is_out for one in posts)
    if out:
        yield f"{out} sent already"
    if account.network is Network.TWITTER:
        total = _total([one for one in posts if not one.is_out])
        yield f"{dollars(total)} to send, at prices of {PRICES.since}"
    else:
        yield f"{LABELS[account.network]} charges nothing"


def _about(thread: Thread, posts: Sequence[_Known], stored: StoredThread | None) -> Iterator[Note]:
    if stored and posts and all(one.stored is None for one in posts):
        yield Note("It was retracted. To publish it anew: bot post --again")
    elif stored and _words(stored.posts) != _words(thread.posts):
        yield Note(
            "Its words were fixed when it was planned; the digest, the templates or the settings "
            "have changed since. To see the new words, let BOT_DATABASE name a file that is not "
            "there."
        )
    for state in (State.HELD, State.UNKNOWN):
        count = sum(one.state is state for one in posts)
        if count:
            tone = _STATES[state][1]
            yield Note(f"{counted(count, 'post')} {state.value}: see bot status", tone)


def _words(posts: Sequence[Post] | Sequence[StoredPost]) -> list[tuple[str, str]]:
    return [(post.part, post.text) for post in posts]


def _total(posts: Sequence[_Known]) -> Decimal:
    pictures = sum(len(one.post.media) for one in posts)
    return thread_price((one.post.text for one in posts), pictures)


def _pictures(one: _Known, stored: StoredThread | None, kept: Kept) -> tuple[Picture, ...]:
    """Those that were just drawn, or wait in the ledger; for others a frame without a picture."""
    known = kept(stored, one.post.position) if stored and one.stored and one.post.media else b""
    return tuple(
        _picture(media, media.data or known, is_out=one.is_out) for media in one.post.media
    )


def _picture(media: Media, data: bytes, *, is_out: bool) -> Picture:
    size = size_of(data)
    source = f"data:image/png;base64,{b64encode(data).decode()}" if size else ""
    gone = "It went out with this picture; its file is not kept."
    return Picture(media.alt, gone if is_out else f"Picture ({media.type})", source, size)


def _post(
    key: str, at: int, one: _Known, account: Account, pictures: tuple[Picture, ...]
) -> PostView:
    post = one.post
    state, tone = _STATES[one.state]
    return PostView(
        anchor=f"{key}-{at + 1}",
        number=at + 1,
        pieces=linked(account.network, post.text, _stretches(post)),
        length=post.length,
        limit=post.limit,
        near=_is_near(post),
        state=state,
        tone=tone,
        url=safe(one.stored.url) if one.stored else "",
        price=_price(account, one),
        notes=_merged([*_notes(one)]),
        pictures=pictures,
        leaf=_leaf(post),
        visibility=_visibility(account, at),
        language=account.language,
        parent=f"{key}-{at}" if at else "",
        parent_number=at,
    )


def _is_near(post: Post) -> bool:
    """Tell whether there is hardly room; what an abstract fills on purpose is no lack of it."""
    needed = post.length if post.shortened else post.length - post.spare
    return needed >= _NEARLY_FULL * post.limit


def _stretches(post: Post) -> list[Stretch]:
    return [(span.start, span.end, span.uri) for span in post.spans]


def _leaf(post: Post) -> Leaf | None:
    card = post.card
    if card is None or post.media:  # a post has room for one of the two
        return None
    href = safe(card.uri)
    host = urlsplit(href).hostname or "" if href else ""
    return Leaf(card.title, card.description, host, href)


def _visibility(account: Account, at: int) -> str:
    """Who sees a post of Mastodon, where a thread that is public goes on unlisted."""
    if account.network is not Network.MASTODON:
        return ""
    first = account.visibility.value
    return "unlisted" if at and first == "public" else first


def _price(account: Account, one: _Known) -> str:
    if account.network is not Network.TWITTER:
        return ""
    price = dollars(_total([one]))
    return f"{price} billed" if one.is_out else price


def _merged(notes: Sequence[Note]) -> tuple[Note, ...]:
    """All of them in one box, which feels as the worst of them does."""
    if not notes:
        return ()
    tones = [note.tone for note in notes]
    return (Note(" ".join(note.text for note in notes), max(tones, key=list(Tone).index)),)


def _notes(one: _Known) -> Iterator[Note]:
    post = one.post
    if post.length > post.limit:
        yield Note(f"{post.length - post.limit} over the limit.", Tone.BAD)
    elif _is_near(post):
        left = post.limit - post.length
        yield Note(f"Near the limit: {left} left." if left else "At the limit: nothing left.")
    for what in post.shortened:
        yield Note(_GAVE_WAY.get(what, f"Shortened to fit: {what}."))
    if one.stored and one.stored.reason and one.state is not State.SENT:
        tone = Tone.BAD if one.state is State.HELD else Tone.WAIT
        yield Note(one.stored.reason, tone)
