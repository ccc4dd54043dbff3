"""The tweets that a digest embeds, in the markup of X's own embed code.

    <blockquote class="twitter-tweet"><p lang="en" dir="ltr">TEXT</p>&mdash; Name (@handle)
    <a href="https://twitter.com/handle/status/1?ref_src=...">June 22, 2021</a></blockquote>

The shape is fixed, so patterns read it. Each of them is linear in its input: no two of their
repetitions can share a character.
"""

from __future__ import annotations

import re
from datetime import date
from html import unescape

from bot.model import Mention

OPENING = re.compile(r'<blockquote[^<>]*\bclass="[^"<>]*\btwitter-tweet\b', re.IGNORECASE)
CLOSING = "</blockquote>"
_PARAGRAPH = re.compile(r"<p\b([^<>]*)>")
_LANGUAGE = re.compile(r'\blang="([^"]*)"')
_SIGNATURE = re.compile(
    r'\s*(?:&mdash;|—)?\s*(.*)\(@(\w{1,30})\)\s*<a\b[^<>]*\bhref="([^"<>]*)"[^<>]*>([^<]*)</a>',
    re.DOTALL,
)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_DATE = re.compile(r"([A-Z][a-z]+) ([0-9]{1,2}), ([0-9]{4})$")
_MONTHS = "January February March April May June July August September October November December"


def mention(markup: str) -> Mention | None:
    """Read one `<blockquote class="twitter-tweet">`; None where it is not of the known shape."""
    paragraph = _PARAGRAPH.search(markup)
    end = markup.rfind("</p>")
    if paragraph is None or end < paragraph.end():
        return None
    signature = _SIGNATURE.match(markup, end + len("</p>"))
    if signature is None:
        return None
    author, handle, url, day = signature.groups()
    language = _LANGUAGE.search(paragraph[1])
    return Mention(
        author=_plain(author).strip(),
        handle=handle,
        text=_plain(markup[paragraph.end() : end]),
        language=language[1] if language else "",
        url=unescape(url),
        date=_date(day.strip()),
    )


def _plain(markup: str) -> str:
    return unescape(_TAG.sub("", _BREAK.sub("\n", markup)))


def _date(text: str) -> date | None:
    """`June 22, 2021`, which the embed writes in English whatever the language of the tweet."""
    match = _DATE.match(text)
    months = _MONTHS.split()
    if match is None or match[1] not in months:
        return None
    try:
        return date(int(match[3]), months.index(match[1]) + 1, int(match[2]))
    except ValueError:
        return None
