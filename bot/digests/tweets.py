"""The tweets that a digest embeds, in the markup of X's own embed code.

    <blockquote class="twitter-tweet"><p lang="en" dir="ltr">TEXT</p>&mdash; Name (@handle)
    <a href="https://twitter.com/handle/status/1?ref_src=...">June 22, 2021</a></blockquote>

The shape is fixed, so the signature is found from its end, and patterns read the rest. None of them
takes more time than in proportion to its text.
"""

from __future__ import annotations

import re
from datetime import date
from html import unescape

from bot.model import Mention

OPENING = re.compile(r'<blockquote[^<>]*\bclass="[^"<>]*\btwitter-tweet\b', re.IGNORECASE)
CLOSING = "</blockquote>"
LONGEST = 8_192
"""Characters of a tweet's markup; what is longer is no tweet."""
_PARAGRAPH = re.compile(r"<p\b([^<>]*)>")
_LANGUAGE = re.compile(r'\blang="([^"]*)"')
_HREF = re.compile(r'<a\b[^<>]*\bhref="([^"<>]*)"[^<>]*\Z')
_HANDLE = re.compile(r"\w{1,30}")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_DATE = re.compile(r"([A-Z][a-z]+) ([0-9]{1,2}), ([0-9]{4})$")
_NO_CHARACTER = re.compile(r"&#[0-9]{8,};?")
MONTHS = "January February March April May June July August September October November December"


def bounded(markup: str) -> str:
    """Put U+FFFD, as HTML has it, for the numbers of characters that are far above all there are.

    `html.unescape` and the standard parser raise ValueError for one of thousands of digits.
    """
    return _NO_CHARACTER.sub("\ufffd", markup)


def mention(markup: str) -> Mention | None:
    """Read one `<blockquote class="twitter-tweet">`; None where it is not of the known shape."""
    paragraph = _PARAGRAPH.search(markup[:LONGEST])
    end = markup.rfind("</p>")
    if paragraph is None or end < paragraph.end() or len(markup) > LONGEST:
        return None
    signature = _signature(markup[end + len("</p>") :])
    if signature is None:
        return None
    author, handle, url, day = signature
    language = _LANGUAGE.search(paragraph[1])
    return Mention(
        author=_plain(author).strip(),
        handle=handle,
        text=_plain(markup[paragraph.end() : end]),
        language=language[1] if language else "",
        url=unescape(bounded(url)),
        date=_date(day.strip()),
    )


def _signature(markup: str) -> tuple[str, str, str, str] | None:
    """Find `— Name (@handle) <a href="URL">day</a>`; gives name, handle, address and day."""
    stop = markup.rfind("</a>")
    start = markup.rfind("<a", 0, max(stop, 0))
    tag, _, day = markup[start:stop].partition(">")
    before = markup[: max(start, 0)].rstrip()
    name, _, handle = before.removesuffix(")").rpartition("(@")
    link = _HREF.match(tag) if start >= 0 else None
    if link is None or "<" in day or not (before.endswith(")") and _HANDLE.fullmatch(handle)):
        return None
    name = name.strip().removeprefix("&mdash;").removeprefix("—")
    return name, handle, link[1], day


def _plain(markup: str) -> str:
    return unescape(bounded(_TAG.sub("", _BREAK.sub("\n", markup))))


def _date(text: str) -> date | None:
    """`June 22, 2021`, which the embed writes in English whatever the language of the tweet."""
    match = _DATE.match(text)
    months = MONTHS.split()
    if match is None or match[1] not in months:
        return None
    try:
        return date(int(match[3]), months.index(match[1]) + 1, int(match[2]))
    except ValueError:
        return None
