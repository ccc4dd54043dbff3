"""Return a post as X does: links as t.co, `&`, `<` and `>` escaped, fields on request."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from bot.formatter.x.entities import Entity, EntityKind, entities
from bot.sandbox.service import Stored
from bot.sandbox.wire import Json
from bot.sandbox.x.behaviour import FieldNames

_SLUG = 10
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DISPLAYED = 26


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as X returns it, and its links, with positions in that text in code points."""

    text: str
    urls: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a post's object says beside the post: its conversation, and whom it replies to."""

    conversation: str
    answers: str | None


def trimmed(text: str) -> str:
    """Return a text as X stores it: NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", text).strip()


def shown(post: Stored) -> Shown:
    """Return the post's text and links as X does, with the link of its media at the end."""
    text, at = "", 0
    links: list[Mapping[str, Json]] = []
    whole = trimmed(post.text)
    for number, url in enumerate(_urls(whole)):
        text += _escaped(whole[at : url.start])
        short = _short(post.id, number)
        links.append(_link(len(text), short, _expanded(url.text), _display(url.text)))
        text += short
        at = url.end
    text += _escaped(whole[at:])
    return _with_media(post, Shown(text, tuple(links)))


def post_object(
    post: Stored, setting: Setting, names: FieldNames, fields: Collection[str]
) -> Mapping[str, Json]:
    """Return a post as the API's object: id, text, and the fields in `fields`.

    A request may use the old or the new names of fields. The answer uses `names`.
    """
    asked = {field.replace("_tweets", "_posts") for field in fields}
    look = shown(post)
    found = {"id": post.id, "text": look.text, _name("edit_history_posts", names): [post.id]}
    extra = {name: make(post, look, setting) for name, make in _FIELDS.items() if name in asked}
    return found | {_name(name, names): value for name, value in extra.items() if value is not None}


def _referenced(post: Stored, _: Shown, __: Setting) -> Json:
    return [{"type": "replied_to", "id": post.reply_to}] if post.reply_to else None


def _linked(_: Stored, look: Shown, __: Setting) -> Json:
    return {"urls": look.urls} if look.urls else None


def _attached(post: Stored, _: Shown, __: Setting) -> Json:
    return {"media_keys": [f"3_{each}" for each in post.media]} if post.media else None


_FIELDS: Mapping[str, Callable[[Stored, Shown, Setting], Json]] = {
    "created_at": lambda post, _, __: f"{post.created:%Y-%m-%dT%H:%M:%S}.000Z",
    "author_id": lambda post, _, __: post.author,
    "conversation_id": lambda _, __, setting: setting.conversation,
    "in_reply_to_user_id": lambda _, __, setting: setting.answers,
    "referenced_posts": _referenced,
    "entities": _linked,
    "attachments": _attached,
    "lang": lambda *_: "en",
}


def _name(name: str, names: FieldNames) -> str:
    if name == "edit_history_posts":
        return "edit_history_post_ids" if names is FieldNames.POSTS else "edit_history_tweet_ids"
    return name if names is FieldNames.POSTS else name.replace("_posts", "_tweets")


def _urls(text: str) -> Iterator[Entity]:
    return (entity for entity in entities(text) if entity.kind is EntityKind.URL)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _short(post_id: str, number: int) -> str:
    value = int.from_bytes(sha256(f"{post_id}/{number}".encode()).digest(), "big")
    slug = "".join(_DIGITS[value // 62**place % 62] for place in range(_SLUG))
    return f"https://t.co/{slug}"


def _expanded(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _display(url: str) -> str:
    bare = url.partition("://")[2] or url
    bare = bare.removeprefix("www.")
    return bare if len(bare) <= _DISPLAYED else f"{bare[:_DISPLAYED]}…"


def _link(start: int, short: str, expanded: str, display: str) -> dict[str, Json]:
    return {
        "start": start,
        "end": start + len(short),
        "url": short,
        "expanded_url": expanded,
        "display_url": display,
    }


def _with_media(post: Stored, look: Shown) -> Shown:
    if not post.media:
        return look
    text = f"{look.text} " if look.text else ""
    short = _short(post.id, -1)
    page = f"https://x.com/sandbox/status/{post.id}/photo/1"
    link = _link(len(text), short, page, "pic.x.com/sandbox") | {"media_key": f"3_{post.media[0]}"}
    return Shown(text + short, (*look.urls, link))
