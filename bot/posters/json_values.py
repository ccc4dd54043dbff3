"""Reading what a stranger's server wrote: JSON of any shape, times of any form. Pure, never raises.

Nothing here trusts its input: what is not there, or not what it should be, is empty or None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_LONGEST_WAIT = timedelta(days=31)
_JUST_PAST = timedelta(minutes=1)
_MOMENT = timedelta(seconds=1)
_LONGEST_QUOTE = 200
_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_NAMED = re.compile(r"@\w|\b(?:by|operators?|operated|contact|maintain\w*|owner)\b", re.IGNORECASE)


def clean(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Return text of a stranger's as it may be shown: one line, printable, cut short."""
    line = " ".join(text[: 100 * longest].split())
    plain = "".join(char for char in line if char.isprintable())
    return plain if len(plain) <= longest else f"{plain[: longest - 1].rstrip()}…"


def names_somebody(bio: str) -> bool:
    """Tell whether a bio seems to say who runs the account: a name with @, an address, 'by ...'."""
    return bool(_NAMED.search(bio))


def origin(url: str) -> str:
    """Return scheme and host of a URL, without user, path and query; empty where it has none."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return ""
    return clean(f"{parts.scheme}://{host}") if parts.scheme and host else ""


def wait(headers: Mapping[str, str], families: Sequence[str], now: datetime) -> datetime | None:
    """Return when the rate limit ends, by our own clock; None where that cannot be read.

    Of several limits those count that have nothing left, and of these the last to end; else
    `Retry-After` does. `Date` tells how far the server's clock is from ours. A limit that has just
    ended by its header ends in a moment: GoToSocial cuts the fraction of a second off. A time that
    is long past or far off is none.
    """
    there = http_date(headers.get("date", "")) or now
    spent = [name for name in families if headers.get(f"{name}-remaining", "").strip() == "0"]
    resets = [_reset(headers.get(f"{name}-reset", ""), there) for name in spent or families[:1]]
    lefts = [
        [each - there for each in ends if each] for ends in (resets, [_retry_after(headers, there)])
    ]
    for left in lefts:
        if to_come := [each for each in left if timedelta(0) < each <= _LONGEST_WAIT]:
            return now + max(to_come)
    is_just_past = any(-_JUST_PAST <= each <= timedelta(0) for left in lefts for each in left)
    return now + _MOMENT if is_just_past else None


def _reset(text: str, there: datetime) -> datetime | None:
    """Read when a limit ends: a time, or some seconds from now."""
    if re.fullmatch(r"[0-9]{1,7}(?:\.[0-9]{1,9})?", text):
        return there + timedelta(seconds=float(text))
    return moment(text)


def moment(text: str) -> datetime | None:
    """Read seconds since 1970, or ISO 8601; None where it is neither."""
    try:
        if re.fullmatch(r"[0-9]{1,11}(?:\.[0-9]{1,9})?", text):
            return datetime.fromtimestamp(float(text), UTC)
        return _aware(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError):
        return None


def http_date(text: str) -> datetime | None:
    """Read a time as HTTP's headers have it; None where it is none."""
    try:
        return _aware(parsedate_to_datetime(text))
    except (ValueError, IndexError, OverflowError):
        return None


def _retry_after(headers: Mapping[str, str], there: datetime) -> datetime | None:
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return there + timedelta(seconds=int(text))
    return http_date(text)


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def created_at(value: object, *path: str) -> datetime | None:
    """Return the time at a path, which must be in ISO 8601; None where there is none."""
    return moment(text) if "T" in (text := text_at(value, *path)) else None


def at(value: object, *path: str) -> object:
    """Return what lies at a path of names in decoded JSON; None where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text_at(value: object, *path: str) -> str:
    """Return the text at a path; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def id_at(value: object, *path: str) -> str:
    """Return the id at a path, as text though some servers write numbers; empty where none is."""
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and is_id(found) else ""


def count_at(value: object, *path: str) -> int:
    """Return the whole number at a path; 0 where there is none, or less than one."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def is_id(text: str) -> bool:
    """Tell whether this may be a post's id: what can stand in a path and go nowhere else."""
    return bool(_ID.fullmatch(text)) and text.strip(".") != ""


def items_at(value: object, *path: str) -> Sequence[object]:
    """Return the list at a path; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else ()


def leaves(value: object, name: str = "") -> Sequence[str]:
    """Return every text and number in decoded JSON, each behind its name and `=`."""
    found, waiting = list[str](), [(name, value)]
    while waiting:  # not by recursion: a stranger decides how deep it goes
        name, each = waiting.pop()
        if isinstance(each, dict):
            waiting += [(str(key), inner) for key, inner in reversed(each.items())]
        elif isinstance(each, list):
            waiting += [(name, inner) for inner in reversed(each)]
        elif each is not None:
            found.append(f"{name}={each}")
    return found
