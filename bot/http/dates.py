"""Points in time as feeds and servers write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

_FRIDAY = 4
_FIRST, _LAST = date(1991, 1, 1), date(2199, 12, 31)  # arXiv began in 1991


def plausible(day: date) -> bool:
    """Tell whether a day can be a digest's: far from both ends of the calendar, at any rate."""
    return _FIRST <= day <= _LAST


def last_weekday(day: date) -> date:
    """Return `day`, or the Friday before it where it is a Saturday or a Sunday."""
    return day - timedelta(days=max(0, day.weekday() - _FRIDAY))


def moment(text: str) -> datetime | None:
    """Read `Wed, 23 Jun 2021 10:32:04 GMT` or `2021-06-23T10:32:04Z`; None where it is neither.

    None also for a time that no digest can have. The result is in UTC, and a text that names no
    zone is taken to mean it.
    """
    text = text.strip()
    try:
        if re.match(r"[0-9]{4}-", text):
            # `2021-02-12T09:39:48.Z`: some programs write a point and no fraction
            read = datetime.fromisoformat(re.sub(r"\.(?=Z?$)", "", text))
        else:
            read = parsedate_to_datetime(text)
        found = read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return found if plausible(found.date()) else None
