"""Runs a worker for months of simulated time and checks every day what it published.

What must be published follows from what the publisher did, what the networks did and when the
process ran; of the worker it uses nothing but which threads its ledger has.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.digests.result import NOTHING, Memory, Source, SourceOutcome, SourceResult
from bot.errors import Unreachable
from bot.ledger.rows import StoredProblem
from bot.ledger.store import Ledger
from bot.model import Network, State
from bot.monitoring.alert_once import AlertResult
from bot.sandbox import faults
from bot.sandbox.faults import Fault
from bot.sandbox.script import RequestRecord
from bot.sandbox.service import Stored
from bot.scheduler.run_once import EVERYBODY
from bot.settings import Settings
from bot.settings.schedule import Schedule
from tests.helpers.fake_world import FakeClock, FakeWorld, fake_world
from tests.helpers.fault_scenarios import Crash, CrashingLedger
from tests.helpers.long_run_events import (
    BEGIN,
    DAY,
    HOUR,
    MINUTE,
    NETWORKS,
    Publication,
    calendar,
    fault_schedule,
    process_events,
    source_outages,
)
from tests.helpers.paths import memory_disk
from tests.helpers.process_killed import ProcessKilled
from tests.helpers.worker_world import (
    FakeOperator,
    WorkerWorld,
    publish_file,
    worker_settings,
    worker_world,
)

CALM = 2 * HOUR
MAX_AGE = 3 * DAY
_LONGEST_STEP = 15 * MINUTE
_MOST_PASSES = 400
_TITLE = re.compile(r"(?:Hot|Evening) Papers \d{4}-\d\d-\d\d")
_STATUS = re.compile(r"answers (\d{3})")


class WorkerClock(FakeClock):
    """The worker's clock, which may be ahead of the networks'."""

    def __init__(self, true: FakeClock) -> None:
        super().__init__()
        self.true = true
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return self.true() + self.ahead

    def monotonic(self) -> float:
        return self.true.monotonic()

    def sleep(self, seconds: float) -> None:
        self.true.sleep(seconds)


@dataclass
class FakeTimer:
    """A timer that asks the fake clock: due at the schedule, and once at each moment asked for."""

    schedule: Schedule
    clock: FakeClock
    asked: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._latest = self.clock()
        self._next = self.schedule.after(self._latest)

    def at(self, name: str, moment: datetime) -> None:
        self.asked[name] = min(moment, self.asked.get(name, moment))

    def due(self) -> set[str]:
        """The names that are due now."""
        now = self.clock()
        back = self._latest - now > _LONGEST_STEP
        self._latest = now if back else max(now, self._latest)
        names = {name for name, moment in self.asked.items() if back or moment <= now}
        if back or self._next <= now:
            names |= {EVERYBODY} if self._next <= now else set()
            self._next = self.schedule.after(now)
        for name in names:
            self.asked.pop(name, None)
        return names

    def wait(self) -> float:
        """Seconds until something is due."""
        return (min([self._next, *self.asked.values()]) - self.clock()).total_seconds()


@dataclass(frozen=True)
class UnreliableSource:
    """A source that cannot be reached at times."""

    source: Source
    away: Callable[[], bool]

    def latest(self, memory: Memory = NOTHING) -> SourceResult:
        return self._away(memory) if self.away() else self.source.latest(memory)

    def since(self, day: date, most: int) -> tuple[SourceResult, ...]:
        return (self._away(NOTHING),) if self.away() else self.source.since(day, most)

    def find(self, wanted: date | str) -> SourceResult:
        return self._away(NOTHING) if self.away() else self.source.find(wanted)

    def _away(self, memory: Memory) -> SourceResult:
        problem = Unreachable("posts: cannot be read: Input/output error")
        return SourceResult(SourceOutcome.UNREACHABLE, "posts", problem=problem, memory=memory)


@dataclass
class CheckingOperator(FakeOperator):
    """An operator who knows what is open: each trouble is told once, and its end once.

    `lenient` right after a crash, which may have cut off what was told and not yet noted.
    """

    open: dict[str, datetime] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    lenient: bool = False
    clock: Callable[[], datetime] = lambda: BEGIN

    def tell(self, raised: Sequence[StoredProblem], over: Sequence[StoredProblem]) -> AlertResult:
        for one in raised:
            if one.key in self.open and not self.lenient:
                self.wrong.append(f"{one.key} is raised twice")
            self.open[one.key] = self.clock()
            self.told[one.what] += 1
        for one in over:
            if one.key not in self.open and not self.lenient:
                self.wrong.append(f"{one.key} is over and was not raised")
            self.open.pop(one.key, None)
        return AlertResult(frozenset(one.key for one in (*raised, *over)))


@dataclass
class LongRun:
    """One worker's months. `tally` counts what happened, so that a test sees that much did."""

    seed: int
    days: int
    catch_up: str
    world: FakeWorld
    networks: Sequence[Network] = NETWORKS
    tally: Counter[str] = field(default_factory=Counter)
    files: dict[str, Publication] = field(default_factory=dict)
    usable_from: dict[str, datetime] = field(default_factory=dict)
    wipes: list[datetime] = field(default_factory=list)
    begun: dict[tuple[Network, str], datetime] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    released: set[tuple[Network, str]] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.clock.wall = BEGIN
        self.end = BEGIN + self.days * DAY
        self.worker_clock = WorkerClock(self.world.clock)
        self.view = replace(self.world, clock=self.worker_clock)
        self.coming = calendar(self.seed, self.days)
        self.every = {publication.digest.slug: publication for publication in self.coming}
        self.titles = {
            publication.digest.title: publication.digest.slug for publication in self.coming
        }
        self.skip = {slug for slug in self.every if slug.endswith("unwanted")}
        self.events = process_events(self.seed, self.days)
        self.away = source_outages(self.seed, self.days)
        self.schedules = {one: fault_schedule(self.seed, one, self.days) for one in self.networks}
        self.settings = self._settings()
        self.schedule = Schedule(self.settings.accounts[0].schedule, self.settings.timezone)
        self.operator = CheckingOperator(clock=self.world.clock)
        self.crash = Crash()
        self.requests = self.kills_at = self.stops_at = 0
        self.down = (timedelta(0), False)
        self.moved = BEGIN
        self.unreached: datetime | None = None
        self.world.sandbox.decide(self._fault_for)

    def _settings(self) -> Settings:
        more = {
            "BOT_TIMEZONE": "Europe/Berlin",
            "BOT_SCHEDULE": "30 2,10,18 * * *",  # twice a year 02:30 comes twice, or never
            "BOT_CATCH_UP": self.catch_up,
            "BOT_PATIENCE": "5m",
            "BOT_SKIP": ",".join(sorted(self.skip)),
        }
        return worker_settings(self.world, self.networks, **more)

    @property
    def now(self) -> datetime:
        """The networks' time."""
        return self.world.clock()

    # The days ------------------------------------------------------------------------------------

    def live(self) -> None:
        """All the days, and some quiet ones at the end, after which nothing is left to do."""
        while self.now < self.end:
            self._process(self.end)
        for one in self.schedules.values():
            one.quiet = True
        self.events.clear()
        self.away.clear()
        self._process(self.end + 6 * DAY)
        self._check_threads()
        self._check_end()

    def _process(self, until: datetime) -> None:
        """One process from its start to its end, and the time until the next may start."""
        self.down = (timedelta(seconds=5), False)
        try:
            with worker_world(
                self.view, self.settings, self.operator, kept=CrashingLedger
            ) as worker:
                self._run(worker, until)
        except ProcessKilled:
            self.tally["crashes"] += 1
            self._note_fault("crash")
            self.operator.lenient = True
        self.crash, self.kills_at, self.stops_at = Crash(), 0, 0
        self.view.stop = False
        down, wiped = self.down
        self.world.clock.sleep(down.total_seconds())
        if wiped:
            self._wipe()

    def _run(self, worker: WorkerWorld, until: datetime) -> None:
        poller = worker.passes.poller
        poller.source = UnreliableSource(poller.source, self._is_source_away)
        self._crash_ledger(worker, Crash())
        self.unreached = None
        timer, passes, today = FakeTimer(self.schedule, self.worker_clock), 0, self.now.date()
        timer.at(EVERYBODY, self.worker_clock())
        while self.now < until:
            if self._apply_event(worker):
                return
            if names := timer.due():
                for name, moment in self._pass(worker, names).items():
                    timer.at(name, moment)
                passes += 1
                assert passes < _MOST_PASSES, "it never rests"
            if self.view.stop:
                self.tally["stops"] += 1
                self._note_fault("stop")
                return
            if self.now.date() > today:
                today, passes = self.now.date(), 0
                self._check_threads()
                self._settle_held(worker)
            self._sleep(timer.wait(), until)

    def _sleep(self, seconds: float, until: datetime) -> None:
        times = [until, *(event.at for event in self.events[:1])]
        most = (min(times) - self.now).total_seconds()
        if seconds > 0 and most > 0:
            self.world.clock.sleep(min(seconds, most))

    def _crash_ledger(self, worker: WorkerWorld, crash: Crash) -> None:
        assert isinstance(worker.ledger, CrashingLedger)
        worker.ledger.crash = self.crash = crash

    def _apply_event(self, worker: WorkerWorld) -> bool:
        """Let happen what is due; True where the process ends here."""
        if not self.events or self.events[0].at > self.now:
            return False
        event = self.events.pop(0)
        self.log.append(f"{self.now:%m-%d %H:%M} {event.kind} {event.number} wiped={event.wiped}")
        self.tally[event.kind] += 1
        match event.kind:
            case "clock":
                self.worker_clock.ahead = event.ahead
                self.moved = self.now
                self._note_fault("clock")
                return False
            case "commit" | "committed":
                self._crash_ledger(worker, Crash(event.number, after=event.kind == "committed"))
            case "request":
                self.kills_at = self.requests + event.number % 9 + 1
            case "stop":
                self.stops_at = self.requests + event.number % 9 + 1
        self.down = (event.down, event.wiped)
        return event.kind == "restart"

    def _fault_for(self, record: RequestRecord) -> Fault | None:
        """What becomes of a request: decided as it arrives, by the seed."""
        self.requests += 1
        schedule = self.schedules[Network(record.network)]
        if self.crash.happened:
            return faults.CLOSED_BEFORE
        if self.requests == self.kills_at:
            self.crash.happened = True
            return faults.CLOSED_BEFORE if self.requests % 2 else faults.CLOSED_AFTER
        if self.requests == self.stops_at:
            self.view.stop = True
        fault = schedule.fault(self.now)
        if fault:
            self.tally[fault.name] += 1
        return fault

    def _note_fault(self, what: str) -> None:
        for one in self.schedules.values():
            one.note(self.now, what)

    def _wipe(self) -> None:
        for path in self.settings.database.parent.glob(f"{self.settings.database.name}*"):
            path.unlink()
        self.wipes.append(self.now)
        self.settled.clear()
        self.tally["wipes"] += 1
        self.operator.open.clear()

    # The source ----------------------------------------------------------------------------------

    def _is_source_away(self) -> bool:
        return any(begin <= self.now < end for begin, end in self.away)

    def _publish(self) -> None:
        """Everything that the publisher did until now."""
        while self.coming and self.coming[0].at <= self.now:
            publication = self.coming.pop(0)
            publish_file(self.world.folder / "posts", publication.digest, publication.text)
            slug = publication.digest.slug
            self.files[slug] = publication
            if publication.usable and slug in self.usable_from:
                self.changed.add(slug)
            if publication.usable and slug not in self.skip:
                self.usable_from.setdefault(slug, publication.at)

    # A pass, and what it must have done ----------------------------------------------------------

    def _pass(self, worker: WorkerWorld, names: set[str]) -> dict[str, datetime]:
        self._publish()
        away, before = (
            self._is_source_away(),
            {n: len(self.schedules[n].blown) for n in self.networks},
        )
        served = [n for n in self.networks if n.value in names or EVERYBODY in names]
        calm = [n for n in served if self._is_calm(n)]
        wanted = {n: [] if away else self._wanted(worker, n) for n in calm}
        wakes = worker.run(*sorted(names))
        self._check_log(worker)
        self._note_begun(worker)
        if away == self._is_source_away():
            self._check_source_alert(away=away)
        self.operator.lenient = False
        self.tally["passes"] += 1
        if away != self._is_source_away() or self.view.stop:
            return wakes
        for network in calm:
            if len(self.schedules[network].blown) > before[network]:
                continue
            self.tally["calm passes"] += 1
            out = {slug for slug, posts in self._threads(network) if self._is_whole(slug, posts)}
            for slug in wanted[network]:
                if self._is_unknowable(slug):
                    continue
                assert slug in out, self._failure(f"{slug} should be out on {network}")
                self.tally["foretold"] += 1
            self._check_resumed(worker, network, out)
        return wakes

    def _is_calm(self, network: Network) -> bool:
        """Whether nothing keeps an account from its work: no trouble, and none still felt."""
        return max(self.schedules[network].until, self.moved + CALM) <= self.now

    def _is_unknowable(self, slug: str) -> bool:
        """Whether it changed and a disk was lost: what is out has other words, and is asked of."""
        return slug in self.changed and any(at >= self.usable_from[slug] for at in self.wipes)

    def _wanted(self, worker: WorkerWorld, network: Network) -> list[str]:
        """The digests that a pass now must bring out."""
        had = self._planned(worker, network)
        slugs = {slug for slug, _ in had}
        last = max((self._key(slug) for slug in slugs), default=None)
        ready = sorted(
            (*self._key(slug), slug)
            for slug, publication in self.files.items()
            if publication.usable and slug not in self.skip
        )
        now = self.worker_clock()
        if self.catch_up == "all" and last:
            lately = sum(now - planned < DAY for _, planned in had)
            fresh = [one[2] for one in ready if one[:2] > last]
            return fresh[: max(3 - lately, 0)]
        newest = ready[-1:]
        return [
            slug
            for day, published, slug in newest
            if slug not in slugs and (not last or (day, published) > last)
            if now - published <= MAX_AGE
        ]

    def _key(self, slug: str) -> tuple[date, datetime]:
        """What the order of digests is by, as the publisher has it now."""
        digest = self.files[slug].digest
        return digest.last_day, digest.published

    def _planned(self, worker: WorkerWorld, network: Network) -> list[tuple[str, datetime]]:
        rows = worker.ledger._fetch(
            "SELECT digest, planned_at FROM threads WHERE account = :account",
            account=network.value,
        )
        return [(row[0], datetime.fromisoformat(row[1])) for row in rows]

    def _check_resumed(self, worker: WorkerWorld, network: Network, out: set[str]) -> None:
        """What was begun is whole, or is a person's."""
        now = self.worker_clock()
        for thread in worker.ledger.threads(network.value, unfinished=True):
            held = any(post.state is State.HELD for post in thread.posts)
            old = now - max(thread.published, thread.planned_at) > MAX_AGE
            whole = thread.digest in out
            assert held or old or whole, self._failure(f"{thread.digest} waits on {network}")

    def _note_begun(self, worker: WorkerWorld) -> None:
        """When each digest was begun, as far as its ledger still knows."""
        for network in self.networks:
            for slug, _ in self._planned(worker, network):
                self.begun.setdefault((network, slug), self.now)

    def _check_source_alert(self, *, away: bool) -> None:
        """A source that was away for hours is a trouble; one that gave a digest is none."""
        self.unreached = (self.unreached or self.now) if away else None
        newest = max(self.files.values(), key=lambda publication: publication.key, default=None)
        told = "source" in self.operator.open
        if self.unreached and self.now - self.unreached > HOUR:
            assert told, self._failure("the source is away, and nobody was told")
        if not away and newest and newest.text is None:
            assert not told, self._failure("the source is back, and nobody was told")

    def _check_log(self, worker: WorkerWorld) -> None:
        """What the log must never say, and what the operator was told wrongly."""
        said = worker.out.getvalue()
        self.log += said.splitlines()
        del self.log[:-400]
        assert "a bug in bot" not in said, self._failure("a bug")
        assert '"pass.failed"' not in said, self._failure("a pass broke off")
        assert not self.operator.wrong, self._failure(str(self.operator.wrong))
        for line in worker.lines("post.held"):
            self._check_held_reason(Network(str(line["account"])), str(line["reason"]))
        worker.out.seek(0)
        worker.out.truncate()

    def _check_held_reason(self, network: Network, reason: str) -> None:
        """What is held is held for something that the seed brought, and lately."""
        self.tally["held"] += 1
        lately = [name for at, name in self.schedules[network].blown if self.now - at < 5 * DAY]
        status = _STATUS.search(reason)
        fits = [name for name in lately if not status or name.startswith(status[1])]
        assert fits, self._failure(f"held on {network} for no reason: {reason}; {lately}")

    # The person ----------------------------------------------------------------------------------

    def _settle_held(self, worker: WorkerWorld) -> None:
        """Looks at what is held, once, and says what is there: as `bot settle` does."""
        for thread in worker.ledger.threads(unfinished=True):
            held = [post for post in thread.posts if post.state is State.HELD]
            if not held or thread.number in self.settled:
                continue
            self.settled.add(thread.number)
            there = dict(self._threads(thread.network)).get(thread.digest, [])
            for post in held:
                known = there[post.position].id if post.position < len(there) else None
                worker.ledger.settle(thread.number, post.position, known, "", self.worker_clock())
                if post.position == 0 and known is None:
                    self.released.add((thread.network, thread.digest))
                self.tally["settled"] += 1

    def _failure(self, what: str) -> str:
        """A failure's words: with the seed, which repeats it."""
        last = "\n".join(self.log[-40:])
        return f"seed {self.seed}, {self.catch_up}, at {self.now}: {what}\n{last}"

    # Checks --------------------------------------------------------------------------------------

    def _threads(self, network: Network) -> Iterator[tuple[str, list[Stored]]]:
        """What is there: each thread with the digest it is of, in the order of their beginnings."""
        live = self.world.live(network)
        after = {post.reply_to: post for post in live if post.reply_to}
        for root in live:
            if root.reply_to is None:
                posts = [root]
                while following := after.get(posts[-1].id):
                    posts.append(following)
                title = _TITLE.search(root.text)
                assert title, self._failure(f"no thread begins so: {root.text}")
                yield self.titles[title[0]], posts

    def _is_whole(self, slug: str, posts: Sequence[Stored]) -> bool:
        return len(posts) == 2 + len(self.every[slug].digest.papers)

    def _check_threads(self) -> None:
        """Nothing twice, nothing out of place or of order, and nothing that must not be there."""
        for network in self.networks:
            live, threads = self.world.live(network), list(self._threads(network))
            assert sum(len(posts) for _, posts in threads) == len(live), self._failure(
                "out of place"
            )
            counted = Counter(slug for slug, _ in threads)
            twice = [slug for slug, n in counted.items() if n > 1]
            assert not twice, self._failure(f"twice on {network}: {twice}")
            for slug, posts in threads:
                self._check_thread(slug, posts)
            own = [slug for slug, _ in threads if (network, slug) not in self.released]
            order = [self._key(slug) for slug in own]
            wrong = [str(a) for a, b in pairwise(order) if a > b]
            assert not wrong, self._failure(f"out of order on {network}: {wrong}")

    def _check_thread(self, slug: str, posts: Sequence[Stored]) -> None:
        digest = self.every[slug].digest
        for paper, post in zip(digest.papers, posts[1:], strict=False):
            assert paper.arxiv_id in post.text, self._failure(f"{slug}: {post.text}")
        assert len(posts) <= 2 + len(digest.papers), self._failure(f"{slug} is too long")
        assert slug in self.usable_from, self._failure(f"{slug} must never go out")
        begun = posts[0].created
        assert self.usable_from[slug] <= begun, self._failure(f"{slug} went out too early")
        if self.catch_up == "latest":
            late = begun - digest.published - MAX_AGE
            assert late <= DAY, self._failure(f"{slug} went out {late} too late")

    def _check_end(self) -> None:
        left = [key for key in self.operator.open if key.partition(":")[0] not in {"held", "left"}]
        assert not left, self._failure(f"never over: {left}")
        self.tally["usable"] = len(self.usable_from)
        for network in self.networks:
            threads = list(self._threads(network))
            begun = {slug: posts[0].created for slug, posts in threads}
            for slug, posts in threads:
                if not self._is_whole(slug, posts):
                    self.tally["half out"] += 1
                    self._check_half_thread(network, slug, posts)
            record_miss = sorted(self.usable_from.keys() - begun.keys())
            self.tally[f"out on {network}"] = len(begun)
            self.tally[f"missed on {network}"] = len(record_miss)
            if self.catch_up == "all":
                for slug in record_miss:
                    self._check_missed(network, slug, begun)

    def _check_half_thread(self, network: Network, slug: str, posts: Sequence[Stored]) -> None:
        """A thread that stays half out was lost with a disk, or waits for a person."""
        lost = any(wiped > posts[0].created for wiped in self.wipes)
        with Ledger.open(self.settings.database) as ledger:
            thread = ledger.thread(network.value, slug)
        held = thread and any(post.state is State.HELD for post in thread.posts)
        assert lost or held, self._failure(f"{slug} stays half out on {network}")

    def _check_missed(self, network: Network, slug: str, out: Mapping[str, datetime]) -> None:
        """Where all are made up for, one is missed only if it came too late, or a disk was lost."""
        key, publication = self.every[slug].key, self.usable_from[slug]
        newer = [at for other, at in out.items() if self.every[other].key > key]
        over = min(newer, default=self.now)
        before = [at for other, at in out.items() if self.every[other].key < key and at < over]
        known = max(before, default=None)
        forgot = known is None or any(known <= wiped <= over for wiped in self.wipes)
        begun = (network, slug) in self.begun  # and refused, or given up when it was too old
        late = publication + HOUR > over
        assert late or forgot or begun, self._failure(f"{slug} never went out on {network}")


def serve_accounts_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the accounts of a pass be served one after the other, so that a seed repeats."""
    monkeypatch.setattr(
        "bot.scheduler.run_once.side_by_side", lambda do, each: tuple(map(do, each))
    )


@contextmanager
def long_run(
    seed: int, days: int, catch_up: str, networks: Sequence[Network] = NETWORKS
) -> Iterator[LongRun]:
    """A worker's months in a world of their own."""
    home = memory_disk()
    with tempfile.TemporaryDirectory(dir=home) as folder, fake_world(Path(folder)) as world:
        yield LongRun(seed, days, catch_up, world, networks)
