"""A feed's HTML back to the lines of the digest it was made from.

A site's generator renders the digest's Markdown and puts the result into its feed. What it made of
headings, lists, links and formulas is undone here; what it lost (which of `*` and `_` an emphasis
was, straight quotes, backslashes before punctuation) stays lost, so Markdown is preferred wherever
a feed has both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from html.parser import HTMLParser

from bot.digests.tweets import bounded

_Attributes = Sequence[tuple[str, str | None]]

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_IS_BLOCK = re.compile(
    "address|article|aside|blockquote|body|d[dlt]|div|fig(?:caption|ure)|footer|h[1-6]|header|hr"
    "|li|main|nav|ol|p|pre|section|table|t[dhr]|ul"
).fullmatch
_UNSEEN = frozenset({"head", "iframe", "noscript", "script", "style", "svg", "template"})
# An asterisk makes emphasis inside of a word and an underscore does not, so in prose that was not
# written as Markdown it was mostly an asterisk.
_MARKS: Mapping[str, str] = {
    "em": "*",
    "i": "*",
    "strong": "**",
    "b": "**",
    "code": "`",
    "del": "~",
}
_PERMALINKS = frozenset({"", "#", "\N{PILCROW SIGN}", "\N{SECTION SIGN}", "\N{LINK SYMBOL}"})
_FORMULA = "application/x-tex"


_DECLARATION = re.compile(r"<[!?][^<>]*>")
_TAG = r"""/?[A-Za-z](?:[^<>"']++|"[^"<]*"|'[^'<]*')*+>"""
_NO_TAG = re.compile(f"<(?!{_TAG})")
_A_TAG = re.compile(f"<{_TAG}")
_LONGEST_TAG = 65_536


def to_markdown(html: str) -> str:
    """Give the Markdown lines that `html` was rendered from, without front matter; never raises."""
    writer = _LineWriter()
    writer.feed(tame(html))
    writer.close()
    return writer.markdown()


def tame(html: str) -> str:
    """Drop comments and declarations, escape what is no tag, and bound numbers of characters.

    The standard parser raises for declarations it does not know, and before Python 3.11.14 its time
    grows with the square or the cube of what begins and never ends. Here each character is looked
    at once. After a comment that never ends nothing is left. A tag of more than `_LONGEST_TAG`
    characters is dropped: its attributes would take a hundred times its size.
    """
    first, *others = html.split("<!--")
    seen = first + "".join(other.partition("-->")[2] for other in others)
    plain = _NO_TAG.sub("&lt;", _DECLARATION.sub("", bounded(seen)))
    if all(len(tag[0]) <= _LONGEST_TAG for tag in _A_TAG.finditer(plain)):
        return plain
    return _A_TAG.sub(lambda tag: tag[0] if len(tag[0]) <= _LONGEST_TAG else "", plain)


class _LineWriter(HTMLParser):
    """Writes a line for each block as it ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._restart()

    def _restart(self) -> None:
        """Forget what is open: a heading begins a new paper, whatever was left open before it."""
        self._text: list[str] = []
        self._prefix = ""
        self._link: tuple[str, int] | None = None  # where the open link leads and its text begins
        self._tweet = 0  # blockquotes that are open, from the tweet's own on
        self._unseen: list[str] = []  # the elements that are open, from one that is not shown on
        self._formula = _Formula()

    def markdown(self) -> str:
        """All lines so far, with what is still open."""
        self._flush()
        return "\n\n".join(self._lines) + "\n"

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _HEADINGS:
            self._flush()
            self._restart()
            self._prefix = "# "
        elif self._unseen or tag in _UNSEEN:
            self._unseen += [tag] if tag in _UNSEEN else []
        elif self._formula.opens(tag, values):
            pass
        elif self._tweet:
            self._tweet += tag == "blockquote"
            self._text.append(_tag(tag, values))
        else:
            self._start(tag, values)

    def _start(self, tag: str, values: Mapping[str, str]) -> None:
        if _IS_BLOCK(tag):
            self._flush()
        if tag == "blockquote" and "twitter-tweet" in values.get("class", "").split():
            self._tweet = 1
            self._text.append(_tag(tag, values))
        elif tag == "li":
            self._prefix = "- "
        elif tag == "a":
            self._end_link()
            self._link = values.get("href", ""), len(self._text)
        elif tag == "br":
            self._text.append("\n")
        else:
            self._text.append(_MARKS.get(tag, ""))

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag == self._unseen[-1]:
                self._unseen.pop()
        elif self._formula.is_open:
            self._text.append(self._formula.closes(tag))
        elif self._tweet:
            self._text.append(f"</{tag}>")
            self._tweet -= tag == "blockquote"
            if not self._tweet:
                self._flush()
        elif tag == "a":
            self._end_link()
        elif _IS_BLOCK(tag):
            self._flush()
            self._prefix = "" if tag in ("li", *_HEADINGS) else self._prefix
        else:
            self._text.append(_MARKS.get(tag, ""))

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._formula.is_open:
            self._formula.take(data)
        else:
            self._text.append(escape(data, quote=False) if self._tweet else data)

    def _end_link(self) -> None:
        if self._link:
            href, start = self._link
            self._text[start:] = [self._linked("".join(self._text[start:]), href)]
            self._link = None

    def _linked(self, text: str, href: str) -> str:
        """The Markdown of a link; the bare text in a heading and where it was a bare URL."""
        if self._prefix == "# ":
            return "" if text.strip() in _PERMALINKS else text
        return text if not href or href.endswith(text) else f"[{text}]({href})"

    def _flush(self) -> None:
        """End the line that is being written."""
        self._text.append(self._formula.closes(""))
        line = " ".join(filter(None, map(str.strip, "".join(self._text).split("\n"))))
        if line:
            self._lines.append(f"{self._prefix}{line}")
            self._prefix = ""
        self._text.clear()
        self._link = None
        self._tweet = 0


class _Formula:
    """What KaTeX made of a formula: drawn twice over, and its LaTeX in an annotation."""

    def __init__(self) -> None:
        self._spans = 0
        self._source = False
        self._latex: list[str] = []
        self._drawn: list[str] = []

    @property
    def is_open(self) -> bool:
        return self._spans > 0

    def opens(self, tag: str, values: Mapping[str, str]) -> bool:
        """Take a start tag; whether it belongs to a formula."""
        if self._spans or (tag == "span" and "katex" in values.get("class", "").split()):
            self._spans += tag == "span"
            self._source = tag == "annotation" and values.get("encoding") == _FORMULA
            return True
        return False

    def take(self, data: str) -> None:
        (self._latex if self._source else self._drawn).append(data)

    def closes(self, tag: str) -> str:
        """Take an end tag (or the end of everything, ""); gives the LaTeX when that was the last.

        Where there is no LaTeX, what was drawn stands for it.
        """
        self._source = False
        self._spans -= tag == "span"
        if self._spans and tag:
            return ""
        latex, drawn = "".join(self._latex).strip(), "".join(self._drawn)
        self._spans, self._latex, self._drawn = 0, [], []
        return f"${latex}$" if latex else drawn


def _tag(name: str, values: Mapping[str, str]) -> str:
    """A start tag, as X's embed code writes it."""
    written = "".join(f' {key}="{escape(value)}"' for key, value in values.items())
    return f"<{name}{written}>"
