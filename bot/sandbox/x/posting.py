"""Read, price and check a post that a request publishes, as X does. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from bot.formatter.limits import twitter_length
from bot.formatter.x.entities import cashtags, mentions, urls
from bot.sandbox.service import Stored
from bot.sandbox.wire import RefusedRequest, Request
from bot.sandbox.x import answers
from bot.sandbox.x.behaviour import CallPrices, Duplicates, Replies, XBehaviour
from bot.sandbox.x.text import trimmed


def draft(request: Request, author: str, now: datetime) -> Stored:
    """Return the post in a request. Raises RefusedRequest with 400 if there is none."""
    value = request.fields()
    if value is None:
        raise RefusedRequest(answers.invalid("body", "", "The request body is not a JSON object"))
    text, media = value.get("text", ""), _media(value)
    if not isinstance(text, str) or not (text.strip() or media):
        raise RefusedRequest(answers.invalid("$.text", str(text), "$.text: may not be empty"))
    parent = _parent(value) if "reply" in value else None
    return Stored("", text, author, now, parent, media=media, application="sandbox")


def price(text: str, prices: CallPrices) -> Decimal:
    """Return what X bills for posting a text. A text with any URL costs 13 times more."""
    return prices.linked if urls(trimmed(text)) else prices.post


def check_text(text: str, behaviour: XBehaviour) -> None:
    """Raise RefusedRequest for a text that is too long or has more than one cashtag."""
    if twitter_length(trimmed(text)) > behaviour.max_weight:
        raise RefusedRequest(answers.FORBIDDEN)
    if len(cashtags(text)) > 1:
        raise RefusedRequest(answers.CASHTAGS)


def check_reply(parent: Stored | None, new: Stored, username: str, behaviour: XBehaviour) -> None:
    """Raise RefusedRequest if `parent` is missing, too new, or not one this app may reply to."""
    if parent is None or new.created < parent.created + behaviour.parent_lag:
        raise RefusedRequest(answers.missing_parent(behaviour.missing_parent))
    named = {mention.text[1:].lower() for mention in mentions(parent.text)}
    own = parent.author == new.author or username.lower() in named
    if behaviour.replies is Replies.NONE or (behaviour.replies is Replies.OWN and not own):
        raise RefusedRequest(answers.REPLY_RULE)


def check_duplicate(new: Stored, posts: Iterable[Stored], behaviour: XBehaviour) -> None:
    """Raise RefusedRequest if the account posted this text lately. Empty texts are never equal."""
    if behaviour.duplicates is Duplicates.NONE or not trimmed(new.text):
        return
    same = trimmed if behaviour.duplicates is Duplicates.EXACT else _roughly
    text = same(new.text)
    for post in posts:
        compared = post.deleted is None or behaviour.duplicates_deleted
        recent = new.created - post.created < behaviour.duplicates_for
        if post.author == new.author and compared and recent and same(post.text) == text:
            raise RefusedRequest(answers.DUPLICATE)


def _media(value: Mapping[str, object]) -> tuple[str, ...]:
    ids = _inside(value, "media", "media_ids")
    return tuple(map(str, ids)) if isinstance(ids, list) else ()


def _parent(value: Mapping[str, object]) -> str:
    parent = _inside(value, "reply", "in_reply_to_tweet_id")
    if isinstance(parent, str) and parent.isascii() and parent.isdigit():
        return parent
    message = "$.reply.in_reply_to_tweet_id: is missing but it is required"
    raise RefusedRequest(answers.invalid("$.reply", str(parent), message))


def _inside(value: Mapping[str, object], outer: str, inner: str) -> object:
    inside = value.get(outer)
    return inside.get(inner) if isinstance(inside, dict) else None


def _roughly(text: str) -> str:
    """Return a text without case, symbols such as emoji, marks and repeated spaces."""
    kept = (char for char in text.casefold() if unicodedata.category(char)[0] not in "SMC")
    return " ".join("".join(kept).split())
