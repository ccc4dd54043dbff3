"""Read and check a status that a request publishes, as Mastodon does. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.formatter.limits import mastodon_length
from bot.sandbox.mastodon import answers
from bot.sandbox.mastodon.behaviour import Forms, MastodonBehaviour
from bot.sandbox.wire import RefusedRequest, Request

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_VISIBILITIES = ("public", "unlisted", "private", "direct")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of POST /api/v1/statuses. A missing field is empty."""

    text: str = ""
    parent: str = ""
    media: tuple[str, ...] = ()
    visibility: str = ""
    language: str = ""
    spoiler: str = ""
    plain: bool = False


def form(request: Request, behaviour: MastodonBehaviour) -> Form:
    """Return the status in a request, from JSON or, as far as the server reads it, from a form."""
    fields = request.fields() or {}
    if not fields and behaviour.forms is not Forms.TAKEN:
        sent = dict(request.form())
        if "sensitive" in sent:
            raise RefusedRequest(answers.BAD_REQUEST)
        if behaviour.forms is Forms.EMPTY:
            return Form()
        return _form({}, [(name, value) for name, value in sent.items() if "media" not in name])
    return _form(fields, request.form())


def _form(fields: Mapping[str, object], sent: Sequence[tuple[str, str]]) -> Form:
    pairs = [*sent, *((name, value) for name, value in fields.items())]
    single = {name: str(value) for name, value in pairs if value is not None}
    listed = fields.get("media_ids")
    media = [*(listed if isinstance(listed, list) else ())]
    media += [value for name, value in sent if name in {"media_ids[]", "media_ids"}]
    return Form(
        single.get("status", ""),
        single.get("in_reply_to_id", ""),
        tuple(map(str, media)),
        single.get("visibility", ""),
        single.get("language", ""),
        single.get("spoiler_text", ""),
        single.get("content_type") == "text/plain",
    )


def check(new: Form, behaviour: MastodonBehaviour) -> None:
    """Raise RefusedRequest for a status that is empty, too long, or has a bad field."""
    if not (new.text.strip() or new.media or behaviour.forms is Forms.EMPTY):
        raise RefusedRequest(answers.invalid("Text can't be blank"))
    if new.visibility and new.visibility not in _VISIBILITIES:
        raise RefusedRequest(answers.invalid(f"'{new.visibility}' is not a valid visibility"))
    if length(new, behaviour) > behaviour.max_characters:
        words = behaviour.too_long_words.format(limit=behaviour.max_characters)
        raise RefusedRequest(answers.error(behaviour.too_long, words))
    if behaviour.languages_checked and not _LANGUAGE.fullmatch(new.language or "en"):
        raise RefusedRequest(answers.invalid(f"language {new.language} is not valid", 400))


def length(new: Form, behaviour: MastodonBehaviour) -> int:
    """Return a status' length as the server counts it, with the content warning."""
    text = new.spoiler + new.text
    return len(text) if behaviour.plain_count else mastodon_length(text)


def language(new: Form, behaviour: MastodonBehaviour, own: str) -> str:
    """Return the language of a status. `own` is the account's language."""
    if behaviour.language_fixed or not _LANGUAGE.fullmatch(new.language):
        return own
    return new.language
