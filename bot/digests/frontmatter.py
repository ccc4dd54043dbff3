"""The front matter of a digest: the few kinds of YAML line that publishers' programs write.

Every value stays the text it is, and a line of a key that is not asked for may hold anything.
PyYAML's BaseLoader keeps values as text too, but refuses the whole for one odd line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from bot.errors import Malformed

FENCE = "---"
LONGEST = 65_536
"""Characters of the front matter that are read."""
_KEY = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*))?$")
_ITEM = re.compile(r"[ \t]*-[ \t]+(.*)$")
_COMMENT = re.compile(r"(?:^|[ \t])#.*$")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b"}


@dataclass(frozen=True, slots=True)
class Field:
    """A key's value: its text, the items below or inside it, and its line (from 1)."""

    text: str
    items: tuple[str, ...]
    line: int


def split(lines: Sequence[str], where: str) -> tuple[Mapping[str, Field], int]:
    """Read the front matter at the head of `lines`.

    Returns the fields by key and the index of the first line after the closing `---`. Raises
    Malformed where either fence is missing in the first `LONGEST` characters. Of a key given twice
    the last counts, as in YAML.
    """
    if not lines or lines[0].rstrip() != FENCE:
        raise Malformed(where, 1, "expected `---`, the line that opens the front matter")
    sizes = accumulate(len(line) + 1 for line in lines)
    head = [line for line, _ in zip(lines, takewhile(LONGEST.__ge__, sizes), strict=False)]
    end = next((n for n, line in enumerate(head[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        raise Malformed(where, len(head), "expected `---`, the line that closes the front matter")
    return _fields(lines[:end]), end + 1


def _fields(lines: Sequence[str]) -> Mapping[str, Field]:
    """Each key with the indented lines and list items that follow it."""
    starts = [(n, match) for n, line in enumerate(lines) if (match := _KEY.match(line))]
    ends = [*(n for n, _ in starts[1:]), len(lines)]
    return {
        match[1]: _field(match[2] or "", lines[n + 1 : end], n + 1)
        for (n, match), end in zip(starts, ends, strict=True)
    }


def _field(head: str, below: Sequence[str], line: int) -> Field:
    if head.startswith("[") and head.rstrip().endswith("]"):
        inline = tuple(map(_scalar, head.rstrip()[1:-1].split(",")))
        return Field("", tuple(filter(None, inline)), line)
    items = tuple(_scalar(match[1]) for text in below if (match := _ITEM.match(text)))
    if head.strip() in ("", ">", "|", ">-", "|-"):
        folded = " ".join(text.strip() for text in below if text.strip())
        return Field("" if items else folded, items, line)
    return Field(_scalar(head), items, line)


def _scalar(text: str) -> str:
    """Undo quotes and escapes; outside quotes a `#` after a space begins a comment."""
    text = text.strip()
    if text.startswith('"') and (end := _closing(text)):
        return _joined(_ESCAPE.sub(_unescape, text[1:end]))
    if text.startswith("'") and (match := re.match(r"'((?:[^']|'')*)'", text)):
        return match[1].replace("''", "'")
    return _COMMENT.sub("", text).rstrip()


def _joined(text: str) -> str:
    """JSON writes a character above U+FFFF as two escapes: make them one again."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _closing(text: str) -> int:
    """Where the double quote that opens `text` is closed; 0 if it never is."""
    match = re.match(r'"(?:[^"\\]|\\.)*"', text)
    return match.end() - 1 if match else 0


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        return _ESCAPED.get(match[4], match[4])
    number = int(code, 16)
    return chr(number) if number <= 0x10FFFF else match[0]  # noqa: PLR2004 - Unicode ends there
