"""Compute the times of a schedule, which is a cron line in a time zone.

A line means what it means in Debian's cron, except when the clocks change: here each local time
runs once. Where an hour comes twice, it runs the first time; where an hour is skipped, it runs when
the gap ends.
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
    """One of the five fields: its name, its least and greatest number, and names for numbers."""

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
    """A line that `read_line` returned, and the time zone of its local times."""

    line: str
    zone: str

    def after(self, moment: datetime) -> datetime:
        """Return the first time of the schedule strictly after `moment` (aware), in UTC."""
        from cronsim import CronSim

        moment = moment.astimezone(UTC)
        zone = ZoneInfo(self.zone)
        # A later local time never comes earlier, so the search can start at the current local time.
        here = moment.astimezone(zone).replace(tzinfo=None)
        times = (_first(local, zone) for local in CronSim(_in_numbers(self.line), here))
        return next(time for time in times if time > moment)


def _first(local: datetime, zone: tzinfo) -> datetime:
    """Return when a zone's clocks first show a local time; in a gap, return the gap's end."""
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    # In a gap the two values of `fold` give moments before and after the change (PEP 495).
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()

    def changed(seconds: int) -> bool:
        return (before + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != offset

    span = range(int((found - before).total_seconds()))
    return before + timedelta(seconds=bisect_left(span, x=True, key=changed))


# Reading -----------------------------------------------------------------------------------------


def read_line(text: str) -> str:
    """Return a cron line with single spaces; an alias such as `@daily` becomes its five fields.

    Raises ValueError, which names the wrong field, for a line that cron refuses, and for a line
    that never runs, such as 30 February.
    """
    if not (text.isascii() and text.replace("\t", " ").isprintable()):
        raise ValueError("it has a character that no cron line has")
    if len(text) > _LONGEST_LINE:
        raise ValueError(f"it is longer than {_LONGEST_LINE} characters")
    line = " ".join(text.split())
    line = _ALIASES.get(line.lower(), line)
    _in_numbers(line)
    return line


@lru_cache(maxsize=32)
def _in_numbers(line: str) -> str:
    """Return a line with numbers instead of names, in the part of cronsim's syntax that cron has.

    cronsim also reads seconds, `L`, `#` and `5/15`, and reads `5-5/15` as `5/15`: the result has
    none of them.
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
        raise ValueError(f"it never runs (month {months} has no day {days})") from None
    return numbers


def _counted(fields: list[str]) -> str:
    """Return the message for a line that does not have five fields."""
    if len(fields) == 1 and fields[0].startswith("@"):
        return f"the words with @ are {', '.join(_ALIASES)}"
    called = ", ".join(field.called for field in _FIELDS)
    hint = "; cron has no field for seconds or years" if len(fields) > len(_FIELDS) else ""
    return f"it has {len(fields)} fields and needs five ({called}){hint}"


def _field(written: str, field: _Field) -> str:
    """Return a field in numbers. Raises ValueError, which quotes the field."""
    try:
        return ",".join(_item(part, field) for part in written.split(","))
    except ValueError as error:
        raise ValueError(f"the {field.called} {written!r} {error}") from None


def _item(part: str, field: _Field) -> str:
    match = _ITEM.fullmatch(part)
    if not match:
        raise ValueError(
            "must consist of *, numbers, ranges such as 1-5 and steps such as */5, with commas"
        )
    if match["step"] == "0":
        raise ValueError("has a step of 0")
    if not match["low"]:
        return part
    low = _number(match["low"], field)
    high = _number(match["high"] or match["low"], field)
    if high < low:
        sunday = (match["high"] or "").lower() == "sun"
        hint = "; at the end of a range Sunday is 7" if sunday else ""
        raise ValueError(f"has a range that runs backwards{hint}")
    if match["step"] and not match["high"]:
        raise ValueError(
            f"has a step without a range; did you mean {low}-{field.most}/{match['step']}?"
        )
    if low == high:
        return str(low)
    return f"{low}-{high}" + (f"/{match['step']}" if match["step"] else "")


def _number(text: str, field: _Field) -> int:
    """Return the number that a number or name in a field means."""
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.least
    number = int(text) if text.isdigit() else -1
    if field.least <= number <= field.most:
        return number
    names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    raise ValueError(f"has {text}, but allows only {field.least} to {field.most}{names}")


def read_zone(text: str) -> str:
    """Return the name of a time zone. Raises ValueError for any other text.

    Other files beside the zones on this machine's disk do not count: `localtime`, `posix/UTC`.
    """
    zones = available_timezones() - _NO_ZONES
    if text in zones:
        return text
    wanted = text.casefold().replace(" ", "_")
    near = [name for name in sorted(zones) if wanted in (name.casefold(), _city(name))]
    raise ValueError("is not a time zone" + (f" (did you mean {near[0]}?)" if near else ""))


def _city(zone: str) -> str:
    return zone.casefold().rpartition("/")[2]
