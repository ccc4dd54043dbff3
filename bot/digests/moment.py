"""Points in time as feeds and servers write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def moment(text: str) -> datetime | None:
    """Read `Wed, 23 Jun 2021 10:32:04 GMT` or `2021-06-23T10:32:04Z`; None where it is neither.

    The result is in UTC, and a text that names no zone is taken to mean it.
    """
    text = text.strip()
    try:
        if re.match(r"[0-9]{4}-", text):
            # `2021-02-12T09:39:48.Z`: some programs write a point and no fraction
            read = datetime.fromisoformat(re.sub(r"\.(?=Z?$)", "", text))
        else:
            read = parsedate_to_datetime(text)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
