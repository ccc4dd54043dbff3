"""Cron lines in time zones, beside a slow and simple reading of the same clocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings import parsers
from bot.settings.schedule import Schedule, read_line, read_zone

ZONES = (
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Cairo",
)
OTHERS = ("Pacific/Apia", "Asia/Beirut", "Africa/Casablanca", "Pacific/Chatham", "America/Nuuk")
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


# The oracle: every minute of the days on which clocks change, and a subtraction on the others ----


@dataclass(frozen=True)
class CronLine:
    """A line, and what it means, said by somebody else than the code under test."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    on: Callable[[date], bool]


def numbers(*some: int) -> frozenset[int]:
    return frozenset(some)


ANY_HOUR = frozenset(range(24))
DAILY = [
    CronLine("30 1 * * *", numbers(30), numbers(1), lambda _: True),
    CronLine("30 2 * * *", numbers(30), numbers(2), lambda _: True),
    CronLine("0 0 * * *", numbers(0), numbers(0), lambda _: True),
    CronLine("0 9 * * 1-5", numbers(0), numbers(9), lambda day: day.isoweekday() <= 5),
    CronLine("0 12 29 2 *", numbers(0), numbers(12), lambda day: (day.month, day.day) == (2, 29)),
    CronLine(
        "0 8 1,15 * MON", numbers(0), numbers(8), lambda d: d.day in (1, 15) or d.isoweekday() == 1
    ),
]
OFTEN = [
    CronLine("*/30 * * * *", numbers(0, 30), ANY_HOUR, lambda _: True),
    CronLine("15,45 1-3 * * *", numbers(15, 45), numbers(1, 2, 3), lambda _: True),
]


@cache
def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


@cache
def offset_of(zone: ZoneInfo, day: date) -> timedelta | None:
    """How far the zone is from UTC about that day; None where that changes."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    offsets = {offset_at(zone, noon + hours * HOUR) for hours in (-36, -24, -12, 0, 12, 24, 36)}
    return offsets.pop() if len(offsets) == 1 else None


@cache
def walked(zone: ZoneInfo, day: date, minutes: int) -> dict[datetime, datetime]:
    """What the clocks show about that day every so many minutes, and when first."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - 16 * HOUR
    shown: dict[datetime, datetime] = {}
    for _ in range(0, 60 * 60, minutes):
        shown.setdefault(moment.astimezone(zone).replace(tzinfo=None), moment)
        moment += minutes * MINUTE
    return shown


def moment_of(local: datetime, zone: ZoneInfo) -> datetime:
    offset = offset_of(zone, local.date())
    if offset is not None:
        return local.replace(tzinfo=UTC) - offset
    # today's zones differ from UTC, and change, by quarters of an hour
    shown = walked(zone, local.date(), 1 if local.minute % 15 else 15)
    return shown.get(local) or shown[min(here for here in shown if here > local)]


def rings(line: CronLine, zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Every time to ring after `start`."""
    clock = [time(hour, minute) for hour in sorted(line.hours) for minute in sorted(line.minutes)]
    day, last = start.astimezone(zone).date() - DAY, start
    while True:
        for each in clock if line.on(day) else ():
            moment = moment_of(datetime.combine(day, each), zone)
            if moment > last:
                yield moment
                last = moment
        day += DAY


def changes(zone: ZoneInfo) -> list[date]:
    days = [START.date() + n * DAY for n in range((END - START).days)]
    return [day for day in days if offset_of(zone, day) is None]


# Ten years ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("line", DAILY, ids=lambda line: line.text)
@pytest.mark.parametrize("name", ZONES)
def test_ten_years_ring_as_the_clocks_show(name: str, line: CronLine) -> None:
    schedule, moment = Schedule(read_line(line.text), read_zone(name)), START
    for expected in rings(line, ZoneInfo(name), START):
        moment = schedule.after(moment)
        assert moment == expected
        if expected > END:
            return


@pytest.mark.slow
@pytest.mark.parametrize("line", OFTEN, ids=lambda line: line.text)
@pytest.mark.parametrize("name", [*ZONES, *OTHERS])
def test_what_rings_often_rings_right_about_every_change_of_ten_years(
    name: str, line: CronLine
) -> None:
    schedule, zone = Schedule(line.text, name), ZoneInfo(name)
    days = changes(zone)
    firsts = [day for day in days if day - DAY not in days]
    for day in [*firsts, date(2024, 2, 28), date(2025, 12, 31)]:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for expected in islice(rings(line, zone, moment), 4 * 48):
            moment = schedule.after(moment)
            assert moment == expected
            if moment.date() > day + 4 * DAY:
                break


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
def test_what_rings_often_rings_right_on_any_day_of_ten_years(name: str) -> None:
    schedule, zone = Schedule("*/30 * * * *", name), ZoneInfo(name)
    for n in range(0, (END - START).days, 5):
        moment = START + n * DAY + (n * 137 % 1440) * MINUTE
        assert schedule.after(moment) == next(rings(OFTEN[0], zone, moment))


@pytest.mark.slow
@pytest.mark.parametrize("line", OFTEN, ids=lambda line: line.text)
@pytest.mark.parametrize("name", [*ZONES[1:6], *OTHERS])
def test_within_an_hour_that_comes_again_the_next_ring_is_after_it(
    name: str, line: CronLine
) -> None:
    schedule, zone = Schedule(line.text, name), ZoneInfo(name)
    starts = [datetime.combine(day, time(), UTC) for day in changes(zone)]
    moments = (start + minute * MINUTE for start in starts for minute in range(0, 1440, 7))
    again = [moment for moment in moments if moment.astimezone(zone).fold]
    assert again
    for moment in again:
        assert moment < schedule.after(moment) == next(rings(line, zone, moment))


# Changes of the clocks, one by one ---------------------------------------------------------------


def rung(line: str, zone: str, start: str, end: str) -> list[str]:
    """What rings after `start` until `end`, both UTC, written as the zone's clocks show it."""
    schedule, moment = Schedule(line, zone), datetime.fromisoformat(f"{start}+00:00")
    shown = []
    while (moment := schedule.after(moment)) <= datetime.fromisoformat(f"{end}+00:00"):
        assert moment.tzinfo is UTC
        shown.append(moment.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z"))
    return shown


def test_an_hour_that_comes_twice_rings_the_first_time() -> None:
    start, end = "2026-10-24 23:59", "2026-10-25 02:00"
    assert rung("*/30 * * * *", "Europe/Berlin", start, end) == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 03:00 +0100",
    ]
    assert rung("30 2 * * *", "Europe/Berlin", start, "2026-10-26 02:00") == [
        "25 02:30 +0200",
        "26 02:30 +0100",
    ]


def test_times_in_a_gap_and_the_time_at_its_end_ring_as_one() -> None:
    start, end = "2026-03-29 00:00", "2026-03-29 02:00"
    assert rung("*/30 * * * *", "Europe/Berlin", start, end) == [
        "29 01:30 +0100",
        "29 03:00 +0200",
        "29 03:30 +0200",
        "29 04:00 +0200",
    ]
    assert rung("30 2 * * *", "Europe/Berlin", start, end) == ["29 03:00 +0200"]


def test_half_an_hour_of_lord_howe() -> None:
    assert rung("*/15 2 * * *", "Australia/Lord_Howe", "2026-10-03 15:00", "2026-10-03 16:00") == [
        "04 02:30 +1100",  # from 02:00 clocks go to 02:30
        "04 02:45 +1100",
    ]
    assert rung("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04 13:59", "2026-04-04 16:00") == [
        "05 01:00 +1100",
        "05 01:15 +1100",
        "05 01:30 +1100",  # and 01:30 to 02:00 comes again
        "05 01:45 +1100",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "shown"),
    [
        ("America/Santiago", "2026-09-06", "06 01:00 -0300"),
        ("Africa/Cairo", "2026-04-24", "24 01:00 +0300"),
        ("Asia/Beirut", "2026-03-29", "29 01:00 +0300"),
    ],
)
def test_a_midnight_that_is_skipped(zone: str, day: str, shown: str) -> None:
    start = (datetime.fromisoformat(day) - 12 * HOUR).isoformat()
    end = (datetime.fromisoformat(day) + 12 * HOUR).isoformat()
    assert rung("0 0 * * *", zone, start, end) == [shown]


def test_a_day_that_is_skipped() -> None:
    start, end = "2011-12-29 00:00", "2012-01-01 00:00"
    assert rung("0 9 * * *", "Pacific/Apia", start, end) == [
        "29 09:00 -1000",
        "31 00:00 +1400",  # the 30th never was
        "31 09:00 +1400",
        "01 09:00 +1400",
    ]
    assert rung("0 0,12 30,31 12 *", "Pacific/Apia", start, end) == [
        "31 00:00 +1400",
        "31 12:00 +1400",
    ]


def test_winter_is_the_exception_in_dublin() -> None:
    assert rung("30 1 * * *", "Europe/Dublin", "2026-03-28 12:00", "2026-03-29 12:00") == [
        "29 02:00 +0100"
    ]
    assert rung("30 1 * * *", "Europe/Dublin", "2026-10-24 12:00", "2026-10-25 12:00") == [
        "25 01:30 +0100"
    ]


# Any line, in any zone ---------------------------------------------------------------------------

MONTHS = ["jan", "Feb", "MAR", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "Mon", "TUE", "wed", "thu", "fri", "sat"]


@dataclass(frozen=True)
class CronField:
    """A field of a line, and the numbers it stands for."""

    text: str
    held: frozenset[int]

    @property
    def starred(self) -> bool:
        return self.text.startswith("*")


@st.composite
def fields(draw: st.DrawFn, every: range, low: int, high: int, names: list[str]) -> CronField:
    """A list of parts with numbers from `low` to `high`, where `*` is `every` number."""
    texts: list[str] = []
    held: set[int] = set()
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 99))
        name = names[first - low] if first - low < len(names) else f"{first:02}"
        shown = draw(st.sampled_from([str(first), name]))
        text, means = draw(
            st.sampled_from(
                [
                    ("*", every),
                    (f"*/{step}", every[::step]),
                    (shown, (first,)),
                    (f"{shown}-{last}", range(first, last + 1)),
                    (f"{shown}-{last}/{step}", range(first, last + 1, step)),
                ]
            )
        )
        texts.append(text)
        held.update(means)
    return CronField(",".join(texts), frozenset(held))


@st.composite
def lines(draw: st.DrawFn) -> CronLine:
    """A line that comes: every month has the days up to 28."""
    minutes = draw(fields(range(60), 0, 59, []))
    hours = draw(fields(range(24), 0, 23, []))
    days = draw(fields(range(1, 32), 1, 28, []))
    months = draw(fields(range(1, 13), 1, 12, MONTHS))
    weekdays = draw(fields(range(8), 0, 7, WEEKDAYS))

    def on(day: date) -> bool:
        by_day = day.day in days.held
        by_weekday = bool({day.isoweekday(), day.isoweekday() % 7} & weekdays.held)
        both = days.starred or weekdays.starred
        return day.month in months.held and (
            (by_day and by_weekday) if both else (by_day or by_weekday)
        )

    text = " ".join(each.text for each in (minutes, hours, days, months, weekdays))
    return CronLine(text, minutes.held, hours.held, on)


MOMENTS = st.integers(0, 14 * 365 * 86_400).map(
    lambda seconds: datetime(2019, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@st.composite
def times(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment, often one about a change of its clocks."""
    name, moment = draw(st.sampled_from([*ZONES, *OTHERS])), draw(MOMENTS)
    days = changes(ZoneInfo(name))
    if days and draw(st.sampled_from([True, False])):
        moment = datetime.combine(draw(st.sampled_from(days)), moment.timetz())
    return name, moment


@pytest.mark.slow
@given(lines(), times())
def test_any_line_rings_next_when_its_clocks_first_show_it(
    line: CronLine, at: tuple[str, datetime]
) -> None:
    name, moment = at
    schedule = Schedule(read_line(line.text), name)
    for expected in islice(rings(line, ZoneInfo(name), moment), 3):
        assert moment < schedule.after(moment) == expected
        assert schedule.after(expected - timedelta(microseconds=1)) == expected
        moment = expected


@given(st.sampled_from(sorted(available_timezones())), MOMENTS)
def test_no_zone_makes_a_schedule_stand_still(name: str, moment: datetime) -> None:
    schedule = Schedule("*/20 * * * *", name)
    for _ in range(5):
        before, moment = moment, schedule.after(moment)
        assert before < moment <= before + 2 * HOUR


@pytest.mark.parametrize("number", range(8))
def test_weekdays_count_from_sunday(number: int) -> None:
    moment = Schedule(f"0 9 * * {number}", "UTC").after(START)
    assert moment.strftime("%a")[0] == [*"SMTWTFS", "S"][number]


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 0 1,15 * MON", [1, 5, 12, 15, 19, 26]),  # either
        ("0 0 */2 * MON", [5, 19]),  # both, where one begins with a star
        ("0 0 1,15 * */3", [1, 15]),
        ("0 0 1-31 * MON", list(range(1, 31))),
        ("0 0 31 * *", [31, 31, 31]),
        ("0 0 5-5/9 * *", [5, 5]),
        ("0 0 1 * *", [1, 1]),
    ],
)
def test_the_days_of_a_line(line: str, days: list[int]) -> None:
    schedule, moment = Schedule(line, "UTC"), datetime(2026, 9, 30, 23, 59, tzinfo=UTC)
    for day in days:
        moment = schedule.after(moment)
        assert moment.day == day


def test_a_moment_may_be_of_any_zone() -> None:
    schedule = Schedule("30 2 * * *", "Europe/Berlin")
    berlin = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    for moment in (berlin, berlin.replace(fold=1)):
        assert schedule.after(moment) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


# Reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  */30\t* *  * * ", "*/30 * * * *"),
        ("0 9 * * Mon-FRI", "0 9 * * Mon-FRI"),
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("0 0 29 feb 5-7", "0 0 29 feb 5-7"),
        ("*/90 * * * *", "*/90 * * * *"),
    ],
)
def test_a_line_is_kept_as_it_was_written(text: str, line: str) -> None:
    assert read_line(text) == line == read_line(line)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("61 * * * *", "the minute '61' has 61, but allows only 0 to 59"),
        ("* 24 * * *", "the hour '24' has 24, but allows only 0 to 23"),
        ("* * 0 * *", "the day of the month '0' has 0, but allows only 1 to 31"),
        ("* * L * *", "the day of the month 'L' has L, but allows only 1 to 31"),
        ("* * LW * *", "the day of the month 'LW' has LW, but allows only 1 to 31"),
        ("* * * 1,13 *", "the month '1,13' has 13, but allows only 1 to 12 or jan to dec"),
        ("* * * * 8", "the day of the week '8' has 8, but allows only 0 to 7 or sun to sat"),
        ("* * * * 5L", "the day of the week '5L' has 5L, but allows only 0 to 7 or sun to sat"),
        ("* * * MON *", "the month 'MON' has MON, but allows only 1 to 12 or jan to dec"),
        ("* * * * MON#2", "the day of the week 'MON#2' must consist of *, numbers, ranges"),
        ("* * ? * *", "the day of the month '?' must consist of"),
        ("1,,2 * * * *", "the minute '1,,2' must consist of"),
        ("*/0 * * * *", "the minute '*/0' has a step of 0"),
        ("1-9/00 * * * *", "the minute '1-9/00' has a step of 0"),
        ("*/x * * * *", "the minute '*/x' must consist of"),
        ("5/15 * * * *", "the minute '5/15' has a step without a range; did you mean 5-59/15?"),
        ("* 9-5 * * *", "the hour '9-5' has a range that runs backwards"),
        ("* * * * FRI-SUN", "runs backwards; at the end of a range Sunday is 7"),
        (
            "* * * *",
            "it has 4 fields and needs five (minute, hour, day of the month, month, day of ",
        ),
        ("0 */30 * * * *", "it has 6 fields and needs five"),
        ("0 */30 * * * *", "; cron has no field for seconds"),
        ("", "it has 0 fields and needs five"),
        ("@reboot", "the words with @ are @hourly, @daily"),
        ("0 0 31 2 *", "it never runs (month 2 has no day 31)"),
        ("0 0 31 4,6,9,11 *", "it never runs (month 4,6,9,11 has no day 31)"),
        ("0 0 30-31 feb */2", "it never runs (month feb has no day 30-31)"),
        ("٣ * * * *", "a character that no cron line has"),
        ("\x1b[31m * * * *", "a character that no cron line has"),
        ("1 " * 300, "it is longer than 500 characters"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_line(text)
    with pytest.raises(parsers.InvalidValue, match="is not a cron line, since "):
        parsers.cron(text)


@given(st.one_of(st.text(), st.text("0123456789*/,- @LMONJANw#", max_size=30)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        line = read_line(text)
    except ValueError as error:
        assert str(error).isprintable()
    else:
        assert read_line(line) == line
        assert Schedule(line, "Europe/Berlin").after(START) > START


def test_a_zone_is_known_by_its_name() -> None:
    assert read_zone("UTC") == parsers.zone("UTC") == "UTC"
    assert read_zone("America/Argentina/Buenos_Aires") == "America/Argentina/Buenos_Aires"


@pytest.mark.parametrize("text", ["europe/berlin", "EUROPE/BERLIN", "berlin", "Berlin"])
def test_a_zone_that_is_meant_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time zone \(did you mean Europe/Berlin\?\)"):
        read_zone(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "../UTC", "/etc/localtime", "Europe/../UTC", "Europe", "Europe/", "/UTC"),
        *("localtime", "Factory", "posix/UTC", "right/UTC", "zone.tab", "tzdata.zi", "posixrules"),
        *("CEST", "UTC+2", "x" * 999, "UTC\0", "\udc80", "UTC\n", " UTC"),
    ],
)
def test_nothing_else_is_a_zone(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        read_zone(text)
    with pytest.raises(parsers.InvalidValue, match="is not a time zone"):
        parsers.zone(text)
