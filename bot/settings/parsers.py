"""Parse the values of settings: each kind turns text into a typed value or raises `InvalidValue`.

No parser opens a file or knows where its text comes from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

from bot.http.urls import is_loopback
from bot.settings.secret import Secret

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Word = TypeVar("Word", bound=StrEnum)
Raw = str | bool | tuple[str, ...]  # a value as written: text; in bot.toml also true, or a list

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = 3_650 * _UNITS["d"]
_LONGEST_ANSWER = 600
_SWITCH = {"on": True, "yes": True, "true": True, "1": True} | dict.fromkeys(
    ("off", "no", "false", "0"), False
)
_HOST = re.compile(r"[\w:-]+(?:\.[\w:-]+)*\.?")
_ARXIV = re.compile(r"arxiv:[a-z-]+(?:\.[A-Za-z-]+)?(?:\+[a-z-]+(?:\.[A-Za-z-]+)?)*")
_GITHUB = re.compile(r"github:[\w.-]+/[\w.-]+(?:/[\w./-]*)?(?:@[\w./-]+)?")
_CATEGORY = re.compile(r"[a-z][a-z-]*(?:\.[a-z][a-z-]+)?", re.ASCII | re.IGNORECASE)
_HANDLE = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+|did:[a-z]+:[a-z0-9._:%-]+", re.ASCII)


class InvalidValue(ValueError):
    """A value that cannot be used: the wrong part of it, and what is wrong with the part.

    An empty `problem` means that the part is not what `ValueKind.allowed` says. With an empty
    `part`, the problem says what the value is instead, such as `a list`.
    """

    def __init__(self, part: str, problem: str = "") -> None:
        super().__init__(problem)
        self.part = part
        self.problem = problem


@dataclass(frozen=True, slots=True)
class ValueKind(Generic[T_co]):
    """How a value is read, and what is allowed, in words that follow "must be".

    `read` takes the value as written, trimmed and not empty, and the folder that relative paths
    start from. It raises only `InvalidValue`.
    """

    allowed: str
    read: Callable[[Raw, Path], T_co]
    secret: bool = False


def text(allowed: str, read: Callable[[str], T], *, secret: bool = False) -> ValueKind[T]:
    """Return a kind that parses a text with a function."""
    return located(allowed, lambda written, _base: read(written), secret=secret)


def located(allowed: str, read: Callable[[str, Path], T], *, secret: bool = False) -> ValueKind[T]:
    """Return a kind that parses a text with a function that also gets the folder of paths."""

    def checked(raw: Raw, base: Path) -> T:
        if isinstance(raw, str):
            return read(raw, base)
        raise InvalidValue("", "true or false" if isinstance(raw, bool) else "a list")

    return ValueKind(allowed, checked, secret)


def several(
    allowed: str, item: Callable[[str], str], *, commas: bool = False
) -> ValueKind[tuple[str, ...]]:
    """Return the kind of lists without duplicates; with `commas`, also of text with commas."""

    def read(raw: Raw, _base: Path) -> tuple[str, ...]:
        if isinstance(raw, bool):
            raise InvalidValue("", "true or false")
        if isinstance(raw, str) and not commas:
            raise InvalidValue(raw)
        items = raw.split(",") if isinstance(raw, str) else raw
        return tuple(dict.fromkeys(item(part.strip()) for part in items if part.strip()))

    return ValueKind(allowed, read)


def matching(pattern: str | re.Pattern[str], problem: str = "") -> Callable[[str], str]:
    """Return a function that returns text of this pattern, and else raises `InvalidValue`."""

    def item(written: str) -> str:
        if re.fullmatch(pattern, written):
            return written
        raise InvalidValue(written, problem)

    return item


def whole(least: int, most: int, least_means: str = "") -> ValueKind[int]:
    """Return the kind of whole numbers from `least` to `most`, below 10**18, in ASCII digits.

    `least_means` explains the least number in the error message.
    """

    def read(written: str) -> int:
        match = re.fullmatch(r"(-?)0*([0-9]+)", written)
        # int() refuses thousands of digits
        if match and least <= (number := int(match[1] + match[2][:19])) <= most:
            return number
        raise InvalidValue(written)

    note = f" ({least_means})" if least_means else ""
    return text(f"a whole number from {least}{note} to {most}", read)


def duration(*, zero: bool = False) -> ValueKind[timedelta]:
    """Return the kind of durations, `90s` to `3650d`; if `zero` is allowed, `0` needs no unit."""

    def read(written: str) -> timedelta:
        match = re.fullmatch(r"0*([0-9]+)([smhd])", "0s" if zero and written == "0" else written)
        if not match:
            raise InvalidValue(written)
        seconds = int(match[1][:12]) * _UNITS[match[2]]
        if seconds > _LONGEST:
            raise InvalidValue(written, "is too long")
        if not (seconds or zero):
            raise InvalidValue(written, "is too short")
        return timedelta(seconds=seconds)

    least = "0 or " if zero else ""
    return text(f"{least}a duration such as 90s, 15m, 2h or 3d, up to 3650d", read)


def switch() -> ValueKind[bool]:
    """Return the kind of on and off; yes, true and 1, and no, false and 0 mean the same."""

    def read(raw: Raw, _base: Path) -> bool:
        if isinstance(raw, tuple):
            raise InvalidValue("", "a list")
        try:
            return _SWITCH[str(raw).lower()]
        except KeyError:
            raise InvalidValue(str(raw)) from None

    return ValueKind("on or off", read)


def choice(words: type[Word]) -> ValueKind[Word]:
    """Return the kind of one word of an enumeration, in upper or lower case."""

    def read(written: str) -> Word:
        try:
            return words(written.lower())
        except ValueError:
            raise InvalidValue(written) from None

    *others, last = words
    return text(f"{', '.join(others)} or {last}", read)


def seconds(written: str) -> float:
    """Read a number of seconds, up to ten minutes, with or without a unit."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([sm]?)", written)
    number = float(match[1]) * _UNITS[match[2] or "s"] if match else 0
    if 0 < number <= _LONGEST_ANSWER:
        return number
    raise InvalidValue(written)


def money(written: str) -> Decimal:
    """Read an amount of dollars, never through binary fractions."""
    return Decimal(matching(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")(written))


def _split(written: str) -> SplitResult:
    if not written.isprintable() or re.search(r'[\s\\"<>`]', written):
        raise InvalidValue(written, "has a character that is not allowed in an address")
    try:
        parts = urlsplit(written)
        _ = parts.port  # raises where it is not a port
    except ValueError:
        raise InvalidValue(written, "is not a web address") from None
    return parts


def address(written: str) -> str:
    """Read a web address that is safe to send requests, and the secrets in them, to."""
    parts = _split(written)
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise InvalidValue(written, "has a user name or password")
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        raise InvalidValue(written, "is not a web address")
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidValue(written, "is plain http to another machine")
    return written


def base_url(written: str) -> str:
    """Read the address that an API's paths are appended to, and remove a slash at its end."""
    if re.search(r"[?#]", address(written)):
        raise InvalidValue(written, "has a ? or # after its path")
    return written.rstrip("/")


def page(written: str) -> str:
    """Read an address with `{slug}` in it, and no other braces."""
    if "{slug}" not in address(written):
        raise InvalidValue(written, "has no {slug}")
    if re.search(r"[{}]", written.replace("{slug}", "")):
        raise InvalidValue(written, "has other braces than {slug}")
    return written


def ip(written: str) -> str:
    """Read an IP address to listen on; an IPv6 address may be in brackets, as in a URL."""
    bracketed = re.fullmatch(r"\[(.*:.*)\]", written)
    try:
        found = ip_address(bracketed[1] if bracketed else written)
    except ValueError:
        raise InvalidValue(written) from None
    if "%" in str(found):
        raise InvalidValue(written, "names a network interface")
    return str(found)


def path(written: str, base: Path) -> Path:
    """Read a path, relative to `base`; it need not exist."""
    if not written.isprintable():
        raise InvalidValue(written, "has a character that cannot be printed")
    if written.startswith("~"):
        raise InvalidValue(written, "begins with ~, which only a shell replaces")
    return base / written


def folder(written: str, base: Path) -> Path:
    """Read the path of a folder that exists."""
    place = path(written, base)
    try:
        exists = place.is_dir()
    except OSError:  # the name is too long, or the folder above it cannot be entered
        exists = False
    if exists:
        return place
    raise InvalidValue(written)


def source(written: str, base: Path) -> str:
    """Read the place of digests: an address, the name of a service, or a path."""
    if written.startswith("github:"):
        return matching(_GITHUB, "is not github:owner/repo/folder[@ref]")(written)
    if written.startswith("arxiv:"):
        return matching(_ARXIV, "is not arxiv:cs.CL+cs.LG")(written)
    if written == "huggingface":
        return written
    return address(written) if "://" in written else str(path(written, base))


def handle(written: str) -> str:
    """Read a Bluesky handle or DID, and remove an `@` before it.

    Invisible direction marks, which a handle copied from a page may have, are removed too.
    """
    visible = "".join(char for char in written if unicodedata.category(char) != "Cf").strip()
    return matching(_HANDLE, "is not a handle")(visible.removeprefix("@").lower())


def cron(written: str) -> str:
    """Read a cron line."""
    from bot.settings.schedule import read_line

    try:
        return read_line(written)
    except ValueError as error:
        raise InvalidValue(written, f"is not a cron line, since {error}") from None


def zone(written: str) -> str:
    """Read the name of a time zone."""
    from bot.settings.schedule import read_zone

    try:
        return read_zone(written)
    except ValueError as error:
        raise InvalidValue(written, str(error)) from None


def secret(written: str) -> Secret:
    """Read a secret that is sent in a header: one word of printable ASCII.

    Quotes around it are refused: they were meant for a shell, and no token has them.
    """
    if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'":
        raise InvalidValue(written, "is in quotes, which are not part of it")
    return Secret(matching(r"[!-~]+", "has white space or a character outside ASCII")(written))


def category(written: str) -> str:
    """Read an arXiv category, and return it in arXiv's own case."""
    archive, dot, subject = matching(_CATEGORY, "is not a category")(written).partition(".")
    # Subjects of two letters are in capitals (cs.CL), longer ones are not (cond-mat.soft). With the
    # wrong case a filter would silently match no paper.
    cased = subject.upper() if len(subject) == len("CL") else subject.lower()
    return archive.lower() + dot + cased
