"""Text from a digest must stay text: nobody is pinged, nothing is tagged or linked by accident.

Defusing is visible: a sign is dropped, a host bracketed, a sentence that lacks its space is given
one. Invisible or look-alike characters would do it too, and break copying, search and screen
readers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.formatter.entities import Entity, Kind, entities
from bot.model import Network

_SIGNS = "@#$\uff20\uff03"  # the last two are the full-width forms
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SENTENCE_JOINED = re.compile(r"[\w)]{2,}\.([A-Z][a-z]*)$")

# Wider than Mastodon's own patterns (app/models/account.rb and tag.rb: a user, with or without a
# host; a tag holds at least one letter), since other servers of the Fediverse differ a little.
_AT, _HASH = r"[@\uff20]", r"[#\uff03]"
_FEDIVERSE_SIGN = re.compile(
    rf"(?<![\w/])(?:{_AT}|{_HASH})*(?:{_AT}(?=\w)|{_HASH}(?=[\w·・\u200c]*[^\W\d_]))"
)
_WEB_LINK = re.compile(r"https?://", re.IGNORECASE)
_FEDIVERSE_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://|\b(?:magnet|xmpp):(?=\S)", re.IGNORECASE)


def defuse(text: str, network: Network) -> str:
    """The text with nothing in it that `network` would make a mention, tag or link of.

    On X a bare domain is a link and costs as one; Mastodon links addresses with a scheme. Bluesky
    links nothing by itself: we link each address that has a scheme, and its apps guess at signs.
    Taking one thing away can bring another to light, so it is done until nothing is left.
    """
    if network is Network.TWITTER:
        return _for_x(text)
    link = _FEDIVERSE_LINK if network is Network.MASTODON else _WEB_LINK
    before = None
    while text != before:
        before = text
        text = link.sub("", _FEDIVERSE_SIGN.sub("", text))
    return text


def _for_x(text: str) -> str:
    while found := entities(text):
        for entity in reversed(found):
            text = _HARMLESS[entity.kind](text, entity)
    return text


def _without_sign(text: str, entity: Entity) -> str:
    before = text[: entity.start].rstrip(_SIGNS)
    return before + entity.text.lstrip(_SIGNS) + text[entity.end :]


def _bracketed(text: str, entity: Entity) -> str:
    """`models.In this` gets its space, `https://a.b.org/c.d` becomes `a[.]b[.]org/c.d`."""
    shown = _SCHEME.sub("", entity.text)
    if _SENTENCE_JOINED.match(shown):
        return text[: entity.start] + shown.replace(".", ". ") + text[entity.end :]
    host, slash, path = shown.partition("/")
    return text[: entity.start] + host.replace(".", "[.]") + slash + path + text[entity.end :]


_HARMLESS: dict[Kind, Callable[[str, Entity], str]] = {
    Kind.MENTION: _without_sign,
    Kind.HASHTAG: _without_sign,
    Kind.CASHTAG: _without_sign,
    Kind.URL: _bracketed,
}
