"""Undoes what networks do to a text: back to what a reader sees and what we sent. Pure.

X puts t.co in place of links, escapes `&`, `<` and `>`, and appends a link to each picture; posts
in new documentation have `note_post` where they had `note_tweet`. Servers of the Mastodon API give
HTML, of which the rendering alone is left here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser

from bot.digests.feeds.html import tame
from bot.posters.json_values import at, items_at, text_at

_SHORT = r"https?://t\.co/[A-Za-z0-9]+"
_ALTERED = re.compile(rf"{_SHORT}|&(?:amp|lt|gt);", re.ASCII)
_ONE_SHORT = re.compile(_SHORT, re.ASCII)
LONGEST = 65_536
"""Characters of a status that are read: no post of ours is nearly as long."""
_ESCAPES: Mapping[str, str] = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_MEDIA_PAGE = re.compile(
    r"https?://(?:\w+\.)?(?:x|twitter)\.com/\w+/status/\d+/(?:photo|video)/\d+", re.ASCII
)
_SCHEME = re.compile(r"(?<![a-z0-9])https?://", re.IGNORECASE)
_BLOCKS = frozenset(
    {"p", "div", "blockquote", "pre", "ul", "ol", "li", "hr", "h1", "h2", "h3", "h4", "table", "tr"}
)
_UNSEEN = frozenset({"script", "style", "head", "title"})
_NO_LINK = frozenset({"mention", "hashtag"})


def x_text(post: object) -> str:
    """Return the plain text of a post as X's API gives it (decoded JSON), long posts whole."""
    note = at(post, "note_tweet") or at(post, "note_post")
    whole = note if text_at(note, "text") else post
    links = dict(_links(whole))
    raw = text_at(whole, "text")[:LONGEST]
    text = _ALTERED.sub(lambda found: _original(found[0], links), raw).strip()
    if items_at(post, "attachments", "media_keys"):  # a picture that no entity speaks of
        before, _, last = text.rpartition("http")
        text = before.rstrip() if _ONE_SHORT.fullmatch(f"http{last}") else text
    return text


def _links(post: object) -> Iterator[tuple[str, str]]:
    """Give each t.co link and what stands behind it, nothing for a picture of the post's own."""
    for url in items_at(post, "entities", "urls"):
        expanded = text_at(url, "expanded_url")
        is_media = at(url, "media_key") is not None or _MEDIA_PAGE.fullmatch(expanded)
        if short := text_at(url, "url"):
            yield short, "" if is_media else expanded or short


def _original(altered: str, links: Mapping[str, str]) -> str:
    return _ESCAPES.get(altered) or links.get(altered, altered)


def html_text(html: str) -> str:
    """Return the plain text of a status' HTML: a line per `<br>`, a blank line between paragraphs.

    A link becomes its address, whatever part of it is shown; a hashtag or mention stays itself.
    """
    parser = _Plain()
    parser.feed(tame(html[:LONGEST]))
    parser.close()
    return parser.text()


class _Plain(HTMLParser):
    """Collects text. Unclosed, unknown and nested tags are all taken as they come."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._link: tuple[str, int] | None = None  # its address, and where its text begins
        self._hidden = 0

    def text(self) -> str:
        self._end_link()
        lines = "\n".join(line.strip(" \t") for line in "".join(self._pieces).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", lines).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _UNSEEN
        if tag == "br":
            self._pieces.append("\n")
        elif tag in _BLOCKS:
            self._pieces.append("\n\n")
        elif tag == "a":
            self._end_link()
            self._begin_link({name: value or "" for name, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _UNSEEN and self._hidden > 0
        if tag == "a":
            self._end_link()
        elif tag in _BLOCKS:
            self._pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(re.sub(r"[\r\n\t]+", " ", data))

    def _begin_link(self, attrs: Mapping[str, str]) -> None:
        address = attrs.get("href", "")
        is_web = address.startswith(("https://", "http://"))
        if is_web and not _NO_LINK & set(attrs.get("class", "").split()):
            self._link = address, len(self._pieces)

    def _end_link(self) -> None:
        if self._link is None:
            return
        address, start = self._link
        self._link = None
        shown = "".join(self._pieces[start:])
        if shown and not shown.lstrip().startswith(("#", "@")):
            self._pieces[start:] = [address]


def normal(text: str) -> str:
    """Return a text as it is compared: what networks add, drop or fold makes no difference.

    NFC; white space of any kind and length is one space; invisible characters, the scheme of a link
    and a slash at its end are left out. To be used on both sides.
    """
    seen = "".join(char for char in text if unicodedata.category(char) != "Cf")
    words = (_SCHEME.sub("", word).rstrip("/") for word in seen.split())
    return unicodedata.normalize("NFC", " ".join(filter(None, words)))
