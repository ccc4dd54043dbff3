"""Count how long a text is on each network, and tell whether the network accepts it.

X: weights of twitter-text 3.1 (config v3); Mastodon: the highest count of its server's
StatusLengthValidator and of other servers with its API; Bluesky: the lexicon app.bsky.feed.post.
All functions accept any string, with lone surrogates and control characters too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.formatter.x.entities import urls
from bot.formatter.x.patterns import LATIN, SPACES, Dialect, dialect, links
from bot.model import Network

if TYPE_CHECKING:
    import regex

LIMITS: Mapping[Network, int] = MappingProxyType(
    {Network.TWITTER: 280, Network.MASTODON: 500, Network.BLUESKY: 300}
)
LIMITS_READ = date(2026, 8, 22)
"""When the networks' documents and servers were read for these figures."""

BLUESKY_MAX_BYTES = 3000
URL_LENGTH = 23

# X: every character that matches weighs two, and so does an emoji of any number of code points.
_HEAVY = re.compile("[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_EMOJI_PARTS = re.compile(
    "[\u200d\u20e3\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0061-\U000e007f]"
)
_EMOJI_WEIGHT = 2

# All other characters, except CR and LF, never join a neighbour: each is one grapheme.
_MAY_JOIN = re.compile(
    "[^\x00-\u02ff\u0370-\u0482\u048a-\u052f\u1e00-\u1fff\u2010-\u2027\u2030-\u205f\u2070-\u20cf"
    "\u2100-\u2bff\u3001-\u3029\u3041-\u3096\u30a1-\u30ff\u4e00-\u9fff"
    "\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
)

_MENTION = re.compile(
    r"(?<![=/\w])(@[A-Za-z0-9_]++(?:[.-]++[A-Za-z0-9_]++)*+)@\w++(?:[.-]++\w++)*+"
    rf"(?![@\uff20{LATIN}]|://)"
)


def length(network: Network, text: str) -> int:
    """Return the length of `text` as `network` counts it."""
    return _LENGTHS[network](text)


def fits(network: Network, text: str, limit: int) -> bool:
    """Tell whether `network` accepts `text` where its limit is `limit`, in its own count.

    Bluesky has a second limit, in bytes of UTF-8.
    """
    return within_bytes(network, text) and length(network, text) <= limit


def within_bytes(network: Network, text: str) -> bool:
    """Tell whether `text` is within the limit in bytes that only Bluesky has."""
    if network is not Network.BLUESKY:
        return True
    return len(text.encode("utf-8", "surrogatepass")) <= BLUESKY_MAX_BYTES


def twitter_length(text: str) -> int:
    """Return X's weighted length of `text`: 1 or 2 for a character, 2 an emoji, 23 a link."""
    text = unicodedata.normalize("NFC", text)
    found = urls(text)
    starts = [0, *(url.end for url in found)]
    ends = [*(url.start for url in found), len(text)]
    plain = sum(_weight(text[start:end]) for start, end in zip(starts, ends, strict=True))
    return plain + URL_LENGTH * len(found)


def mastodon_length(text: str) -> int:
    """Return the length of `text` as Mastodon itself counts it.

    That is the number of graphemes, with 23 for a link that has a scheme and `@user` for a
    mention. A content warning counts too: add it to the text.
    """
    if "://" not in text and "@" not in text:
        return _graphemes(text)  # the usual case: a sentence of an abstract
    pieces: list[str] = []
    at = 0
    for start, end, counted in sorted([*_mastodon_links(text), *_mastodon_mentions(text)]):
        if start >= at:
            pieces += text[at:start], counted
            at = end
    return _graphemes("".join([*pieces, text[at:]]))


def fediverse_length(text: str) -> int:
    """Return the highest length that any server with Mastodon's API counts for `text`.

    Mastodon counts graphemes, and 23 for a link; GoToSocial and Takahe count code points, and links
    in full. Here code points count, and a link counts as 23 or more.
    """
    short = (URL_LENGTH - (end - start) for start, end, _ in _mastodon_links(text))
    return len(text) + sum(lacking for lacking in short if lacking > 0)


def bluesky_length(text: str) -> int:
    """Return the number of graphemes of `text`; a link counts in full."""
    return _graphemes(text)


_LENGTHS = MappingProxyType(
    {
        Network.TWITTER: twitter_length,
        Network.MASTODON: fediverse_length,
        Network.BLUESKY: bluesky_length,
    }
)


def _weight(text: str) -> int:
    if text.isascii():
        return len(text)
    emoji = 0
    if _EMOJI_PARTS.search(text):
        text, emoji = _emoji().subn("", text)
    return len(text) + len(_HEAVY.findall(text)) + _EMOJI_WEIGHT * emoji


def _graphemes(text: str) -> int:
    if not _MAY_JOIN.search(text):
        return len(text) - text.count("\r\n")
    clusters = _grapheme().findall(text)
    return len(clusters) + sum(len(_joined().findall(each)) for each in clusters if len(each) > 1)


def _mastodon_links(text: str) -> Iterator[tuple[int, int, str]]:
    if "://" in text:
        for link in links(text, _mastodon_rules()):
            if link.has_scheme:
                yield link.start, link.end, "x" * URL_LENGTH


def _mastodon_mentions(text: str) -> Iterator[tuple[int, int, str]]:
    return ((*match.span(), match[1]) for match in _MENTION.finditer(text))


@cache
def _mastodon_rules() -> Dialect:
    """Return the rules of twitter-text as Mastodon changes them in twitter_regex.rb."""
    wide = "\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\uffef\U00010000-\U000dfffd\U000e1000-\U0010fffd"
    return dialect(
        schemes="https?|dat|dweb|ipfs|ipns|ssb|gopher|gemini",
        path=rf"^{SPACES}<>()?",
        path_end=rf"^{SPACES}()?!*\"'\u300c\u300d<>;:=,.$%\[\]~&|@",
        query=rf"A-Za-z0-9!?*'();:&=+$/%#\[\]\-_.,~|@^{wide}",
        query_end=rf"A-Za-z0-9_&=#/\-{wide}",
    )


@cache
def _emoji() -> regex.Pattern[str]:
    """Return the pattern of an emoji of one code point or more, as Unicode's UTS 51 builds them."""
    import regex

    simple = r"[\p{Emoji}--[#*0-9\u00a9\u00ae]]"
    styled = r"[\p{Emoji}--[#*0-9]--[\p{Emoji_Presentation}&&[\U00010000-\U0010ffff]]]\ufe0f"
    toned = r"\p{Emoji_Modifier_Base}\p{Emoji_Modifier}"
    whole = rf"(?:{toned}|{styled}|\p{{Emoji_Presentation}})"
    nations = "|".join(map(_in_tags, ("gbeng", "gbsct", "gbwls")))
    return regex.compile(
        r"[#*0-9]\ufe0f?\u20e3|\p{Regional_Indicator}{2}"
        rf"|\U0001f3f4(?:{nations})\U000e007f"
        # No emoji in use has more than four parts; a longer chain counts as several emoji, so that
        # the count is never too low.
        rf"|{whole}(?:\u200d{whole}){{0,3}}|{simple}",
        regex.VERSION1,
    )


def _in_tags(letters: str) -> str:
    return "".join(chr(0xE0000 + ord(letter)) for letter in letters)


@cache
def _grapheme() -> regex.Pattern[str]:
    import regex

    return regex.compile(r"\X")


@cache
def _joined() -> regex.Pattern[str]:
    """Return the pattern of a letter that a virama joins to the letter before it.

    Newer versions of Unicode join letters in more scripts (UAX 29, rule GB9c: none before 15.1, all
    since 17), so a server may count more graphemes than this program: a real Bluesky server refused
    such a post. Each letter counts by itself, so the count is never too low.
    """
    import regex

    return regex.compile(r"(?<=\p{CCC=9}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*)\p{Lo}")
