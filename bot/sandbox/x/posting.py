"""What X makes of a post it is asked to publish: reads it, prices it, lets it through. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from bot.formatter.limits import twitter_length
from bot.formatter.x.entities import cashtags, mentions, urls
from bot.sandbox.service import Stored
from bot.sandbox.wire import RefusedRequest, Request
from bot.sandbox.x import answers as says
from bot.sandbox.x.behaviour import CallPrices, Duplicates, Replies, XBehaviour
from bot.sandbox.x.text import trimmed


def draft(request: Request, author: str, now: datetime) -> Stored:
    """Return the post a request asks for. Refused with 400 where it does not say one."""
    value = request.fields()
    if value is None:
        raise RefusedRequest(says.invalid("body", "", "The request body is not a JSON object"))
    text, media = value.get("text", ""), _media(value)
    if not isinstance(text, str) or not (text.strip() or media):
        raise RefusedRequest(says.invalid("$.text", str(text), "$.text: may not be empty"))
    parent = _parent(value) if "reply" in value else None
    return Stored("", text, author, now, parent, media=media, application="sandbox")


def price(text: str, prices: CallPrices) -> Decimal:
    """Return what X bills for posting a text: 13 times more where it holds a URL of any form."""
    return prices.linked if urls(trimmed(text)) else prices.post


def check_text(text: str, behaviour: XBehaviour) -> None:
    """Let a text through that X takes for its length and its cashtags."""
    if twitter_length(trimmed(text)) > behaviour.max_weight:
        raise RefusedRequest(says.FORBIDDEN)
    if len(cashtags(text)) > 1:
        raise RefusedRequest(says.CASHTAGS)


def check_reply(parent: Stored | None, new: Stored, username: str, behaviour: XBehaviour) -> None:
    """Let a reply through: `parent` is there, for long enough, and one this app may answer."""
    if parent is None or new.created < parent.created + behaviour.parent_lag:
        raise RefusedRequest(says.missing_parent(behaviour.missing_parent))
    named = {mention.text[1:].lower() for mention in mentions(parent.text)}
    own = parent.author == new.author or username.lower() in named
    if behaviour.replies is Replies.NONE or (behaviour.replies is Replies.OWN and not own):
        raise RefusedRequest(says.REPLY_RULE)


def check_duplicate(new: Stored, posts: Iterable[Stored], behaviour: XBehaviour) -> None:
    """Let a text through that the account has not posted lately. A post of media only has none."""
    if behaviour.duplicates is Duplicates.NONE or not trimmed(new.text):
        return
    same = trimmed if behaviour.duplicates is Duplicates.EXACT else _roughly
    text = same(new.text)
    for post in posts:
        compared = post.deleted is None or behaviour.duplicates_deleted
        recent = new.created - post.created < behaviour.duplicates_for
        if post.author == new.author and compared and recent and same(post.text) == text:
            raise RefusedRequest(says.DUPLICATE)


def _media(value: Mapping[str, object]) -> tuple[str, ...]:
    ids = _inside(value, "media", "media_ids")
    return tuple(map(str, ids)) if isinstance(ids, list) else ()


def _parent(value: Mapping[str, object]) -> str:
    parent = _inside(value, "reply", "in_reply_to_tweet_id")
    if isinstance(parent, str) and parent.isascii() and parent.isdigit():
        return parent
    message = "$.reply.in_reply_to_tweet_id: is missing but it is required"
    raise RefusedRequest(says.invalid("$.reply", str(parent), message))


def _inside(value: Mapping[str, object], outer: str, inner: str) -> object:
    inside = value.get(outer)
    return inside.get(inner) if isinstance(inside, dict) else None


def _roughly(text: str) -> str:
    """Return what is left of a text without case, emoji, marks and spacing."""
    kept = (char for char in text.casefold() if unicodedata.category(char)[0] not in "SMC")
    return " ".join("".join(kept).split())
