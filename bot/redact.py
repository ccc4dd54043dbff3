"""Take secrets out of text, in every form in which a server or library may repeat them. Pure."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import takewhile

SHORTEST_SECRET = 8
"""Characters. Shorter text is kept: it may occur where it is no secret, and no network has tokens
that short."""

_MASK = b"***"
_SHORTEST_PLAIN = 4
_SHORTEST_CUT = 10
_CUTTABLE = 16
"""Of a secret this long the first `_SHORTEST_CUT` characters are found too, where it was cut."""
_MOST_PASSING = 64
_DEPTH = 4
"""How many times text may be escaped, by any mixture of methods."""
_SURE_PART = 16
_BETWEEN = re.compile(r"[\s,;/?&=@:#]+")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://[^\s,;]+")
_WEB = re.compile(r"https?://(?:([^/?#]*)@)?[^/?#]*", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/@:]*:([^/@]+)@")
_OWNED = re.compile(r"\d+-(.+)")  # X's access tokens begin with the account's id, which is public
_ESCAPE = re.compile(
    rb"%(?P<percent>[0-9A-Fa-f]{2})"
    rb"|\\u(?P<high>[Dd][89ABab][0-9A-Fa-f]{2})\\u(?P<low>[Dd][C-Fc-f][0-9A-Fa-f]{2})"
    rb"|\\(?:u(?P<u>[0-9A-Fa-f]{4})|x(?P<x>[0-9A-Fa-f]{2})|U000(?P<long>[0-9A-Fa-f]{5}))"
    rb"|\\(?P<sign>[^A-Za-z0-9]|[nr])"
    rb"|(?P<entity>&#?[0-9A-Za-z]{1,31};)"
    rb"|(?P<wrap>\r?\n[ \t]*)"
)
# A search treats these as equal: upper and lower case (hosts become lower case), the two alphabets
# of base64, and a blank and the plus that a form writes for it.
_ALIKE = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_ ", b"abcdefghijklmnopqrstuvwxyz+/+")


class Redact:
    """Replace every known secret in text or bytes by `***`.

    A secret is found in upper or lower case, in base64 (either alphabet, with or without padding,
    also within other data) and in hexadecimal. Each of these forms is also found percent-encoded,
    escaped as in JSON, Python or HTML, or broken into lines, up to four times over. A long secret
    is also found where its end is cut off. The parts of an address (a webhook) that may be its
    token are secrets too, since errors quote a path without its host. The work is linear in the
    text.
    """

    __slots__ = ("_forms", "_searched", "_sessions")

    def __init__(self, *secrets: str) -> None:
        self._forms: dict[bytes, bool] = {}
        self._sessions: dict[str, dict[bytes, bool]] = {}
        self._searched: tuple[tuple[bytes, bytes], ...] = ()
        self.add(*secrets)

    def __repr__(self) -> str:
        return "Redact(***)"

    def add(self, *secrets: str) -> None:
        """Add secrets, except those shorter than `SHORTEST_SECRET`. Any thread may call this."""
        # a new dict, since another thread may be reading the old one
        self._forms = self._forms | {
            form: mark for secret in secrets for form, mark in _known_by(secret).items()
        }
        self._prepare()

    def add_passing(self, *secrets: str) -> None:
        """Add the tokens of sessions, each until `_MOST_PASSING` later ones were added."""
        new = {secret: _known_by(secret) for secret in secrets if secret not in self._sessions}
        if new:
            known = [*self._sessions.items(), *new.items()]
            self._sessions = dict(known[-_MOST_PASSING:])
            self._prepare()

    def _prepare(self) -> None:
        """Split each form into the head that is searched for and the rest that is compared."""
        forms = self._forms
        for more in self._sessions.values():
            forms = forms | more
        lengths = {
            form: _SHORTEST_CUT if is_cuttable and len(form) >= _CUTTABLE else len(form)
            for form, is_cuttable in forms.items()
        }
        self._searched = tuple((form[:head], form[head:]) for form, head in lengths.items())

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        data = text.encode("utf-8", "surrogatepass")
        clean = self.data(data)
        return text if clean is data else clean.decode("utf-8", "backslashreplace")

    def data(self, data: bytes) -> bytes:
        """Return `data` (text in UTF-8 or any bytes) without secrets; `data` itself if it has none.

        JSON stays JSON: only whole characters within its texts are replaced.
        """
        searched, view = self._searched, data
        maps: list[tuple[Sequence[int], Sequence[int]]] = []
        spans: list[tuple[int, int]] = []
        for depth in range(_DEPTH + 1 if searched else 0):
            folded = view.translate(_ALIKE)
            for head, rest in searched:
                if head in folded:
                    spans += [_origin(span, maps) for span in _found(folded, head, rest)]
            if depth == _DEPTH or not _ESCAPE.search(view):
                break
            view, *mapping = _unescaped(view)
            maps.append((mapping[0], mapping[1]))
        if not spans:
            return data
        kept, end = [], 0
        for start, stop in sorted(spans):
            if start >= end:
                kept += [data[end:start], _MASK]
            end = max(end, stop)
        return b"".join([*kept, data[end:]])


def _known_by(secret: str) -> dict[bytes, bool]:
    return {
        form: is_cuttable
        for part, is_cuttable in _parts(secret)
        if len(part) >= SHORTEST_SECRET
        for form in _forms(part.encode("utf-8", "surrogatepass"))
    }


def _parts(secret: str) -> Iterator[tuple[str, bool]]:
    """Return a secret and its parts, and for each whether its first characters identify it."""
    owned = _OWNED.fullmatch(secret)
    addresses = _ADDRESS.findall(secret)
    yield secret, not (owned or addresses)
    if owned:
        yield owned[1], True
    for address in addresses:
        yield address, False
        for password in _PASSWORD.findall(address):
            yield password, True
        web = _WEB.match(address)
        rest = address[web.end() :] if web else address.partition("://")[2]
        yield rest, False
        user = (web[1] if web else "") or ""
        for piece in _BETWEEN.split(f"{user} {rest}"):
            # a word is no token: `services` and `webhooks` occur in many texts
            if len(piece) >= _SURE_PART or any(map(str.isdigit, piece)):
                yield piece, True


def _forms(secret: bytes) -> Iterator[bytes]:
    plain = secret
    # a secret may itself look escaped, and the search undoes that along with the other escapes
    for _ in range(_DEPTH + 1):
        if len(plain) >= _SHORTEST_PLAIN:
            yield plain.translate(_ALIKE)
        plain, *_ = _unescaped(plain)
    yield secret.hex().encode()
    for before in range(3):
        # with `before` bytes in front, these characters depend on the secret alone
        end = (before + len(secret)) * 8 // 6
        yield b64encode(bytes(before) + secret)[before + bool(before) : end].translate(_ALIKE)


def _found(view: bytes, head: bytes, rest: bytes) -> Iterator[tuple[int, int]]:
    start = view.find(head)
    while start >= 0:
        end = start + len(head)
        pairs = zip(rest, view[end : end + len(rest)], strict=False)
        more = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        # if other letters follow, the text is another word
        if more == len(rest) or not view[end + more : end + more + 1].isalnum():
            yield start, end + more
            start = end + more - 1
        start = view.find(head, start + 1)


def _unescaped(data: bytes) -> tuple[bytes, Sequence[int], Sequence[int]]:
    """Undo every escape once; also return where each piece begins, in the result and in `data`."""
    pieces, starts, sources, size, end = list[bytes](), [0], [0], 0, 0
    for escape in _ESCAPE.finditer(data):
        plain, sign = data[end : escape.start()], _sign(escape)
        end = escape.end()
        pieces += [plain, sign]
        starts += [size + len(plain), size + len(plain) + len(sign)]
        sources += [escape.start(), end]
        size = starts[-1]
    return b"".join([*pieces, data[end:]]), starts, sources


def _sign(escape: re.Match[bytes]) -> bytes:
    kind, digits = escape.lastgroup, escape[escape.lastgroup or 0]
    match kind:
        case "percent":
            return bytes([int(digits, 16)])
        case "low":
            pair = chr(int(escape["high"], 16)) + chr(int(digits, 16))
            return pair.encode("utf-16", "surrogatepass").decode("utf-16").encode()
        case "u" | "x" | "long":
            return chr(int(digits, 16)).encode("utf-8", "surrogatepass")
        case "sign":
            return b"\n" if digits in b"nr" else digits
        case "entity":
            return html.unescape(digits.decode()).encode()
        case _:
            return b""


def _origin(
    span: tuple[int, int], maps: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> tuple[int, int]:
    """Return the span of the original text, with complete escapes, for one of the unescaped."""
    start, end = span
    for starts, sources in reversed(maps):
        first, last = bisect_right(starts, start) - 1, bisect_left(starts, end)
        start = sources[first] + start - starts[first]
        if last < len(starts) and starts[last] == end:
            end = sources[last]
        else:
            end = sources[last - 1] + end - starts[last - 1]
    return start, end
