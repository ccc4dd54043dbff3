"""Months of a worker in seconds: a publisher's calendar, two networks' weather, and a process's.

All of it comes from a seed, and nothing from the machine: the accounts of a pass are served one
after the other, and the clock moves only where somebody waits. A seed therefore repeats exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from bot.model import Digest, Metrics, Network
from bot.sandbox import faults
from bot.sandbox.faults import Commit, Fault, refusal, server_error, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.x import answers as x_answers
from tests.helpers.worker_world import numbered

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTE = timedelta(minutes=1)
BEGIN = datetime(2027, 12, 1, tzinfo=UTC)  # 400 days hold 29 February and three changes of clocks
_WEEKEND = (5, 6)
NETWORKS = (Network.TWITTER, Network.MASTODON)

# The publisher -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """From `at` on the digest's file holds this; `text` in place of what the digest would be."""

    at: datetime
    digest: Digest
    text: str | None = None

    @property
    def usable(self) -> bool:
        """Whether it may go out."""
        return self.text is None and not self.digest.draft and bool(self.digest.papers)

    @property
    def key(self) -> tuple[date, datetime]:
        """What the order of digests is by."""
        return (self.digest.last_day, self.digest.published)


_KINDS = {
    "usual": 60,
    "late": 8,
    "days late": 3,
    "missing": 6,
    "two": 6,
    "empty": 4,
    "draft": 5,
    "never finished": 2,
    "changed": 6,
    "malformed": 5,
    "skipped": 2,
}


def calendar(seed: int, days: int) -> list[Shown]:
    """What the publisher does, in the order of its times."""
    random = Random(f"{seed} publisher")  # noqa: S311 - it is to repeat
    every: list[Shown] = []
    for number in range(1, days + 1):
        morning = datetime.combine(BEGIN + number * DAY, time(4, 30), UTC)
        at = morning + random.randint(-40, 90) * MINUTE
        (kind,) = random.choices(list(_KINDS), list(_KINDS.values()))
        if morning.weekday() not in _WEEKEND:
            every += _day(kind, 2 * number, at, random)
    return sorted(every, key=lambda shown: shown.at)


def _made(number: int, at: datetime, papers: int) -> Digest:
    made = numbered(number, at, papers)
    counted = Metrics(1000 + number, 60, at)
    return replace(made, papers=tuple(replace(each, metrics=counted) for each in made.papers))


def _day(  # noqa: C901 - an arm for each kind of day
    kind: str, number: int, at: datetime, random: Random
) -> Iterator[Shown]:
    made = _made(number, at, papers=random.choices((1, 2), (4, 1))[0])
    soon = at + random.randint(1, 20) * MINUTE
    later = soon + random.randint(60, 900) * MINUTE
    match kind:
        case "late":
            yield Shown(later, replace(made, published=later))
        case "days late":
            yield Shown(soon + random.randint(20, 110) * HOUR, made)
        case "missing":
            return
        case "two":
            yield Shown(soon, made)
            evening = _made(number + 1, at, papers=1)
            title, slug = f"Evening Papers {made.day}", f"evening-papers-{made.day}"
            after = at + random.randint(3, 14) * HOUR
            second = replace(evening, title=title, slug=slug, published=after)
            yield Shown(after + MINUTE, second)
        case "empty":
            yield Shown(soon, replace(made, papers=()))
        case "draft":
            yield Shown(soon, replace(made, draft=True))
            yield Shown(later, made)
        case "never finished":
            yield Shown(soon, replace(made, draft=True))
        case "changed":
            yield Shown(soon, made)
            first = replace(made.papers[0], title=f"{made.papers[0].title}, Corrected")
            yield Shown(later, replace(made, papers=(first, *made.papers[1:])))
        case "malformed":
            yield Shown(soon, made, "---\ntitle: half a fi")
            yield Shown(later, made)
        case "skipped":
            yield Shown(soon, replace(made, slug=f"{made.slug}-unwanted"))
        case _:
            yield Shown(soon, made)


# The weather -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spell:
    """From `begin` to `end` a request goes wrong with this chance, in one of these ways."""

    begin: datetime
    end: datetime
    chance: float
    ways: tuple[Fault, ...]


_LATE = tuple(faults.later(server_error(504), seconds) for seconds in (1.0, 45.0, 100.0))


def _passing(network: Network) -> tuple[Fault, ...]:
    """What goes wrong by chance; what ends the connection only later is a race, and left out.

    So is a list with nothing in it, which is all that Mastodon says where there are no posts: who
    has lost the ledger must believe it.
    """
    known = {each.name: each for each in faults.every(network)}
    del known[faults.CLOSED_IDLE.name]
    if network is Network.MASTODON:
        del known[faults.JSON_LIST.name]
    return (*known.values(), *_LATE)


def _spells(network: Network, random: Random) -> tuple[tuple[float, tuple[Fault, ...]], ...]:
    answers = x_answers if network is Network.TWITTER else mastodon_answers
    down = (server_error(503), faults.CLOSED_BEFORE, faults.RESET_BEFORE)
    lossy = (faults.CLOSED_AFTER, server_error(502, Commit.NOW), faults.EMPTY, *_LATE)
    kinds = [
        (1.0, down),
        (1.0, (refusal("401", answers.REFUSALS["401"]),)),
        (1.0, (too_many(network, None),)),
        (0.5, (too_many(network, random.randint(5, 400) * MINUTE),)),
        (0.4, lossy),
        (0.3, _passing(network)),
    ]
    if network is Network.TWITTER:
        kinds.append((1.0, (refusal("402", x_answers.NO_CREDITS),)))
    return tuple(kinds)


_BACKGROUND = 0.02


@dataclass
class Weather:
    """What goes wrong with one network's requests, and since when nothing has."""

    network: Network
    spells: tuple[Spell, ...]
    random: Random
    passing: tuple[Fault, ...]
    quiet: bool = False
    until: datetime = BEGIN
    blown: list[tuple[datetime, str]] = field(default_factory=list)

    def fault(self, now: datetime) -> Fault | None:
        """What becomes of a request now."""
        spell = next((each for each in self.spells if each.begin <= now < each.end), None)
        chance, ways = (spell.chance, spell.ways) if spell else (_BACKGROUND, self.passing)
        if self.quiet or self.random.random() >= chance:
            return None
        fault = self.random.choice(ways)
        self.note(now, fault.name)
        return fault

    def note(self, now: datetime, name: str) -> None:
        """Something went wrong: for how long an account may be kept from its work by it."""
        waits = 9 * HOUR if name.startswith("429 for") else 2 * HOUR
        self.blown.append((now, name))
        self.until = max(self.until, now + waits)


def weather(seed: int, network: Network, days: int) -> Weather:
    """A network's weather: hours of one trouble now and then, four days of it once or twice."""
    random = Random(f"{seed} {network}")  # noqa: S311 - it is to repeat
    spells, at = [], BEGIN
    while (at := at + random.uniform(1, 24) * DAY) < BEGIN + days * DAY:
        chance, ways = random.choice(_spells(network, random))
        hours = random.choices((1, 5, 30, 96), (16, 16, 4, 1))[0] * random.uniform(0.5, 1.2)
        spells.append(Spell(at, at + hours * HOUR, chance, ways))
        at += hours * HOUR
    return Weather(network, tuple(spells), random, _passing(network))


# The process and its machine ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls the process at `at`, or at the first pass after it.

    `kind`: a restart; a crash at the `number`-th commit or request; a stop, told at the `number`-th
    request; a clock set `ahead` of the networks'. `down` is how long it is away, and `wiped`
    whether its disk is new after that.
    """

    at: datetime
    kind: str
    number: int
    down: timedelta
    wiped: bool
    ahead: timedelta


_FATES = {"restart": 4, "commit": 5, "committed": 5, "request": 4, "stop": 3, "clock": 2}


def fates(seed: int, days: int) -> list[Fate]:
    """What befalls the process, in order."""
    random = Random(f"{seed} process")  # noqa: S311 - it is to repeat
    at, every = BEGIN, []
    while (at := at + random.uniform(0.1, 5) * DAY) < BEGIN + days * DAY:
        (kind,) = random.choices(list(_FATES), list(_FATES.values()))
        every.append(
            Fate(
                at=at,
                kind=kind,
                number=random.randint(1, 30),
                down=random.choice((timedelta(seconds=5), 10 * MINUTE, 9 * HOUR)),
                wiped=random.random() < 0.15,
                ahead=random.choice((-50, -20, -5, 0, 5, 20, 50)) * MINUTE,
            )
        )
    return every


def outages(seed: int, days: int) -> list[tuple[datetime, datetime]]:
    """When the source cannot be reached: hours now and then, and a week of it."""
    random = Random(f"{seed} source")  # noqa: S311 - it is to repeat
    spans: list[tuple[datetime, datetime]] = []
    at = BEGIN + 20 * DAY
    while (at := at + random.uniform(5, 40) * DAY) < BEGIN + days * DAY:
        hours = 168.0 if len(spans) == 1 else random.choice((0.2, 4.0, 20.0))
        spans.append((at, at + hours * HOUR))
        at += hours * HOUR
    return spans
