"""Finds a digest in an RSS or Atom feed, while the feed is still arriving.

Feeds are not sorted, so the newest item is known at the end only: those that are wanted so far are
kept, and the one being read. Items are read with defusedxml, which refuses entities (a few lines of
them can stand for gigabytes) and everything outside of the document.

RSS 2.0: https://www.rssboard.org/rss-specification, Atom: RFC 4287, Markdown in RSS:
http://source.scripting.com/.
"""

from __future__ import annotations

import heapq
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder, lookup
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain
from operator import itemgetter

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from bot.digests.feeds.entry import FeedEntry, Item
from bot.errors import Malformed

_ROOTS = frozenset({"rss", "RDF", "feed"})
_ITEMS = frozenset({"item", "entry"})
_DECLARED = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']"
)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True)
class FeedText:
    """A feed's bytes as text, piece by piece.

    A byte that is wrong in its encoding, and a character that XML forbids, is `replaced` and
    counted: one of them must not cost every item. `charset` is what the server says, and counts
    where the feed itself says nothing. Blanks before the feed are left out. Raises LookupError for
    an encoding that is not known.
    """

    pieces: Iterable[bytes]
    charset: str = ""
    replaced: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[str]:
        decoder, begun = None, False
        for piece in chain(self.pieces, [b""]):
            decoder = decoder or getincrementaldecoder(self._encoding(piece))("replace")
            text = decoder.decode(piece, final=not piece)
            if not begun:
                text = text.lstrip(" \t\r\n\ufeff")
                begun = bool(text)
            text, _ = _FORBIDDEN.subn("\ufffd", text)
            self.replaced += text.count("\ufffd")
            if text:
                yield text

    def _encoding(self, begin: bytes) -> str:
        if begin.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            return "utf-16"
        declared = _DECLARED.match(begin)
        name = declared[1].decode() if declared else self.charset or "utf-8"
        b"<".decode(name, "replace")  # raises LookupError, also for what is no encoding of text
        # what is read here has one byte a character, whatever it says of itself
        return "utf-8" if lookup(name).name.startswith(("utf-16", "utf-32")) else name


def choose(
    pieces: Iterable[bytes | str], base: str, where: str, wanted: date | str | None
) -> Item | None:
    """Read a feed and give the newest digest in it that is wanted: of a day, with a slug, or any.

    `base` is the feed's URL, for relative links, and `where` its name in messages. Of two for the
    same day the last one published is the newer. Raises Malformed where this is no feed.
    """
    best: Item | None = None
    for item in items(pieces, base, where):
        if _fits(item, wanted) and (best is None or _age(item) > _age(best)):
            best = item
    return best


def later(
    pieces: Iterable[bytes | str], base: str, where: str, day: date, most: int
) -> Sequence[Item]:
    """Read a feed and give the digests of later days than `day`: the oldest `most`, oldest first.

    The order is that of `choose`, whose newest comes last. No more than `most` items are kept while
    reading. Raises Malformed where this is no feed.
    """
    found = (item for item in items(pieces, base, where) if item.days[1] > day)
    # Of two that are alike in age, `choose` takes the first for the newer.
    aged = ((_age(item), -place, item) for place, item in enumerate(found))
    return [item for _, _, item in heapq.nsmallest(most, aged, key=itemgetter(0, 1))]


def items(pieces: Iterable[bytes | str], base: str, where: str) -> Iterator[Item]:
    """Give each item that is a digest, as soon as it has arrived. Raises Malformed."""
    target = _Target(base)
    parser = DefusedXMLParser(target=target)
    try:
        for piece in pieces:
            parser.feed(piece)
            yield from target.take()
        parser.close()
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        line, _ = getattr(error, "position", (1, 0))
        raise Malformed(where, line, f"expected an RSS or Atom feed: {_reason(error)}") from error
    yield from target.take()


class _Target:
    """Takes what the parser finds, and keeps the items that are complete until they are taken."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._begun = False
        self._entry: FeedEntry | None = None
        self._items: list[Item] = []

    def take(self) -> Iterator[Item]:
        while self._items:
            yield self._items.pop(0)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if not (self._begun or name in _ROOTS):
            raise ValueError(f"found <{name[:40]}>")
        self._begun = True
        if self._entry:
            self._entry.start(tag, attributes)
        elif name in _ITEMS:
            self._entry = FeedEntry()

    def data(self, text: str) -> None:
        if self._entry:
            self._entry.data(text)

    def end(self, tag: str) -> None:
        if self._entry and self._entry.end(tag):
            if item := self._entry.item(self._base):
                self._items.append(item)
            self._entry = None


def _reason(error: Exception) -> str:
    if isinstance(error, DefusedXmlException):
        return "it declares entities, and those are refused"
    return str(error)


def _fits(item: Item, wanted: date | str | None) -> bool:
    if isinstance(wanted, date):
        return item.days[0] <= wanted <= item.days[1]
    return wanted is None or item.slug == wanted


def _age(item: Item) -> tuple[date, datetime]:
    return item.days[1], item.published or datetime.min.replace(tzinfo=UTC)
