"""A URL: one digest as Markdown, or a feed of digests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from http import HTTPStatus
from itertools import chain

from bot.digests.feeds import feed
from bot.digests.feeds.entry import Item
from bot.digests.parse import days_in, parse
from bot.digests.result import (
    FAILURES,
    NOTHING,
    Memory,
    SourceOutcome,
    SourceResult,
    failed,
    held,
    is_wanted,
)
from bot.errors import Malformed, NoDigest
from bot.http.fetch import Web
from bot.http.streamed_answer import StreamedAnswer
from bot.http.urls import printable, shown

_ACCEPT = (
    "text/markdown, application/rss+xml, application/atom+xml, application/xml;q=0.9,"
    " text/plain;q=0.8, */*;q=0.1"
)
_XML_TYPE = re.compile(r"(?:application|text)/(?:[\w.-]+\+)?xml")
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|rss|feed|rdf:RDF)[\s>]")
# What servers call a Markdown file, some for want of knowing better.
_MARKDOWN_TYPE = re.compile(r"|text/(?:x-)?markdown|text/plain|application/octet-stream")
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_PEEK = 512


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A URL: a DigestFinder. The answer is a feed where it is XML, else Markdown."""

    url: str
    web: Web

    @property
    def where(self) -> str:
        """The URL as it may be shown."""
        return shown(self.url)

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        """Read the page, or the newest digest of the feed."""
        return self._read(None, memory)

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        """Read the page if it is of a later day, or the later digests of the feed."""
        with self.web.get(self.url, accept=_ACCEPT) as answer:
            answer.raise_for_status()
            begin, pieces = _peeked(answer.pieces())
            if not _is_feed(answer, begin):
                reading = self._markdown(answer, begin, pieces, None)
                later = most > 0 and reading.digest and reading.digest.last_day > day
                return (reading,) if later else ()
            text = feed.FeedText(pieces, answer.charset)
            notes: list[str] = []
            items = feed.later(text, answer.url, self.where, day, most, notes)
        return held((self._noted(self._tried(item), text, notes) for item in items), most)

    def find(self, wanted: date | str) -> SourceResult:
        """Read the page if it is the digest that is wanted, or find it in the feed."""
        return self._read(wanted, NOTHING)

    def _read(self, wanted: date | str | None, memory: Memory) -> SourceResult:
        known = memory.get(self.where)
        with self.web.get(self.url, accept=_ACCEPT, known=known) as answer:
            if known and answer.status == HTTPStatus.NOT_MODIFIED:
                return SourceResult(SourceOutcome.UNCHANGED, self.where, memory=memory)
            answer.raise_for_status()
            kept = {self.where: answer.validators}
            begin, pieces = _peeked(answer.pieces())
            if not _is_feed(answer, begin):
                return replace(self._markdown(answer, begin, pieces, wanted), memory=kept)
            text = feed.FeedText(pieces, answer.charset)
            notes: list[str] = []
            item = feed.choose(text, answer.url, self.where, wanted, notes)
        if item is None:
            none = f"{self.where}: no digest {wanted or ''}".rstrip() + " in this feed"
            raise NoDigest(none, "\n  ".join(notes))
        return replace(self._noted(self._item(item), text, notes), memory=kept)

    def _noted(
        self, reading: SourceResult, text: feed.FeedText, notes: Sequence[str]
    ) -> SourceResult:
        """Add `notes` of the feed, and a warning where it holds what no text has."""
        if text.replaced:
            note = f"{self.where}: {text.replaced} characters that are no text there were replaced"
            notes = (*notes, note)
        return replace(reading, warnings=(*reading.warnings, *notes)) if notes else reading

    def _markdown(
        self,
        answer: StreamedAnswer,
        begin: bytes,
        pieces: Iterator[bytes],
        wanted: date | str | None,
    ) -> SourceResult:
        expect_markdown(answer, begin)
        raw = answer.whole(pieces)
        named = days_in(self.where.rpartition("/")[2])
        digest, warnings = parse(raw, self.where, day=named[1] if named else None)
        if not is_wanted(digest, wanted):
            raise NoDigest(f"{self.where}: this is not the digest {wanted}")
        return SourceResult(SourceOutcome.FOUND, self.where, digest, warnings)

    def _tried(self, item: Item) -> SourceResult:
        """Read an item, whatever comes of it."""
        try:
            return self._item(item)
        except FAILURES as problem:
            return failed(problem, self._name(item))

    def _item(self, item: Item) -> SourceResult:
        """Read an item from its Markdown, wherever that is, or else from its HTML."""
        if item.markdown or not item.markdown_url:
            return self._parsed(item, item.text())
        try:
            return self._parsed(item, item.text(self._fetched(item.markdown_url)))
        except (NoDigest, Malformed) as error:
            if not item.html:
                raise
            reading = self._parsed(item, item.text())
            note = f"{error.message}; its HTML is read, which has lost some characters"
            return replace(reading, warnings=(note, *reading.warnings))

    def _fetched(self, url: str) -> str:
        if problem := self.web.refusal(url):
            raise NoDigest(f"{shown(url)}: this is not fetched: {problem}")
        with self.web.get(url, accept=_ACCEPT) as answer:
            answer.raise_for_status()
            begin, pieces = _peeked(answer.pieces())
            expect_markdown(answer, begin)
            try:
                return answer.whole(pieces).decode("utf-8")
            except UnicodeDecodeError as error:
                raise Malformed(answer.where, 1, "expected UTF-8, found something else") from error

    def _parsed(self, item: Item, text: str) -> SourceResult:
        digest, warnings = parse(text, self._name(item), day=item.days[1], url=item.link)
        return SourceResult(SourceOutcome.FOUND, self.where, digest, warnings)

    def _name(self, item: Item) -> str:
        return printable(f"{self.where} ({item.slug})")


def _is_feed(answer: StreamedAnswer, begin: bytes) -> bool:
    return bool(_XML_TYPE.fullmatch(answer.type) or _XML.match(begin))


def _peeked(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, enough to tell what it is, and all of it from the beginning."""
    begin = b""
    for piece in pieces:
        begin += piece
        if len(begin) >= _PEEK:
            break
    return begin, chain([begin], pieces)


def expect_markdown(answer: StreamedAnswer, begin: bytes) -> None:
    """Raise Malformed where the answer, by its type or its first bytes, is no Markdown."""
    if not _MARKDOWN_TYPE.fullmatch(answer.type):
        found = printable(answer.type[:60])
    elif _HTML.match(begin):
        found = "an HTML page"
    else:
        return
    expected = f"expected Markdown or an RSS or Atom feed, found {found}"
    raise Malformed(answer.where, 1, expected, "Give the URL of the Markdown itself.")
