"""Finds a digest in an RSS or Atom feed, while the feed is still arriving.

Feeds are not sorted, so the newest item is known at the end only: those that are wanted so far are
kept, and the one being read. Items are read with defusedxml, which refuses entities (a few lines of
them can stand for gigabytes) and everything outside of the document.

RSS 2.0: https://www.rssboard.org/rss-specification, Atom: RFC 4287, Markdown in RSS:
http://source.scripting.com/.
"""

from __future__ import annotations

import re
from bisect import insort
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder, lookup
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain
from typing import Generic, Protocol, TypeVar

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from bot.digests.feeds.entry import LARGEST, MOST_ELEMENTS, FeedEntry, Item
from bot.errors import Malformed

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_ROOTS = frozenset({"rss", "RDF", "feed"})
_ITEMS = frozenset({"item", "entry"})
_DECLARED = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']"
)
# Codecs of Python that no feed is written in, and that keep all they are given, or take long.
_NO_ENCODING = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_LONGEST_TAG = 262_144
_DEEPEST = 200
_MOST_NAMES = 2_000
_LONGEST_TIME = 100
_KEPT = 8_000_000  # bytes of the items that `later` keeps
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
        if lookup(name).name.replace("_", "-") in _NO_ENCODING:
            raise LookupError(f"unknown encoding: {name}")
        b"<".decode(name, "replace")  # raises LookupError, also for what is no encoding of text
        # what is read here has one byte a character, whatever it says of itself
        return "utf-8" if lookup(name).name.startswith(("utf-16", "utf-32")) else name


def choose(
    pieces: Iterable[bytes | str],
    base: str,
    where: str,
    wanted: date | str | None,
    notes: list[str] | None = None,
) -> Item | None:
    """Read a feed and give the newest digest in it that is wanted: of a day, with a slug, or any.

    `base` is the feed's URL, for relative links, and `where` its name in messages. Of two for the
    same day the last one published is the newer. What is left out is told in `notes`. Raises
    Malformed where this is no feed.
    """
    best: Item | None = None
    for item in items(pieces, base, where, notes):
        if _fits(item, wanted) and (best is None or _age(item) > _age(best)):
            best = item
    return best


def later(  # noqa: PLR0913, PLR0917 - as `choose`, and how many
    pieces: Iterable[bytes | str],
    base: str,
    where: str,
    day: date,
    most: int,
    notes: list[str] | None = None,
) -> Sequence[Item]:
    """Read a feed and give the digests of later days than `day`: the oldest `most`, oldest first.

    The order is that of `choose`, whose newest comes last. No more than `most` items are kept while
    reading, and fewer where they take more than `_KEPT` bytes. What is left out for its size is
    told in `notes`. Raises Malformed where this is no feed.
    """
    kept: list[tuple[tuple[date, datetime], int, Item]] = []
    size, left = 0, 0
    for place, item in enumerate(items(pieces, base, where, notes)):
        if item.days[1] > day:
            # Of two that are alike in age, `choose` takes the first for the newer.
            insort(kept, (_age(item), -place, item))
            size += item.size
        while len(kept) > most or (size > _KEPT and len(kept) > 1):
            left += len(kept) <= most
            size -= kept.pop()[2].size
    if left and notes is not None:
        notes.append(f"{where}: {left} later digests are not read at this look: they are large")
    return [item for _, _, item in kept]


def items(
    pieces: Iterable[bytes | str], base: str, where: str, notes: list[str] | None = None
) -> Iterator[Item]:
    """Give each item that is a digest, as soon as it has arrived. Raises Malformed.

    `notes` is told at the end how many items were too large to be read.
    """
    yield from read_items(pieces, where, FeedTarget(FeedEntry, base), notes)


def read_items(
    pieces: Iterable[bytes | str],
    where: str,
    target: FeedTarget[T],
    notes: list[str] | None = None,
) -> Iterator[T]:
    """Give what `target` makes of each item, as soon as the item has arrived. Raises Malformed."""
    parser = DefusedXMLParser(target=target)
    parser.parser.StartDoctypeDeclHandler = target.declare
    fed = 0
    try:
        for piece in pieces:
            parser.feed(piece)
            yield from target.take()
            fed += len(piece.encode() if isinstance(piece, str) else piece)
            if fed - parser.parser.CurrentByteIndex > _LONGEST_TAG:
                target.refuse(f"a tag or comment in it is longer than {_LONGEST_TAG:,} bytes")
        parser.close()
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        line, _ = getattr(error, "position", (1, 0))
        raise Malformed(where, line, f"expected an RSS or Atom feed: {_reason(error)}") from error
    yield from target.take()
    if target.left_out and notes is not None:
        limit = f"more than {LARGEST:,} characters or {MOST_ELEMENTS:,} elements"
        notes.append(f"{where}: items left out for their size ({limit}): {target.left_out}")


class Entry(Protocol[T_co]):
    """An item of a feed as its elements arrive: `end` tells whether the item's own end is there."""

    too_large: bool

    def start(self, tag: str, attributes: Mapping[str, str]) -> None: ...  # noqa: D102
    def data(self, text: str) -> None: ...  # noqa: D102
    def end(self, tag: str) -> bool: ...  # noqa: D102
    def item(self, base: str) -> T_co | None: ...  # noqa: D102


class FeedTarget(Generic[T]):
    """Takes what the parser finds, and keeps the items that are complete until they are taken.

    `make` begins an item, whose links are relative to `base`. `published` is the time that the feed
    says of itself, as text.
    """

    def __init__(self, make: Callable[[], Entry[T]], base: str = "") -> None:
        self.published = ""
        self._make = make
        self._base = base
        self._begun = False
        self._field = ""
        self._entry: Entry[T] | None = None
        self._items: list[T] = []
        self._depth = 0
        self._names: set[str] = set()  # the parser keeps each for the whole of the feed
        self.left_out = 0

    def take(self) -> Iterator[T]:
        """Give the complete items, each once."""
        while self._items:
            yield self._items.pop(0)

    def refuse(self, reason: str) -> None:
        """End the reading of the whole feed."""
        raise ValueError(reason)

    def declare(self, _name: str, _system: str | None, _public: str | None, inside: bool) -> None:  # noqa: FBT001 - expat calls it so
        """Refuse a document type with declarations."""
        if inside:  # attributes by default, for one, are many attributes in few bytes
            self.refuse("it declares entities or elements, and those are refused")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag."""
        name = tag.rpartition("}")[2]
        if not (self._begun or name in _ROOTS):
            self.refuse(f"found <{name[:40]}>")
        self._begun = True
        self._depth += 1
        if self._depth > _DEEPEST:
            self.refuse(f"its elements are nested more than {_DEEPEST} deep")
        self._learn(tag, *attributes)
        if self._entry:
            self._entry.start(tag, attributes)
        elif name in _ITEMS:
            self._entry = self._make()
        self._field = name

    def start_ns(self, prefix: str, space: str) -> None:
        """Take a namespace."""
        self._learn(f"{prefix} {space}")

    def _learn(self, *names: str) -> None:
        self._names.update(names)
        if len(self._names) > _MOST_NAMES:
            self.refuse(f"it has more than {_MOST_NAMES:,} different names of elements")

    def data(self, text: str) -> None:
        """Take text."""
        if self._entry:
            self._entry.data(text)
        elif self._field == "pubDate":
            self.published = (self.published + text)[:_LONGEST_TIME]

    def end(self, tag: str) -> None:
        """Take an end tag."""
        self._field = ""
        self._depth -= 1
        if self._entry and self._entry.end(tag):
            self.left_out += self._entry.too_large
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
