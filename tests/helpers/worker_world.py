"""A worker in the test's process: real passes, source, ledger and posters, in a `FakeWorld`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot import plan
from bot.delivery.accounts import Publisher
from bot.delivery.identity import reads_for_free
from bot.ledger.rows import StoredProblem
from bot.ledger.store import Ledger
from bot.model import Digest, Network
from bot.monitoring.alert_once import AlertResult
from bot.monitoring.log import Log
from bot.monitoring.worker_state import WorkerState
from bot.scheduler.decide import PassRules
from bot.scheduler.poll_source import SourcePoller
from bot.scheduler.reporter import Reporter
from bot.scheduler.run_once import EVERYBODY, Runner
from bot.settings import Settings
from tests.helpers.digest_writer import write
from tests.helpers.fake_world import FakeWorld, digest, paper


def numbered_digest(number: int, published: datetime, papers: int = 2, **fields: object) -> Digest:
    """A digest that comes out at `published`, of the day before, with papers of its own."""
    day = published.date() - timedelta(days=1)
    own = tuple(
        replace(paper(number * 10 + n), rank=n + 1, title=f"Paper {n} of digest {number}")
        for n in range(papers)
    )
    made = replace(digest(0, day=day), papers=own, published=published)
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


def publish(
    world: FakeWorld,
    number: int,
    at: datetime | None = None,
    papers: int = 2,
    categories: tuple[str, ...] = ("cs.LG", "cs.AI"),
) -> Digest:
    """Put a digest of the day with this number where the worker reads, an hour old by default."""
    made = numbered_digest(number, at or world.clock.wall - timedelta(hours=1), papers)
    own = tuple(replace(paper, categories=categories) for paper in made.papers)
    made = replace(made, papers=own)
    publish_file(world.folder / "posts", made)
    return made


def later(world: FakeWorld, moment: datetime | timedelta) -> None:
    """Let time go by, or come to a time of the wall clock."""
    wait = moment if isinstance(moment, timedelta) else moment - world.clock.wall
    world.clock.sleep(max(wait.total_seconds(), 0))


def publish_file(folder: Path, source: Digest, text: str | None = None) -> Path:
    """Publish a digest, as its publisher's program does; `text` in place of its own."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{source.day}---{source.slug}.md"
    path.write_text(write(source) if text is None else text, encoding="utf-8")
    return path


@dataclass
class FakeHeartbeat:
    """Records each heartbeat in place of an address that would receive it."""

    beats: list[bool] = field(default_factory=list)

    def beat(self, *, good: bool) -> str:
        self.beats.append(good)
        return ""


@dataclass
class FakeOperator:
    """Receives the alerts about troubles; receives nothing while `away`."""

    raised: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    away: bool = False

    def tell(self, raised: Sequence[StoredProblem], over: Sequence[StoredProblem]) -> AlertResult:
        if self.away:
            return AlertResult(frozenset(), ("json:// does not answer",))
        self.raised += [one.key for one in raised]
        self.over += [one.key for one in over]
        return AlertResult(frozenset(one.key for one in (*raised, *over)))


@dataclass
class WorkerWorld:
    """One process of the worker, from its start until it ends or is killed."""

    world: FakeWorld
    passes: Runner
    ledger: Ledger
    watch: WorkerState
    reporter: Reporter
    out: io.StringIO
    wakes: dict[str, datetime] = field(default_factory=dict)

    def run(self, *names: str) -> dict[str, datetime]:
        """One pass, for everybody or these accounts."""
        self.wakes = self.passes.run(names or (EVERYBODY,))
        return self.wakes

    def lines(self, event: str = "") -> list[dict[str, object]]:
        """What was logged, of one event or all."""
        lines = [json.loads(line) for line in self.out.getvalue().splitlines()]
        return [line for line in lines if not event or line["event"] == event]

    def events(self) -> list[str]:
        return [str(line["event"]) for line in self.lines()]


@contextmanager
def worker_world(
    world: FakeWorld,
    settings: Settings,
    operator: FakeOperator | None = None,
    heartbeat: FakeHeartbeat | None = None,
    kept: type[Ledger] = Ledger,
) -> Iterator[WorkerWorld]:
    """A worker whose every part is real but its clock, its operator and its heartbeat.

    `kept` is the kind of ledger: one whose process can die, for instance.
    """
    out = io.StringIO()
    log = Log(out, json=True, clock=world.clock)
    watch = WorkerState(world.clock, world.clock.monotonic)
    with kept.open(settings.database) as ledger:
        reporter = Reporter(
            log=log,
            watch=watch,
            heartbeat=heartbeat,
            alerts=operator,
            ledger=ledger,
            accounts=frozenset(account.name for account in settings.accounts),
            max_age=settings.max_age,
            clock=world.clock,
            monotonic=world.clock.monotonic,
            stopping=lambda: world.stop,
        )
        around = replace(world.surroundings(), tell=reporter.event)
        service = Publisher(settings, ledger, around)
        rules = {
            account.name: PassRules(
                settings.max_age,
                settings.catch_up,
                frozenset(settings.skip),
                checks=reads_for_free(account.network),
            )
            for account in settings.accounts
        }
        poller = SourcePoller(plan.source(settings), next(iter(rules.values())), world.clock)
        passes = Runner(service, settings.accounts, poller, rules, reporter)
        yield WorkerWorld(world, passes, ledger, watch, reporter, out)


def worker_settings(world: FakeWorld, networks: Sequence[Network] = (), **more: str) -> Settings:
    """The world's settings, with a folder of digests as the source."""
    (world.folder / "posts").mkdir(exist_ok=True)
    return world.settings(networks, **({"BOT_DIGESTS": "posts"} | more))
