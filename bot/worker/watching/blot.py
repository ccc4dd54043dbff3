"""Taking secrets out of text, in whatever form they stand in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

Blot = Callable[[str], str]

SHORTEST_SECRET = 4
"""Shorter text is left alone: it stands everywhere. A line that lost a word harms less than one
that shows a password, so the limit is low."""

_SHORTEST_PART = 8
_SURE_PART = 16
_BETWEEN = re.compile(r"[\s,;/?&=@:#]+")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}://[^\s,;]+")
_WEB = re.compile(r"https?://(?:([^/?#]*)@)?[^/?#]*", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/@:]*:([^/@]+)@")
_RUNS = re.compile(r"\\+|.", re.DOTALL)
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SLASHES = r"\\{1,8}"  # each time that JSON is put into JSON, they double


def blotter(secrets: Collection[str]) -> Blot:
    """Make a function that puts `***` in the place of every secret.

    It finds them also percent-encoded, once or several times, and as JSON, Python and HTML escape
    them. Of a secret that holds addresses (a webhook, a heartbeat) the pieces that may be its token
    are secrets too, since errors quote a path without its host.
    """
    parts = {part for secret in secrets for part in (secret, *_pieces(secret))}
    long_first = sorted((p for p in parts if len(p) >= SHORTEST_SECRET), key=lambda p: (-len(p), p))
    if not long_first:
        return str
    found = re.compile("|".join("".join(map(_forms, _RUNS.findall(part))) for part in long_first))
    return lambda text: found.sub("***", text)


def _pieces(secret: str) -> Iterator[str]:
    """What of the addresses in a secret may be a token; the host of a web address is none."""
    for address in _ADDRESS.findall(secret):
        yield address
        yield from _PASSWORD.findall(address)
        web = _WEB.match(address)
        rest = address[web.end() :] if web else address.partition("://")[2]
        if len(rest) >= _SHORTEST_PART:
            yield rest
        user = (web[1] if web else "") or ""
        # a word is no token: `services` and `webhooks` stand in many a line
        yield from filter(_is_token, _BETWEEN.split(f"{user} {rest}"))


def _is_token(piece: str) -> bool:
    digits = any(character.isdigit() for character in piece)
    return len(piece) >= (_SHORTEST_PART if digits else _SURE_PART)


def _forms(run: str) -> str:
    """A pattern of all the ways in which a character, or a run of backslashes, may be written.

    Every repetition has an end, and runs of backslashes are taken as one: a text of nothing but
    escapes must not take the time of its square.
    """
    character, times = run[0], len(run)
    if character.isascii() and character.isalnum():
        return character  # nobody escapes these
    code, utf8 = ord(character), character.encode("utf-8", "surrogatepass")
    utf16 = character.encode("utf-16-be", "surrogatepass").hex()
    forms = [
        "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in utf8),
        "".join(rf"{_SLASHES}u{unit}" for unit in re.findall("....", utf16)),
        rf"{_SLASHES}(?:x{code:02x}|u{code:08x})",  # as Python's repr writes it
        f"&#(?:0{{0,8}}{code}|x0{{0,8}}{code:x});",
        *[f"&{_ENTITIES.get(character)};"] * (character in _ENTITIES),
        *["[+]"] * (character == " "),
    ]
    plain = rf"\\{{0,8}}{re.escape(character)}"
    if character == "\\":
        plain = rf"\\{{{times},{8 * times}}}"
    return f"(?:(?i:{'|'.join(forms)}){{{times}}}|{plain})"
