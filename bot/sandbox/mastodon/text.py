"""Return a status' text as Mastodon does: HTML with paragraphs, line breaks, links and hashtags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from bot.formatter.x.entities import Entity, EntityKind, entities
from bot.sandbox.mastodon.behaviour import Markup

_DISPLAYED = 30
_BLOCKS = {
    r"[0-9]{1,9}[.)] ": "<li>{}</li>",
    r"[-*+] ": "<li>{}</li>",
    r"#{1,6} ": "<h2>{}</h2>",
    r"> ?": "<blockquote>{}</blockquote>",
}
_BEFORE = re.compile(r"(?:https?://)(?:www\.)?|xmpp:")


def content(text: str, base: str, line_break: str, markup: Markup = Markup.NONE) -> str:
    """Return the HTML of a text. `base` is the server's own URL, for links to its hashtags."""
    text = text.strip()
    if not text:
        return ""
    if markup is Markup.MARKDOWN:
        return _markdown(text, base)
    if markup is Markup.SNAC:
        # style signs are removed, and anything like a tag
        text = re.sub(r"`([^`\n]+)`|\*\*?([^*\n]+)\*?\*|__([^_\n]+)__", _bare, text)
        text = re.sub(r"<[^>\n]*(?:>|\n|\Z)", "", text)
    parts = re.split(r"\n\n+", _marked(text, base).replace("\r\n", "\n"))
    return "".join(f"<p>{part}</p>" for part in parts).replace("\n", line_break)


def _markdown(text: str, base: str) -> str:
    """Return a block for each paragraph. Lists, headings and quotations lose their signs."""
    blocks = ""
    for block in re.split(r"\n\n+", text):
        for sign, tag in _BLOCKS.items():
            if re.match(sign, block):
                items = re.split(rf"\n(?={sign})", block)
                lines = "".join(tag.format(_line(re.sub(sign, "", one), base)) for one in items)
                blocks += f"<ol>{lines}</ol>" if "li" in tag else lines
                break
        else:
            blocks += f"<p>{_line(block, base)}</p>"
    return blocks


def _line(text: str, base: str) -> str:
    """Return the text of one block, without line breaks, style signs and tags."""
    text = re.sub(r"\*\*?([^*\n]+)\*\*?|\b__?([^_\n]+)__?\b|`([^`\n]+)`", _bare, text)
    text = re.sub(r"</?[A-Za-z][^>\n]*>", "", text)
    return _marked(text, base).replace("\n", " ")


def _bare(found: re.Match[str]) -> str:
    return str(next(filter(None, found.groups())))


def _marked(text: str, base: str) -> str:
    """Return the text with its links and hashtags as HTML."""
    marked, at = "", 0
    for entity in _linked(text):
        marked += _escaped(text[at : entity.start])
        at = entity.end
        if entity.kind is EntityKind.HASHTAG:
            page = _escaped(f"{base}/tags/{entity.text[1:].lower()}")
            tag = f"#<span>{_escaped(entity.text[1:])}</span>"
            marked += f'<a href="{page}" class="mention hashtag" rel="tag">{tag}</a>'
            continue
        url, before = entity.text, _BEFORE.match(entity.text)
        start = before.end() if before else 0
        end = start + _DISPLAYED
        kind = "ellipsis" if len(url) > end else ""
        marked += (
            f'<a href="{_escaped(url)}" target="_blank" rel="nofollow noopener" translate="no">'
            f'<span class="invisible">{_escaped(url[:start])}</span>'
            f'<span class="{kind}">{_escaped(url[start:end])}</span>'
            f'<span class="invisible">{_escaped(url[end:])}</span></a>'
        )
    return marked + _escaped(text[at:])


def hashtags(text: str) -> tuple[str, ...]:
    """Return the hashtags of a text, without their sign, each once."""
    found = (entity.text[1:] for entity in _linked(text) if entity.kind is EntityKind.HASHTAG)
    return tuple(dict.fromkeys(tag.lower() for tag in found))


def _linked(text: str) -> Iterator[Entity]:
    # Mastodon links a URL only if it has a scheme
    for entity in entities(text):
        named = entity.kind is EntityKind.URL and entity.text.lower().startswith(
            ("http://", "https://")
        )
        if named or entity.kind is EntityKind.HASHTAG:
            yield entity


def _escaped(text: str) -> str:
    return escape(text).replace("&#x27;", "&#39;")
