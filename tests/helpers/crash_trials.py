"""Ends `bot post` at each step, runs it again, and compares what is published with the plan.

In the test's process an exception ends the run; after it neither requests nor ledger do anything.
As a process of its own, `bot post` is ended by SIGKILL, against simulated networks in real time.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult
from bot.ledger.store import Ledger
from bot.model import Digest, Network, State, Thread
from bot.posters.api_session import ApiSession
from bot.sandbox.faults import HUNG_AFTER, HUNG_BEFORE
from bot.sandbox.service import Stored
from bot.settings import Settings
from tests.helpers import bluesky_rules
from tests.helpers.crash_child import COMMIT, CrashPoint, StepCounter, When, counting_commits
from tests.helpers.fake_world import NO_WISHES, FakeWorld, digest, fake_world
from tests.helpers.paths import memory_disk
from tests.helpers.process_killed import ProcessKilled
from tests.helpers.process_world import (
    ALL_NETWORKS,
    PAPERS,
    ProcessWorld,
    clean_run_counts,
    process_world,
)

X, MASTODON, SKY = ((network,) for network in ALL_NETWORKS)
NETWORK_SETS = (X, MASTODON, SKY, ALL_NETWORKS)
HELD_FAULTS = {When.BEFORE: HUNG_BEFORE, When.AFTER: HUNG_AFTER}


@dataclass(frozen=True, slots=True)
class Flaws:
    """How many posts of a thread are missing, there again, or not where or as they should be."""

    lost: int = 0
    doubled: int = 0
    disordered: int = 0

    def __add__(self, other: Flaws) -> Flaws:
        return Flaws(
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.disordered + other.disordered,
        )


def flaws(live: Sequence[Stored], thread: Thread) -> Flaws:
    """Compare what is there, oldest first, with the thread."""
    wanted = [post.text for post in thread.posts]
    counted = Counter(post.text for post in live)
    firsts: dict[str, Stored] = {}
    for post in live:
        firsts.setdefault(post.text, post)
    before = [None, *wanted[:-1]]
    parents = {
        text: firsts[above].id if above in firsts else None
        for text, above in zip(wanted, before, strict=True)
    }
    astray = sum(post.text not in parents or post.reply_to != parents[post.text] for post in live)
    there = [text for text in firsts if text in parents]
    swapped = there != [text for text in wanted if text in firsts]
    return Flaws(
        lost=sum(text not in counted for text in wanted),
        doubled=sum(counted[text] - 1 for text in wanted if text in counted),
        disordered=astray + swapped,
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one run that was ended at a point; `problem` is empty where all was well."""

    point: CrashPoint
    networks: tuple[Network, ...]
    flaws: Flaws = Flaws()
    problem: str = ""

    def __str__(self) -> str:
        names = " and ".join(self.networks)
        return f"{names}, {self.point}: {self.problem or self.flaws}"

    @property
    def bad(self) -> bool:
        return bool(self.problem) or self.flaws != Flaws()


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One line of the result table."""

    kind: str
    points: int
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    problems: tuple[str, ...] = ()


def result_rows(trials: Sequence[Trial]) -> Iterator[ResultRow]:
    """One row for each kind of point."""
    for what, is_commit in (("a request", False), ("a ledger commit", True)):
        for when in When:
            of = [
                trial
                for trial in trials
                if trial.point.when is when and (trial.point.what == COMMIT) is is_commit
            ]
            found = sum((trial.flaws for trial in of), Flaws())
            bad = tuple(str(trial) for trial in of if trial.bad)
            kind = f"SIGKILL {when} {what}"
            yield ResultRow(kind, len(of), found.lost, found.doubled, found.disordered, bad)


def crash_points(counts: Counter[str]) -> list[CrashPoint]:
    """Before and after each thing that a clean run did."""
    return [
        CrashPoint(when, what, number)
        for what, most in sorted(counts.items())
        for number in range(1, most + 1)
        for when in When
    ]


def flaws_on_networks(
    world: FakeWorld, threads: Mapping[Network, Thread], networks: Sequence[Network]
) -> Flaws:
    """What is wrong with the threads on several networks."""
    return sum((flaws(world.live(network), threads[network]) for network in networks), Flaws())


def ledger_problem(
    world: FakeWorld, source: Digest, networks: Sequence[Network], settings: Settings
) -> str:
    """What the ledger says that is not so, at any moment; empty where it is right.

    What it calls sent is there, in order, and of the rest at most one post is there, which it says
    was tried.
    """
    with Ledger.open(settings.database) as ledger:
        for network in networks:
            thread = ledger.thread(network.value, source.slug)
            states = [] if thread is None else [(post.id, post.state) for post in thread.posts]
            sent = [post_id for post_id, state in states if state is State.SENT]
            there = [post.id for post in world.live(network)]
            if there[: len(sent)] != sent or len(there) > len(sent) + 1:
                return f"{network}: sent are {sent}, there are {there}"
            if len(there) > len(sent) and states[len(sent)][1] not in (
                State.SENDING,
                State.UNKNOWN,
            ):
                return f"{network}: {states[len(sent)][1]} is post {len(sent)}, which is there"
    return ""


def bluesky_problem(
    world: FakeWorld,
    source: Digest,
    networks: Sequence[Network],
    settings: Settings,
    logins: int = 2,
) -> str:
    """What is wrong on Bluesky besides, with a run and one that went on; empty for nothing.

    Its records, to the letter of the plan in the ledger; and `logins`, of which a session whose
    keeping was prevented takes one more.
    """
    if Network.BLUESKY not in networks:
        return ""
    with Ledger.open(settings.database) as ledger:
        stored = ledger.thread(Network.BLUESKY.value, source.slug)
    thread, live = world.planned(source, settings)[Network.BLUESKY], world.live(Network.BLUESKY)
    asked = [each for each in world.sandbox.requests if each.network == Network.BLUESKY]
    try:
        bluesky_rules.check_records(world.sky, live, thread, source)
        bluesky_rules.check_times(world.sky, live, stored)
        bluesky_rules.check_nothing_overwritten(world.sky)
        bluesky_rules.check_requests(asked, plans=1)
        bluesky_rules.check_logins(asked, logins)
    except AssertionError as error:
        return str(error)
    return ""


# In this process ---------------------------------------------------------------------------------


@contextmanager
def counting_steps(counter: StepCounter, world: FakeWorld) -> Iterator[None]:
    """Count every request and every commit of this process, and end it at the counter's point."""
    names = {world.sandbox.url(network): network.value for network in ALL_NETWORKS}
    send_once = ApiSession.send_once

    def watched(line: ApiSession, ask: Callable[[], object], *, fresh: bool = False) -> object:
        network = names[line.session._base]  # type: ignore[attr-defined] # the project's own session
        return counter.step(network, lambda: send_once(line, ask, fresh=fresh))

    ApiSession.send_once = watched  # type: ignore[method-assign, assignment] # put back below
    try:
        with counting_commits(counter):
            yield
    finally:
        ApiSession.send_once = send_once  # type: ignore[method-assign]


class CachingWorld(FakeWorld):
    """A world that renders a digest once: rendering takes longer than a delivery takes here."""

    def post(
        self, source: Digest, settings: Settings, options: PublishOptions = NO_WISHES
    ) -> dict[Network, AccountResult]:
        with self.service(settings) as service:
            served = service.publish(
                source, tuple(self.planned(source, settings).values()), options
            )
        return {one.account.network: one for one in served}

    def planned(self, source: Digest, settings: Settings) -> dict[Network, Thread]:
        named = (source.slug, *settings.accounts)
        if named not in _THREADS:
            _THREADS[named] = super().planned(source, settings)
        return _THREADS[named]


_THREADS: dict[tuple[object, ...], dict[Network, Thread]] = {}


@contextmanager
def caching_world() -> Iterator[CachingWorld]:
    """A world in a temporary folder, on a disk in memory where there is one."""
    home = memory_disk()
    with TemporaryDirectory(dir=home) as name, fake_world(Path(name)) as world:
        yield CachingWorld(
            world.folder, world.clock, world.sandbox, world.x, world.mastodon, world.sky
        )


def clean_run(networks: tuple[Network, ...]) -> StepCounter:
    """Deliver a thread and return all that was counted on the way."""
    counter = StepCounter()
    with caching_world() as world:
        settings = world.settings(networks)
        world.add_history(settings)
        with counting_steps(counter, world):
            served = world.post(digest(PAPERS), settings)
        assert {one.end for one in served.values()} == {"done"}, served
        asked = Counter(record.network for record in world.sandbox.requests)
        assert asked == Counter({n: c for n, c in counter.counts.items() if n != COMMIT})
    return counter


def common_counts(count: Callable[[], Counter[str]]) -> Counter[str]:
    """What every clean run does.

    Two accounts side by side may both find a digest new and both write it down, which is one commit
    more than most runs have.
    """
    return count() & count() & count()


def abandon(point: CrashPoint, networks: tuple[Network, ...]) -> Trial:
    """Abandon a run at the point, go on as the messages say, and look what is there."""
    counter = StepCounter(point)
    with caching_world() as world:
        settings, source = world.settings(networks), digest(PAPERS)
        world.add_history(settings)
        with suppress(ProcessKilled), counting_steps(counter, world):
            world.post(source, settings)
        if not counter.fired:
            return Trial(point, networks, problem="the point was not reached")
        if wrong := ledger_problem(world, source, networks, settings):
            return Trial(point, networks, problem=wrong)
        served = world.post_until_done(source, settings)
        ends = {one.end for one in served.values()}
        found = flaws_on_networks(world, world.planned(source, settings), networks)
        problem = "" if ends == {"done"} else f"ended {served}"
        return Trial(
            point, networks, found, problem or bluesky_problem(world, source, networks, settings)
        )


# As a process of its own -------------------------------------------------------------------------


def kill(point: CrashPoint, networks: tuple[Network, ...]) -> Trial:
    """End a real process at the point, start it again until it is done, and look what is there."""
    with TemporaryDirectory() as name, process_world(Path(name), networks) as at:
        if not _killed(at, point):
            return Trial(
                point,
                networks,
                flaws_on_networks(at.world, at.planned(), networks),
                "the point was not reached",
            )
        at.wait_until_idle()
        at.world.sandbox.fix()
        wrong = ledger_problem(at.world, at.source, networks, at.settings)
        problem = wrong or at.run_until_done()
        problem = problem or bluesky_problem(at.world, at.source, networks, at.settings)
        return Trial(point, networks, flaws_on_networks(at.world, at.planned(), networks), problem)


def _killed(at: ProcessWorld, point: CrashPoint) -> bool:
    if point.what == COMMIT:
        return at.run(point.when, point.number)[0] == -signal.SIGKILL
    at.world.sandbox.script(HELD_FAULTS[point.when], network=point.what, at=point.number)
    with at.start() as process:
        held = at.wait_until_held(point.what, point.number)
        process.kill()
        process.communicate()
    return held


def sweep(each: Sequence[tuple[Network, ...]] = NETWORK_SETS, at_once: int = 2) -> Iterator[Trial]:
    """Kill a real process at every point of a clean run, `at_once` of them at a time."""
    tried = [
        (point, networks)
        for networks in each
        for point in crash_points(common_counts(partial(clean_run_counts, networks)))
    ]
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda one: kill(*one), tried)


def crash_table() -> Iterator[ResultRow]:
    """The rows of the result table that are about crashes; takes some minutes."""
    return result_rows(list(sweep()))
