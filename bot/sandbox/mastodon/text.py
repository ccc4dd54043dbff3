"""A status' text as Mastodon shows it: HTML with paragraphs, line breaks, links and hashtags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from bot.formatter.entities import Entity, Kind, entities

_DISPLAYED = 30
_BEFORE = re.compile(r"(?:https?://)(?:www\.)?|xmpp:")


def content(text: str, base: str, line_break: str) -> str:
    """Return the HTML of a text. `base` is the server's own URL, for links to its hashtags."""
    text = text.strip()
    if not text:
        return ""
    marked, at = "", 0
    for entity in _linked(text):
        marked += _escaped(text[at : entity.start])
        marked += _url(entity.text) if entity.kind is Kind.URL else _hashtag(entity.text, base)
        at = entity.end
    return _paragraphs(marked + _escaped(text[at:]), line_break)


def hashtags(text: str) -> tuple[str, ...]:
    """Return the hashtags of a text, without their sign, each once."""
    found = (entity.text[1:] for entity in _linked(text) if entity.kind is Kind.HASHTAG)
    return tuple(dict.fromkeys(tag.lower() for tag in found))


def _linked(text: str) -> Iterator[Entity]:
    # A URL needs a scheme here; without one it stays text.
    for entity in entities(text):
        named = entity.kind is Kind.URL and entity.text.lower().startswith(("http://", "https://"))
        if named or entity.kind is Kind.HASHTAG:
            yield entity


def _url(url: str) -> str:
    before = _BEFORE.match(url)
    start = before.end() if before else 0
    end = start + _DISPLAYED
    kind = "ellipsis" if len(url) > end else ""
    spans = (
        f'<span class="invisible">{_escaped(url[:start])}</span>'
        f'<span class="{kind}">{_escaped(url[start:end])}</span>'
        f'<span class="invisible">{_escaped(url[end:])}</span>'
    )
    rest = 'target="_blank" rel="nofollow noopener" translate="no"'
    return f'<a href="{_escaped(url)}" {rest}>{spans}</a>'


def _escaped(text: str) -> str:
    return escape(text).replace("&#x27;", "&#39;")


def _hashtag(tag: str, base: str) -> str:
    page = f"{base}/tags/{tag[1:].lower()}"
    link = f'<a href="{_escaped(page)}" class="mention hashtag" rel="tag">'
    return f"{link}#<span>{_escaped(tag[1:])}</span></a>"


def _paragraphs(text: str, line_break: str) -> str:
    parts = re.split(r"\n\n+", text.replace("\r\n", "\n"))
    return "".join(f"<p>{part}</p>" for part in parts).replace("\n", line_break)
