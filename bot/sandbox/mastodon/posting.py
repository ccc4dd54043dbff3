"""What Mastodon makes of a status it is asked to publish: reads it and lets it through. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.formatter.limits import mastodon_length
from bot.sandbox.mastodon import answers as says
from bot.sandbox.mastodon.behaviour import MastodonBehaviour
from bot.sandbox.wire import Refused, Request

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_VISIBILITIES = ("public", "unlisted", "private", "direct")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of POST /api/v1/statuses; empty where they are left out."""

    text: str = ""
    parent: str = ""
    media: tuple[str, ...] = ()
    visibility: str = ""
    language: str = ""
    spoiler: str = ""


def form(request: Request) -> Form:
    """Return what the request asks to publish, from a form or from JSON."""
    fields = request.fields() or {}
    pairs = [*request.form(), *((name, value) for name, value in fields.items())]
    single = {name: str(value) for name, value in pairs if value is not None}
    listed = fields.get("media_ids")
    media = [*(listed if isinstance(listed, list) else ())]
    media += [value for name, value in request.form() if name in {"media_ids[]", "media_ids"}]
    return Form(
        single.get("status", ""),
        single.get("in_reply_to_id", ""),
        tuple(map(str, media)),
        single.get("visibility", ""),
        single.get("language", ""),
        single.get("spoiler_text", ""),
    )


def check(new: Form, behaviour: MastodonBehaviour) -> None:
    """Let a status through that has something to say, and not too much of it."""
    if not new.text.strip() and not new.media:
        raise Refused(says.invalid("Text can't be blank"))
    if new.visibility and new.visibility not in _VISIBILITIES:
        raise Refused(says.invalid(f"'{new.visibility}' is not a valid visibility"))
    if length(new, behaviour) > behaviour.max_characters:
        reason = f"Text character limit of {behaviour.max_characters} exceeded"
        raise Refused(says.invalid(reason, behaviour.too_long))
    if behaviour.languages_checked and not _LANGUAGE.fullmatch(new.language or "en"):
        raise Refused(says.invalid(f"language {new.language} is not valid", 400))


def length(new: Form, behaviour: MastodonBehaviour) -> int:
    """Return a status' length as the server counts it, its content warning included."""
    text = new.spoiler + new.text
    return len(text) if behaviour.plain_count else mastodon_length(text)


def language(new: Form, behaviour: MastodonBehaviour, own: str) -> str:
    """Return the language a status is marked with; `own` is the account's."""
    if behaviour.language_fixed or not _LANGUAGE.fullmatch(new.language):
        return own
    return new.language
