"""Turn threads and their rows in the ledger into views for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.formatter.tidy import tidy
from bot.formatter.x.prices import PRICES, month_price
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Account, Digest, Network, Post, State, Thread
from bot.output.data import is_near, shown_posts
from bot.output.page.posts import STATES, Kept, Known, billed, dollars, pictures, view
from bot.output.page.views import LABELS, Note, PageView, ThreadView


def _none_kept(thread: StoredThread, position: int) -> bytes:
    del thread, position
    return b""


def page(  # noqa: PLR0913 - what the page shows, each from its own source
    digest: Digest,
    source: str,
    threads: Sequence[Thread],
    stored: Mapping[str, StoredThread | None],
    *,
    made: datetime,
    kept: Kept = _none_kept,
) -> PageView:
    """Return the page of a plan.

    `stored` holds, by account, the thread in the ledger. `made` is the time now, UTC. `kept`
    returns the pictures of stored threads.
    """
    known = [
        [Known(*each) for each in shown_posts(thread, stored.get(thread.account.name))]
        for thread in threads
    ]
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
    """Return a count in words, such as `1 post` or `2 posts`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def handle(network: Network, name: str) -> str:
    """Return an account's handle on its network, as far as a plan knows it."""
    ends = {Network.TWITTER: "", Network.MASTODON: "@your.server", Network.BLUESKY: ".your.host"}
    return f"@{name}{ends[network]}"


def _facts(
    digest: Digest, source: str, threads: Sequence[Thread], known: Sequence[Sequence[Known]]
) -> Iterator[tuple[str, str]]:
    every = [one for posts in known for one in posts]
    yield "Digest", f"{counted(len(digest.papers), 'paper')} · {_short(source)}"
    accounts = counted(len(threads), "account")
    yield "Threads", f"{counted(len(every), 'post')} on {accounts}"
    yield "Sent already", f"{sum(one.is_out for one in every)} of {len(every)}"
    near = sum(is_near(one.post) for one in every)
    cut = sum(bool(one.post.shortened) for one in every)
    yield "To look at", f"{near} near the limit · {cut} shortened"
    to_send = [
        one
        for thread, posts in zip(threads, known, strict=True)
        for one in posts
        if thread.account.network is Network.TWITTER and not one.is_out
    ]
    total = billed(to_send)
    a_month = f" · about ${month_price(total):,.2f} a month of such days" if to_send else ""
    yield "X would bill", f"{dollars(total)}{a_month}"


def _short(source: str) -> str:
    """Return an address, or only the name of a file, since the page may be given to others."""
    return source if "://" in source else source.replace("\\", "/").rpartition("/")[2]


def _column(
    number: int,
    thread: Thread,
    posts: Sequence[Known],
    stored: StoredThread | None,
    kept: Kept,
) -> ThreadView:
    account = thread.account
    key = f"t{number}"
    shown = [
        view(key, at, one, account, pictures(one, stored, kept)) for at, one in enumerate(posts)
    ]
    views = (*shown[:-1], *(replace(last, ends=True) for last in shown[-1:]))
    return ThreadView(
        key=key,
        network=account.network,
        name=account.name if account.name != account.network else "Your account",
        handle=handle(account.network, account.name if account.name != account.network else "you"),
        badge="Automated" if account.network is Network.MASTODON else "",
        facts=tuple(_thread_facts(account, posts)),
        notes=tuple(_about(thread, posts, stored)),
        posts=views,
        empty="No paper of this digest is for this account.",
    )


def _thread_facts(account: Account, posts: Sequence[Known]) -> Iterator[str]:
    yield counted(len(posts), "post")
    if posts:
        longest = max(one.post.length for one in posts)
        yield f"longest {longest} of {posts[0].post.limit}"
    sent = sum(one.is_out for one in posts)
    if sent:
        yield f"{sent} sent already"
    if account.network is Network.TWITTER:
        total = billed([one for one in posts if not one.is_out])
        yield f"{dollars(total)} to send, at prices of {PRICES.since}"
    else:
        yield f"{LABELS[account.network]} charges nothing"


def _about(thread: Thread, posts: Sequence[Known], stored: StoredThread | None) -> Iterator[Note]:
    if stored and posts and all(one.stored is None for one in posts):
        yield Note("This thread was retracted. Publish it again with bot post --again.")
    elif stored and _texts(stored.posts) != _texts(thread.posts):
        yield Note(
            "These texts were fixed when the thread was planned. The digest, the templates, the "
            "settings or --top have changed since. To see the new texts, set BOT_DATABASE to a "
            "file that does not exist."
        )
    for state in (State.HELD, State.UNKNOWN):
        count = sum(one.state is state for one in posts)
        if count:
            tone = STATES[state][1]
            yield Note(f"{counted(count, 'post')} {state.value}: see bot status", tone)


def _texts(posts: Sequence[Post] | Sequence[StoredPost]) -> list[tuple[str, str]]:
    return [(post.part, post.text) for post in posts]
