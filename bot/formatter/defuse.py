"""Remove accidental mentions, tags and links from a digest's text.

The changes are visible: `defuse` drops a sign, puts the dots of a host in brackets, or adds a
missing space after a sentence. Invisible or look-alike characters would work too, but they break
copying, search and screen readers.
"""

from __future__ import annotations

import re

from bot.formatter.x.entities import EntityKind, entities
from bot.model import Network

_SIGNS = "@#$\uff20\uff03"  # the last two are the full-width forms
_LONGEST_SCHEME = 40
_PASSES = 8
_SCHEME = re.compile(rf"[a-z][a-z0-9+.-]{{0,{_LONGEST_SCHEME}}}://", re.IGNORECASE)
_SENTENCE_JOINED = re.compile(r"[\w)]{2,}\.([A-Z][a-z]*)$")

# Wider than Mastodon's own patterns (app/models/account.rb and tag.rb: a user, with or without a
# host; a tag with at least one letter), since other servers of the Fediverse differ a little.
_AT, _HASH = r"[@\uff20]", r"[#\uff03]"
_FEDIVERSE_SIGN = re.compile(
    rf"(?<![@#\uff20\uff03])(?:{_AT}|{_HASH})+"
    rf"(?:(?<={_AT})(?=\w)|(?<={_HASH})(?=[\w·・\u200c]*[^\W\d_]))"
)
_IN_A_WORD = re.compile(r"[\w/]")
_WEB_LINK = re.compile(r"https?://", re.IGNORECASE)
_FEDIVERSE_LINK = re.compile(
    rf"https?://|\b[a-z][a-z0-9+.-]{{0,{_LONGEST_SCHEME}}}://|\b(?:magnet|xmpp):(?=\S)",
    re.IGNORECASE,
)


def defuse(text: str, network: Network) -> str:
    """Return the text without anything that `network` would turn into a mention, tag or link.

    On X a bare domain is a link and costs as much as one; Mastodon links addresses with a scheme.
    Bluesky itself links nothing: this program links each address that has a scheme, and Bluesky's
    apps interpret signs. Removing one match can create another, so the function repeats until none
    is left. After `_PASSES` rounds it removes every sign, since such a text is an attack.
    """
    if network is Network.TWITTER:
        return _for_x(text)
    link = _FEDIVERSE_LINK if network is Network.MASTODON else _WEB_LINK
    for _ in range(_PASSES):
        before = text
        text = link.sub("", _FEDIVERSE_SIGN.sub(_outside_words, text))
        if text == before:
            return text
    return _bare(text)


def _outside_words(run: re.Match[str]) -> str:
    """Return what replaces signs before a word: a sign inside a word makes no mention or tag."""
    is_inside = run.start() and _IN_A_WORD.match(run.string, run.start() - 1)
    return run[0][0] if is_inside else ""


def _bare(text: str) -> str:
    """Return the text without any sign or scheme, so that no network finds an address in it."""
    return re.sub(rf"[{_SIGNS}]", "", text).replace("://", " ").replace(":", " ")


def _for_x(text: str) -> str:
    for _ in range(_PASSES):
        found = entities(text)
        if not found:
            return text
        pieces, end = list[str](), 0
        for entity in found:
            before = text[end : entity.start]
            is_link = entity.kind is EntityKind.URL
            pieces += (
                (before, _bracketed(entity.text))
                if is_link
                else (before.rstrip(_SIGNS), entity.text.lstrip(_SIGNS))
            )
            end = entity.end
        text = "".join((*pieces, text[end:]))
    return _bare(text).replace(".", " ")


def _bracketed(link: str) -> str:
    """Turn `models.In` into `models. In`, and `https://a.b.org/c.d` into `a[.]b[.]org/c.d`."""
    shown = _SCHEME.sub("", link)
    if _SENTENCE_JOINED.match(shown):
        return shown.replace(".", ". ")
    host, slash, path = shown.partition("/")
    return host.replace(".", "[.]") + slash + path
