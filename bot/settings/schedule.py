"""When new digests are looked for: a cron line, in a time zone.

A line is read as Debian's cron reads it; its local times are turned into moments here. Unlike in
cron, each local time of every line rings once across both changes of daylight saving: the first
time, where an hour comes twice; the moment the gap ends, where it is skipped.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ITEM = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/0*(?P<step>\d{1,4}))?", re.ASCII)
_LONGEST_LINE = 500
_NO_ZONES = {"localtime", "Factory"}


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five: what it is called, its least and greatest number, and names for numbers."""

    called: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A line as `read_line` gives it, and the zone whose clocks it is read on."""

    line: str
    zone: str

    def after(self, moment: datetime) -> datetime:
        """Return the first time to ring strictly after `moment` (aware), in UTC."""
        from cronsim import CronSim

        moment = moment.astimezone(UTC)
        zone = ZoneInfo(self.zone)
        # No later local time has an earlier moment, so that none before this one can be next.
        here = moment.astimezone(zone).replace(tzinfo=None)
        rings = (_first(local, zone) for local in CronSim(_in_numbers(self.line), here))
        return next(ring for ring in rings if ring > moment)


def _first(local: datetime, zone: tzinfo) -> datetime:
    """When the clocks of a zone first show a local time; when its gap ends, if they never do."""
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    # In a gap the two readings of `fold` are moments on both sides of the change (PEP 495).
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()

    def changed(seconds: int) -> bool:
        return (before + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != offset

    span = range(int((found - before).total_seconds()))
    return before + timedelta(seconds=bisect_left(span, x=True, key=changed))


# Reading -----------------------------------------------------------------------------------------


def read_line(text: str) -> str:
    """Return a cron line with single spaces, an alias such as `@daily` as the five fields it means.

    Raises ValueError, which says what is wrong with which field, for what cron would not take, and
    for a line that never comes, such as 30 February.
    """
    if not (text.isascii() and text.replace("\t", " ").isprintable()):
        raise ValueError("it holds a character that no cron line has")
    if len(text) > _LONGEST_LINE:
        raise ValueError(f"it is longer than {_LONGEST_LINE} characters")
    line = " ".join(text.split())
    line = _ALIASES.get(line.lower(), line)
    _in_numbers(line)
    return line


@lru_cache(maxsize=32)
def _in_numbers(line: str) -> str:
    """Return a line in numbers, for cronsim, which reads more than cron does, and some otherwise.

    It knows seconds, `L`, `#` and `5/15`, and takes `5-5/15` for `5/15`: it is given none of them.
    """
    from cronsim import CronSim, CronSimError

    fields = line.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(_counted(fields))
    numbers = " ".join(map(_field, fields, _FIELDS))
    try:
        CronSim(numbers, datetime(2000, 1, 1))  # noqa: DTZ001 - it only reads the line
    except CronSimError:
        days, months = fields[2:4]
        raise ValueError(f"it never comes: no day {days} is in month {months}") from None
    return numbers


def _counted(fields: list[str]) -> str:
    """What to say of a line that has not five fields."""
    if len(fields) == 1 and fields[0].startswith("@"):
        return f"of the words with @ it may be one of {', '.join(_ALIASES)}"
    called = ", ".join(field.called for field in _FIELDS)
    hint = "; cron has no field for seconds or years" if len(fields) > len(_FIELDS) else ""
    return f"it has five fields ({called}), and {len(fields)} are here{hint}"


def _field(written: str, field: _Field) -> str:
    """Return a field in numbers; the ValueError quotes it."""
    try:
        return ",".join(_item(part, field) for part in written.split(","))
    except ValueError as error:
        raise ValueError(f"the {field.called} {written!r} {error}") from None


def _item(part: str, field: _Field) -> str:
    match = _ITEM.fullmatch(part)
    if not match:
        raise ValueError("is not made of *, numbers, ranges as 1-5 and steps as */5, with commas")
    if match["step"] == "0":
        raise ValueError("has a step of 0")
    if not match["low"]:
        return part
    low = _number(match["low"], field)
    high = _number(match["high"] or match["low"], field)
    if high < low:
        sunday = (match["high"] or "").lower() == "sun"
        raise ValueError("has a range that runs backwards" + "; Sunday at its end is 7" * sunday)
    if match["step"] and not match["high"]:
        raise ValueError(
            f"has a step and no range: {low}-{field.most}/{match['step']} would be one"
        )
    if low == high:
        return str(low)
    return f"{low}-{high}" + (f"/{match['step']}" if match["step"] else "")


def _number(text: str, field: _Field) -> int:
    """Return what a number or a name of a field stands for."""
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.least
    number = int(text) if text.isdigit() else -1
    if field.least <= number <= field.most:
        return number
    names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
    raise ValueError(f"holds {text}, and may hold {field.least} to {field.most}{names}")


def read_zone(text: str) -> str:
    """Return the name of a time zone, if it is one; raises ValueError.

    What is on the disk of this machine beside the zones is none: `localtime`, `posix/UTC`, a path.
    """
    zones = available_timezones() - _NO_ZONES
    if text in zones:
        return text
    asked = text.casefold().replace(" ", "_")
    meant = [name for name in sorted(zones) if asked in (name.casefold(), _city(name))]
    raise ValueError("is no time zone" + (f"; did you mean {meant[0]}?" if meant else ""))


def _city(zone: str) -> str:
    return zone.casefold().rpartition("/")[2]
