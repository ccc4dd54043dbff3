"""For programs: a plan as the JSON object of the contract (README, "For programs")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.formatter.prices import thread_price
from bot.model import Digest, Network, Post, State, Thread

if TYPE_CHECKING:
    from bot.checks import Finding


def plan(digest: Digest | None, source: str, threads: Sequence[Thread]) -> dict[str, object]:
    """What `bot post --dry-run --json` prints. Money is in US dollars, lengths in characters."""
    return {
        "digest": None if digest is None else _digest(digest, source),
        "threads": [_thread(thread) for thread in threads],
    }


def findings(found: Sequence[Finding]) -> list[dict[str, str]]:
    """What `bot check --json` prints."""
    return [
        {
            "level": finding.level.value,
            "subject": finding.subject,
            "message": finding.message,
            "mend": finding.mend,
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


def _thread(thread: Thread) -> dict[str, object]:
    account = thread.account
    billed = account.network is Network.TWITTER
    cost = thread_price(post.text for post in thread.posts) if billed else 0
    return {
        "network": account.network.value,
        "account": account.name,
        "cost_usd": float(cost),
        "posts": [_post(post) for post in thread.posts],
    }


def _post(post: Post) -> dict[str, object]:
    return {
        "position": post.position,
        "text": post.text,
        "length": post.length,
        "limit": post.limit,
        "state": State.PLANNED.value,
        "id": None,
        "url": None,
        "media": [{"alt": media.alt, "type": media.type} for media in post.media],
    }
