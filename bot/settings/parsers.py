"""The kinds of value a setting can have: text in, a typed value or `InvalidValue` out.

Where the text came from is no business of a kind, and none of them opens a file.
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
Raw = str | tuple[str, ...]  # as it was written: text, or a list in bot.toml

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST = 3_650 * _UNITS["d"]
_LONGEST_ANSWER = 600
_HOST = re.compile(r"[\w:-]+(?:\.[\w:-]+)*\.?")
_GITHUB = re.compile(r"github:[\w.-]+/[\w.-]+(?:/[\w./-]*)?(?:@[\w./-]+)?")
_CATEGORY = re.compile(r"[a-z][a-z-]*(?:\.[a-z][a-z-]+)?", re.ASCII | re.IGNORECASE)
_HANDLE = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+|did:[a-z]+:[a-z0-9._:%-]+", re.ASCII)


class InvalidValue(ValueError):
    """A value that cannot be used: the part of it that is wrong, and what is wrong with it."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(problem)
        self.part = part
        self.problem = problem


@dataclass(frozen=True, slots=True)
class ValueKind(Generic[T_co]):
    """How a value is read, and what is allowed, in words.

    `read` takes the value as written, trimmed and not empty, and the folder that relative paths
    start from. It raises `InvalidValue`, and nothing else.
    """

    allowed: str
    read: Callable[[Raw, Path], T_co]
    secret: bool = False


def text(allowed: str, read: Callable[[str], T], *, secret: bool = False) -> ValueKind[T]:
    """Make a kind from a function of the text alone."""
    return located(allowed, lambda written, _base: read(written), secret=secret)


def located(allowed: str, read: Callable[[str, Path], T], *, secret: bool = False) -> ValueKind[T]:
    """Make a kind from a function of the text and the folder that paths start from."""

    def checked(raw: Raw, base: Path) -> T:
        if isinstance(raw, str):
            return read(raw, base)
        raise InvalidValue("", "a list does not belong here")

    return ValueKind(allowed, checked, secret)


def several(
    allowed: str, item: Callable[[str], str], *, commas: bool = False
) -> ValueKind[tuple[str, ...]]:
    """Make the kind of lists without doubles; with `commas`, also of text parted by commas."""

    def read(raw: Raw, _base: Path) -> tuple[str, ...]:
        if isinstance(raw, str) and not commas:
            raise InvalidValue(raw, "is not a list")
        items = raw.split(",") if isinstance(raw, str) else raw
        return tuple(dict.fromkeys(item(part.strip()) for part in items if part.strip()))

    return ValueKind(allowed, read)


def matching(pattern: str | re.Pattern[str], problem: str) -> Callable[[str], str]:
    """Make a function that gives text of this pattern back, and raises `InvalidValue` for other."""

    def item(written: str) -> str:
        if re.fullmatch(pattern, written):
            return written
        raise InvalidValue(written, problem)

    return item


def whole(least: int, most: int, allowed: str) -> ValueKind[int]:
    """Make the kind of whole numbers from `least` to `most`, below 10**18, in ASCII digits."""

    def read(written: str) -> int:
        match = re.fullmatch(r"(-?)0*([0-9]+)", written)
        if not match:
            raise InvalidValue(written, "is not a whole number")
        number = int(match[1] + match[2][:19])  # int() refuses thousands of digits
        if least <= number <= most:
            return number
        raise InvalidValue(written, "is too small" if number < least else "is too large")

    return text(allowed, read)


def duration(*, zero: bool = False) -> ValueKind[timedelta]:
    """Make the kind of durations, `90s` to `3650d`; where `zero` is allowed, `0` needs no unit."""

    def read(written: str) -> timedelta:
        match = re.fullmatch(r"0*([0-9]+)([smhd])", "0s" if zero and written == "0" else written)
        if not match:
            raise InvalidValue(written, "is not a duration")
        seconds = int(match[1][:12]) * _UNITS[match[2]]
        if seconds > _LONGEST:
            raise InvalidValue(written, "is too long")
        if not (seconds or zero):
            raise InvalidValue(written, "is no time at all")
        return timedelta(seconds=seconds)

    least = "0, or " if zero else ""
    return text(f"{least}a duration such as 90s, 15m, 2h or 3d, up to 3650d", read)


def choice(words: type[Word]) -> ValueKind[Word]:
    """Make the kind of one word out of an enumeration, in any case."""

    def read(written: str) -> Word:
        try:
            return words(written.lower())
        except ValueError:
            raise InvalidValue(written, "is not one of the words") from None

    return text(", ".join(words), read)


def seconds(written: str) -> float:
    """Read a number of seconds, up to ten minutes; the unit may stand there or not."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([sm]?)", written)
    if not match:
        raise InvalidValue(written, "is not a number of seconds")
    number = float(match[1]) * _UNITS[match[2] or "s"]
    if 0 < number <= _LONGEST_ANSWER:
        return number
    raise InvalidValue(written, "is too long" if number else "is no time at all")


def money(written: str) -> Decimal:
    """Read an amount of dollars, never through binary fractions."""
    return Decimal(matching(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", "is not an amount of dollars")(written))


def _split(written: str) -> SplitResult:
    if not written.isprintable() or re.search(r'[\s\\"<>`]', written):
        raise InvalidValue(written, "holds a character that no address has")
    try:
        parts = urlsplit(written)
        _ = parts.port  # raises where it is no port
    except ValueError:
        raise InvalidValue(written, "is not a web address") from None
    return parts


def address(written: str) -> str:
    """Read a web address that requests, and what they carry, may safely go to."""
    parts = _split(written)
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise InvalidValue(written, "holds a user name or password")
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        raise InvalidValue(written, "is not a web address")
    if parts.scheme == "http" and not is_loopback(host):
        raise InvalidValue(written, "is plain http to another machine")
    return written


def base_url(written: str) -> str:
    """Read the address that an API's paths are appended to, without a slash at its end."""
    if re.search(r"[?#]", address(written)):
        raise InvalidValue(written, "goes on after its path")
    return written.rstrip("/")


def page(written: str) -> str:
    """Read an address with `{slug}` in it, and no other braces."""
    if "{slug}" not in address(written):
        raise InvalidValue(written, "has no {slug} in it")
    if re.search(r"[{}]", written.replace("{slug}", "")):
        raise InvalidValue(written, "has other braces than {slug} in it")
    return written


def ip(written: str) -> str:
    """Read an IP address to listen on; an IPv6 address may stand in brackets, as in a URL."""
    bracketed = re.fullmatch(r"\[(.*:.*)\]", written)
    try:
        found = ip_address(bracketed[1] if bracketed else written)
    except ValueError:
        raise InvalidValue(written, "is not an IP address") from None
    if "%" in str(found):
        raise InvalidValue(written, "names a network interface")
    return str(found)


def path(written: str, base: Path) -> Path:
    """Read a path, relative to `base`; whether anything is there is not asked."""
    if not written.isprintable():
        raise InvalidValue(written, "holds a character that cannot be printed")
    if written.startswith("~"):
        raise InvalidValue(written, "begins with ~, which only a shell replaces")
    return base / written


def folder(written: str, base: Path) -> Path:
    """Read the path of a folder that is there."""
    place = path(written, base)
    try:
        there = place.is_dir()
    except OSError:  # a name that is too long, a folder above it that may not be entered
        there = False
    if there:
        return place
    raise InvalidValue(written, "is not a folder that can be read")


def source(written: str, base: Path) -> str:
    """Read where digests are: an address, `github:...`, or the path of a folder or file."""
    if written.startswith("github:"):
        return matching(_GITHUB, "is not github:owner/repo/folder[@ref]")(written)
    return address(written) if "://" in written else str(path(written, base))


def handle(written: str) -> str:
    """Read a Bluesky handle or DID; an `@` before it is dropped.

    So are the invisible marks of direction that come along where a handle is copied from a page.
    """
    seen = "".join(sign for sign in written if unicodedata.category(sign) != "Cf").strip()
    return matching(_HANDLE, "is not a handle")(seen.removeprefix("@").lower())


def cron(written: str) -> str:
    """Read a cron line."""
    from bot.settings.schedule import read_line

    try:
        return read_line(written)
    except ValueError as error:
        raise InvalidValue(written, f"is no cron line: {error}") from None


def zone(written: str) -> str:
    """Read the name of a time zone."""
    from bot.settings.schedule import read_zone

    try:
        return read_zone(written)
    except ValueError as error:
        raise InvalidValue(written, str(error)) from None


def secret(written: str) -> Secret:
    """Read what travels in a header: one word of printable ASCII.

    Quotes around it were meant for a shell, and are no part of any token.
    """
    if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'":
        raise InvalidValue("", "the value (not shown) stands in quotes, which are not part of it")
    return Secret(matching(r"[!-~]+", "holds white space or a character outside ASCII")(written))


def category(written: str) -> str:
    """Read an arXiv category, in arXiv's own case."""
    archive, dot, subject = matching(_CATEGORY, "is not a category")(written).partition(".")
    # Subjects of two letters are capitals (cs.CL), longer ones are not (cond-mat.soft). A filter
    # in the wrong case would let nothing through, and say nothing.
    cased = subject.upper() if len(subject) == len("CL") else subject.lower()
    return archive.lower() + dot + cased
