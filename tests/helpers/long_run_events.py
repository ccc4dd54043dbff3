"""What happens in a long run: digests, faults of the networks, crashes and restarts, by a seed.

Nothing comes from the machine: the accounts of a pass are served one after the other, and the clock
moves only where something waits. A seed therefore repeats exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from bot.model import Digest, Network
from bot.sandbox import faults
from bot.sandbox.faults import Commit, Fault, refusal, server_error, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.x import answers as x_answers
from tests.helpers.digest_writer import tweeted
from tests.helpers.worker_world import numbered_digest

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTE = timedelta(minutes=1)
BEGIN = datetime(2027, 12, 1, tzinfo=UTC)  # 400 days hold 29 February and three changes of clocks
_WEEKEND = (5, 6)
NETWORKS = (Network.TWITTER, Network.MASTODON)

# The publisher -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Publication:
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


def calendar(seed: int, days: int) -> list[Publication]:
    """What the publisher does, in the order of its times."""
    random = Random(f"{seed} publisher")  # noqa: S311 - it is to repeat
    every: list[Publication] = []
    for number in range(1, days + 1):
        morning = datetime.combine(BEGIN + number * DAY, time(4, 30), UTC)
        at = morning + random.randint(-40, 90) * MINUTE
        (kind,) = random.choices(list(_KINDS), list(_KINDS.values()))
        if morning.weekday() not in _WEEKEND:
            every += _day(kind, 2 * number, at, random)
    return sorted(every, key=lambda publication: publication.at)


def _made(number: int, at: datetime, papers: int) -> Digest:
    made = numbered_digest(number, at, papers)
    counted = tweeted(1000 + number, 60, at)
    return replace(made, papers=tuple(replace(each, metrics=counted) for each in made.papers))


def _day(  # noqa: C901 - an arm for each kind of day
    kind: str, number: int, at: datetime, random: Random
) -> Iterator[Publication]:
    made = _made(number, at, papers=random.choices((1, 2), (4, 1))[0])
    soon = at + random.randint(1, 20) * MINUTE
    later = soon + random.randint(60, 900) * MINUTE
    match kind:
        case "late":
            yield Publication(later, replace(made, published=later))
        case "days late":
            yield Publication(soon + random.randint(20, 110) * HOUR, made)
        case "missing":
            return
        case "two":
            yield Publication(soon, made)
            evening = _made(number + 1, at, papers=1)
            title, slug = f"Evening Papers {made.day}", f"evening-papers-{made.day}"
            after = at + random.randint(3, 14) * HOUR
            second = replace(evening, title=title, slug=slug, published=after)
            yield Publication(after + MINUTE, second)
        case "empty":
            yield Publication(soon, replace(made, papers=()))
        case "draft":
            yield Publication(soon, replace(made, draft=True))
            yield Publication(later, made)
        case "never finished":
            yield Publication(soon, replace(made, draft=True))
        case "changed":
            yield Publication(soon, made)
            first = replace(made.papers[0], title=f"{made.papers[0].title}, Corrected")
            yield Publication(later, replace(made, papers=(first, *made.papers[1:])))
        case "malformed":
            yield Publication(soon, made, "---\ntitle: half a fi")
            yield Publication(later, made)
        case "skipped":
            yield Publication(soon, replace(made, slug=f"{made.slug}-unwanted"))
        case _:
            yield Publication(soon, made)


# The networks ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FaultPeriod:
    """From `begin` to `end` a request goes wrong with this chance, in one of these ways."""

    begin: datetime
    end: datetime
    chance: float
    kinds: tuple[Fault, ...]


_LATE = tuple(faults.later(server_error(504), seconds) for seconds in (1.0, 45.0, 100.0))


def _passing_faults(network: Network) -> tuple[Fault, ...]:
    """What goes wrong by chance; what ends the connection only later is a race, and left out.

    So is a list with nothing in it, which is all that Mastodon says where there are no posts: who
    has lost the ledger must believe it.
    """
    known = {each.name: each for each in faults.every(network)}
    del known[faults.CLOSED_IDLE.name]
    if network is Network.MASTODON:
        del known[faults.JSON_LIST.name]
    return (*known.values(), *_LATE)


def _fault_periods(network: Network, random: Random) -> tuple[tuple[float, tuple[Fault, ...]], ...]:
    answers = x_answers if network is Network.TWITTER else mastodon_answers
    down = (server_error(503), faults.CLOSED_BEFORE, faults.RESET_BEFORE)
    lossy = (faults.CLOSED_AFTER, server_error(502, Commit.NOW), faults.EMPTY, *_LATE)
    kinds = [
        (1.0, down),
        (1.0, (refusal("401", answers.REFUSALS["401"]),)),
        (1.0, (too_many(network, None),)),
        (0.5, (too_many(network, random.randint(5, 400) * MINUTE),)),
        (0.4, lossy),
        (0.3, _passing_faults(network)),
    ]
    if network is Network.TWITTER:
        kinds.append((1.0, (refusal("402", x_answers.NO_CREDITS),)))
    return tuple(kinds)


_BACKGROUND = 0.02


@dataclass
class FaultSchedule:
    """What goes wrong with one network's requests, and since when nothing has."""

    network: Network
    periods: tuple[FaultPeriod, ...]
    random: Random
    passing: tuple[Fault, ...]
    quiet: bool = False
    until: datetime = BEGIN
    blown: list[tuple[datetime, str]] = field(default_factory=list)

    def fault(self, now: datetime) -> Fault | None:
        """What becomes of a request now."""
        period = next((each for each in self.periods if each.begin <= now < each.end), None)
        chance, kinds = (period.chance, period.kinds) if period else (_BACKGROUND, self.passing)
        if self.quiet or self.random.random() >= chance:
            return None
        fault = self.random.choice(kinds)
        self.note(now, fault.name)
        return fault

    def note(self, now: datetime, name: str) -> None:
        """Something went wrong: for how long an account may be kept from its work by it."""
        waits = 9 * HOUR if name.startswith("429 for") else 2 * HOUR
        self.blown.append((now, name))
        self.until = max(self.until, now + waits)


def fault_schedule(seed: int, network: Network, days: int) -> FaultSchedule:
    """A network's faults: some hours of one kind now and then, four days of it once or twice."""
    random = Random(f"{seed} {network}")  # noqa: S311 - it is to repeat
    periods, at = [], BEGIN
    while (at := at + random.uniform(1, 24) * DAY) < BEGIN + days * DAY:
        chance, kinds = random.choice(_fault_periods(network, random))
        hours = random.choices((1, 5, 30, 96), (16, 16, 4, 1))[0] * random.uniform(0.5, 1.2)
        periods.append(FaultPeriod(at, at + hours * HOUR, chance, kinds))
        at += hours * HOUR
    return FaultSchedule(network, tuple(periods), random, _passing_faults(network))


# The process and its machine ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """What happens to the process at `at`, or at the first pass after it.

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


_PROCESS_EVENTS = {"restart": 4, "commit": 5, "committed": 5, "request": 4, "stop": 3, "clock": 2}


def process_events(seed: int, days: int) -> list[ProcessEvent]:
    """What happens to the process, in order."""
    random = Random(f"{seed} process")  # noqa: S311 - it is to repeat
    at, every = BEGIN, []
    while (at := at + random.uniform(0.1, 5) * DAY) < BEGIN + days * DAY:
        (kind,) = random.choices(list(_PROCESS_EVENTS), list(_PROCESS_EVENTS.values()))
        every.append(
            ProcessEvent(
                at=at,
                kind=kind,
                number=random.randint(1, 30),
                down=random.choice((timedelta(seconds=5), 10 * MINUTE, 9 * HOUR)),
                wiped=random.random() < 0.15,
                ahead=random.choice((-50, -20, -5, 0, 5, 20, 50)) * MINUTE,
            )
        )
    return every


def source_outages(seed: int, days: int) -> list[tuple[datetime, datetime]]:
    """When the source cannot be reached: hours now and then, and a week of it."""
    random = Random(f"{seed} source")  # noqa: S311 - it is to repeat
    spans: list[tuple[datetime, datetime]] = []
    at = BEGIN + 20 * DAY
    while (at := at + random.uniform(5, 40) * DAY) < BEGIN + days * DAY:
        hours = 168.0 if len(spans) == 1 else random.choice((0.2, 4.0, 20.0))
        spans.append((at, at + hours * HOUR))
        at += hours * HOUR
    return spans
