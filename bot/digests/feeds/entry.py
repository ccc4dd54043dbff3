"""One entry of a feed: gathers what it says of a digest, and makes it that digest's text.

The elements come from RSS 2.0 (https://www.rssboard.org/rss-specification), RSS 1.0, Atom (RFC
4287), and their extensions: content:encoded, dc:date and the Markdown of
http://source.scripting.com/.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from html import escape
from urllib.parse import unquote, urljoin, urlsplit

from bot.digests.feeds.html import to_markdown
from bot.digests.parse import days_in, head
from bot.errors import Malformed
from bot.http.dates import moment
from bot.http.urls import slug_of

MARKDOWN_TYPES = frozenset({"text/markdown", "text/x-markdown"})
LARGEST = 1_000_000
MOST_ELEMENTS = 50_000
"""Characters and elements of an item. A digest of 30 papers has a tenth of them as HTML."""
_HTML_TYPES = frozenset({"html", "xhtml", "text/html", "application/xhtml+xml"})
_TEXT_TYPES = frozenset({"", "text", "text/plain"})
_SPACES = (
    "",
    "http://www.w3.org/2005/Atom",
    "http://purl.org/rss/1.0/",
    "http://backend.userland.com/rss2",
)
_OWN: Mapping[str, str] = {
    "title": "title",
    "link": "link",
    "enclosure": "enclosure",
    "guid": "guid",
    "id": "id",
    "pubDate": "published",
    "published": "published",
    "updated": "updated",
    "category": "category",
    "content": "content",
    "description": "description",
    "summary": "description",
}
_EXTENSIONS: Mapping[str, str] = {
    "{http://purl.org/dc/elements/1.1/}date": "published",
    "{http://purl.org/rss/1.0/modules/content/}encoded": "encoded",
    "{http://source.scripting.com/}markdown": "markdown",
    "{https://source.scripting.com/}markdown": "markdown",
}
# Fields whose text is markup, so that what is nested in them is written out again.
_MARKED_UP = frozenset({"content", "encoded", "description"})
_RANKED = re.compile(r"^# [0-9]+\. ", re.MULTILINE)
# Not the other counts: a post of any blog may have `comments: 3` in it.
_SHARED = re.compile(r"(?:retweets|upvotes):\s*[0-9]")


@dataclass(frozen=True, slots=True)
class Item:
    """A digest in a feed, before it is parsed.

    `link` is its page, absolute, http or https, or empty; so is `markdown_url`, where its Markdown
    lies. `days` are its first and last. Of `markdown` and `html` one may be there, or both.
    """

    title: str
    link: str
    slug: str
    days: tuple[date, date]
    published: datetime | None = None
    tags: tuple[str, ...] = ()
    markdown_url: str = ""
    markdown: str = ""
    html: str = ""

    @property
    def size(self) -> int:
        """Bytes that its texts take in memory."""
        texts = (self.title, self.link, self.markdown, self.html, *self.tags)
        return sum(map(sys.getsizeof, texts))

    def text(self, body: str = "") -> str:
        """The digest as its publisher would have written it, from `body` or what the feed holds."""
        body = body or self.markdown or to_markdown(self.html)
        return body if has_front_matter(body) else f"{self._front_matter()}\n{body}"

    def _front_matter(self) -> str:
        published = self.published or datetime.combine(self.days[1], time(), UTC)
        tags = [f"  - {json.dumps(tag)}" for tag in self.tags]
        # what JSON quotes, YAML reads
        lines = [
            "---",
            f"title: {json.dumps(self.title or self.slug)}",
            f"date: {published.isoformat()}",
            f"slug: {json.dumps(self.slug)}",
            *(["tags:", *tags] if tags else []),
            "---",
        ]
        return "\n".join(lines) + "\n"


def has_front_matter(text: str) -> bool:
    """Whether a Markdown text begins with front matter of its own."""
    return text.removeprefix("\ufeff").startswith("---")


class FeedEntry:
    """An item as its elements arrive.

    One that is `too_large` gives no digest, and nothing of it is kept.
    """

    def __init__(self) -> None:
        self.too_large = False
        self._elements = 0
        self._size = 0
        self._depth = 0
        self._field = ""
        self._attributes: Mapping[str, str] = {}
        self._text: list[str] = []
        self._found: dict[str, str] = {}
        self._tags: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag; `tag` is `{namespace}name`, or the name alone."""
        self._depth += 1
        self._elements += 1
        if self._depth == 1:
            self._field, self._attributes = _field(tag), attributes
            self._text.clear()
            self._add("".join(attributes.values()))
            self._text.clear()
        elif self._field in _MARKED_UP:
            self._add(_start_tag(_name(tag), attributes))

    def data(self, text: str) -> None:
        """Take text; inside of nested elements it is text once more, not markup."""
        if self._field:
            nested = self._depth > 1 and self._field in _MARKED_UP
            self._add(escape(text, quote=False) if nested else text)

    def end(self, tag: str) -> bool:
        """Take an end tag; whether it was the item's own."""
        if self._depth == 1:
            self._keep("".join(self._text))
            self._field = ""
        elif self._field in _MARKED_UP:
            self._add(f"</{_name(tag)}>")
        self._depth -= 1
        return self._depth < 0

    def _add(self, text: str) -> None:
        self._size += len(text)
        self.too_large |= self._size > LARGEST or self._elements > MOST_ELEMENTS
        if self.too_large:
            self._text.clear()
            self._found.clear()
            self._tags.clear()
        else:
            self._text.append(text)

    def _keep(self, text: str) -> None:
        """Sort one element's text in; of two with the same meaning the first counts."""
        kind = self._attributes.get("type", "").partition(";")[0].strip().lower()
        href = self._attributes.get("href") or self._attributes.get("url") or ""
        if self._field in ("link", "enclosure"):
            self._keep_link(href or text.strip(), kind)
        elif self._field == "category":
            self._tags.append(_line(self._attributes.get("term") or text))
        elif self._field == "content":
            self._keep_content(text, kind)
        elif self._field == "guid" and self._attributes.get("isPermaLink") == "false":
            self._keep_first("id", text)
        else:
            self._keep_first(self._field, text)

    def _keep_first(self, field: str, text: str) -> None:
        if text.strip():
            self._found.setdefault(field, text)

    def _keep_link(self, href: str, kind: str) -> None:
        if kind in MARKDOWN_TYPES:
            self._keep_first("markdown_url", href)
        elif self._field == "link" and self._attributes.get("rel", "alternate") == "alternate":
            self._keep_first("link", href)

    def _keep_content(self, text: str, kind: str) -> None:
        """Sort Atom's content: its type says what it is, and `src` that it is elsewhere."""
        elsewhere = self._attributes.get("src", "")
        if kind in MARKDOWN_TYPES and elsewhere:
            self._keep_first("markdown_url", elsewhere)
        elif kind in MARKDOWN_TYPES or kind in _TEXT_TYPES:
            self._keep_first("markdown", text)
        elif kind in _HTML_TYPES:
            self._keep_first("content", text)

    def item(self, base: str) -> Item | None:
        """Give the digest this is, its links made absolute by `base`; None where it is none."""
        if self.too_large:
            return None
        markdown, html = self._get("markdown"), self._get("encoded", "content", "description")
        if not markdown and _RANKED.search(html):
            markdown, html = html, ""
        item = Item(
            title=_line(self._get("title")),
            link=_absolute(base, self._get("link") or self._permalink()),
            slug="",
            days=(date.min, date.min),
            published=moment(self._get("published", "updated")),
            tags=tuple(filter(None, self._tags)),
            markdown_url=_absolute(base, self._get("markdown_url")),
            markdown=markdown,
            html=html,
        )
        return _identified(item, self._get("guid", "id"))

    def _permalink(self) -> str:
        """RSS lets the guid stand for the link, unless it says otherwise."""
        guid = self._get("guid").strip()
        return guid if guid.startswith(("http://", "https://")) else ""

    def _get(self, *fields: str) -> str:
        return next((self._found[field] for field in fields if field in self._found), "")


def _identified(item: Item, guid: str) -> Item | None:
    """Say which digest an item is; None where it is none.

    Its own front matter knows best, then its link, title and guid. Every post of some blogs has a
    day in its link, so it takes a day in the title, or papers that were shared, to be a digest.
    """
    slug, day, published = _own_identity(item.markdown)
    slug = slug or _slug(item.link, item.title, guid)
    days = days_in(slug) or ((day, day) if day else days_in(item.title))
    body = item.markdown or item.html
    shared = _SHARED.search(body) or (item.markdown_url and days and not body)
    published = published or item.published
    if shared and not days and published:
        days = published.date(), published.date()
    if days is None or not (shared or day or days_in(item.title)):
        return None
    return replace(item, slug=slug, days=days, published=published)


def _own_identity(markdown: str) -> tuple[str, date | None, datetime | None]:
    """Slug, day and time of publication in the front matter; nothing where there is none."""
    try:
        return head(markdown)
    except Malformed:
        return "", None, None


def _slug(link: str, title: str, guid: str) -> str:
    """What tells this digest from others: preferably a name with a day in it."""
    names = [_last_name(link), re.sub(r"[^\w.~]+", "-", title.lower()).strip("-"), _last_name(guid)]
    return slug_of(next(filter(days_in, names), "") or next(filter(None, names), ""))


def _last_name(url: str) -> str:
    """The last part of a URL's path without its extension, or of a `tag:` or `urn:`."""
    plain = unquote(re.split(r"[?#]", url.strip(), maxsplit=1)[0])
    _, found, path = plain.partition("://")
    names = path.rstrip("/").split("/")[1:] if found else re.split(r"[/:,]", plain)
    name = re.sub(r"\.(?:html?|md)$", "", names[-1]) if names else ""
    return re.sub(r"[^\w.~-]+", "-", name)


def _absolute(base: str, url: str) -> str:
    """`url` as seen from the feed; empty where it leads to no page."""
    try:
        parts = urlsplit(urljoin(base, url.strip()))
    except ValueError:
        return ""
    is_page = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return parts.geturl() if url and is_page and not re.search(r"\s", parts.geturl()) else ""


def _line(text: str) -> str:
    return " ".join(text.split())


def _field(tag: str) -> str:
    """What an item's child is called here; empty for one that says nothing of use."""
    space, _, name = tag.removeprefix("{").rpartition("}")
    return _OWN.get(name, "") if space in _SPACES else _EXTENSIONS.get(tag, "")


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _start_tag(name: str, attributes: Mapping[str, str]) -> str:
    written = "".join(f' {_name(key)}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>"
