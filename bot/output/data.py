"""Turn plans and findings into the JSON objects of the contract (docs/programs.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from bot.formatter.limits import length
from bot.formatter.x.prices import thread_price
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Account, Digest, Network, Post, State, Thread

if TYPE_CHECKING:
    from bot.output.checks import Finding

_NEARLY_FULL = 0.95


def plan(
    digest: Digest | None,
    source: str,
    threads: Sequence[Thread],
    stored: Mapping[str, StoredThread | None],
) -> dict[str, object]:
    """Return what `bot post --json` prints, with --dry-run or without.

    `stored` holds, by account, the thread in the ledger. Its texts and states are used then, since
    texts never change once they are planned. Money is in US dollars, lengths in characters.
    """
    return {
        "digest": None if digest is None else _digest(digest, source),
        "threads": [_thread(thread, stored.get(thread.account.name)) for thread in threads],
    }


def findings(found: Sequence[Finding]) -> list[dict[str, str]]:
    """Return what `bot check --json` prints."""
    return [
        {
            "level": finding.level.value,
            "subject": finding.subject,
            "message": finding.message,
            "mend": finding.fix,
        }
        for finding in found
    ]


def _digest(digest: Digest, source: str) -> dict[str, object]:
    return {
        "slug": digest.slug,
        "date": digest.day.isoformat(),
        "title": digest.title,
        "papers": len(digest.papers),
        "source": source,
    }


def _thread(thread: Thread, stored: StoredThread | None) -> dict[str, object]:
    account = thread.account
    posts = shown_posts(thread, stored)
    billed = account.network is Network.TWITTER
    pictures = sum(len(post.media) for post, _ in posts)
    cost = thread_price((post.text for post, _ in posts), pictures) if billed else 0
    return {
        "network": account.network.value,
        "account": account.name,
        "cost_usd": float(cost),
        "posts": [_post(post, known) for post, known in posts],
    }


def _post(post: Post, known: StoredPost | None) -> dict[str, object]:
    return {
        "position": post.position,
        "number": post.number,
        "text": post.text,
        "length": post.length,
        "limit": post.limit,
        "state": (known.state if known else State.PLANNED).value,
        "id": (known.id or None) if known else None,
        "url": (known.url or None) if known else None,
        "media": [{"alt": media.alt, "type": media.type} for media in post.media],
        "card": asdict(post.card) if post.card else None,
    }


def shown_posts(
    thread: Thread, stored: StoredThread | None
) -> Sequence[tuple[Post, StoredPost | None]]:
    """Return each post of a thread with its row in the ledger.

    If the ledger holds the thread, its texts are used. A retracted thread counts as not held.
    """
    if stored is None or all(post.state is State.RETRACTED for post in stored.posts):
        return [(post, None) for post in thread.posts]
    # the ledger does not store what was shortened; for a post with the same text the plan knows it
    planned = {(post.part, post.text): post for post in thread.posts}
    return [
        (_stored_post(thread.account, known, planned.get((known.part, known.text))), known)
        for known in stored.posts
    ]


def _stored_post(account: Account, known: StoredPost, planned: Post | None) -> Post:
    post = Post(
        position=known.position,
        part=known.part,
        text=known.text,
        token=known.token,
        length=length(account.network, known.text),
        limit=account.max_characters,
        media=known.media,
        card=known.card,
    )
    if planned is None:
        return post
    return replace(
        post,
        shortened=planned.shortened,
        spans=planned.spans,
        card=known.card or planned.card,
        spare=planned.spare,
    )


def is_near(post: Post) -> bool:
    """Tell whether the post is nearly full. What an abstract fills on purpose does not count."""
    needed = post.length if post.shortened else post.length - post.spare
    return needed >= _NEARLY_FULL * post.limit
