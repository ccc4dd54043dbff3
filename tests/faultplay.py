"""Deliveries that go wrong on purpose: faults, crashes, clocks that jump; and what came of each.

Every run is a whole one: the real service, posters and ledger, against the stand-ins. A crash is an
exception that nothing catches, raised where the process would have died: at a commit of the ledger,
or as soon as the ledger is touched after a request. What was in memory is gone, the file stays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import skylaws
from stage import Stage, check_once, check_safe, digest, publishes, stage

from bot.delivery.terms import End, Event, Surroundings
from bot.desk import Served, Wishes
from bot.formatter.render import render
from bot.formatter.select import tidied
from bot.formatter.templates import Templates
from bot.ledger.store import Ledger
from bot.model import Account, Digest, Network, Thread
from bot.sandbox import faults
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour
from bot.sandbox.bluesky.behaviour import SERVERS as SKY_SERVERS
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, MastodonBehaviour
from bot.sandbox.script import Record
from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from bot.service import Service
from bot.settings import Settings

if TYPE_CHECKING:
    from sqlite_utils import Database

NETWORKS = (Network.TWITTER, Network.MASTODON, Network.BLUESKY)
SETTLE = timedelta(minutes=2)
_MEMORY = Path("/dev/shm")  # noqa: S108 - a disk that syncs at once, where there is one
_MOST_RUNS = 40
_OUTLASTS = 600.0


class Crash(BaseException):  # as nothing in the program may catch it
    """The process dies here."""


class Death:
    """When a run dies: never, at a commit of the ledger (before or after it), or once told to.

    `commits` counts those of the run. Whoever is dead does nothing more.
    """

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.commits = 0
        self.dead = False
        self._at = at
        self._after = after

    def before(self) -> None:
        self.commits += 1
        if self.commits == self._at and not self._after:
            self.dead = True
        self.live()

    def after(self) -> None:
        if self.commits == self._at and self._after:
            self.dead = True
        self.live()

    def live(self) -> None:
        if self.dead:
            raise Crash


class Mortal(Ledger):
    """A ledger whose process can die at any commit."""

    death = Death()

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        if self._file.inside:
            with super()._writing() as db:
                yield db
            return
        self.death.before()
        with super()._writing() as db:
            yield db
        self.death.after()


@cache
def worded(source: Digest, account: Account) -> Thread:
    """The digest's thread; kept, for templates cost more than a delivery does here."""
    return render(tidied(source), account, Templates(account.network, account.templates))


@dataclass
class Play:
    """One account of one network on a stage, its digest, and where it is to go wrong.

    `ahead` is how far the worker's wall clock is from the network's; with each thing that happens
    it jumps to the next of `jumps`. `words` are a thread's that no template made, `on_event` is
    told what happens. `ledgers` is how many there were so far, those of other workers too.
    """

    on: Stage
    network: Network
    source: Digest
    more: Mapping[str, str] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)
    death: Death = field(default_factory=Death)
    runs: int = 0
    crashes: int = 0
    ledgers: int = 1
    jumps: list[timedelta] = field(default_factory=list)
    words: Thread | None = None
    on_event: Callable[[Event], None] | None = None

    def __post_init__(self) -> None:
        self.on.sandbox.decide(self._while_alive)

    @property
    def settings(self) -> Settings:
        return self.on.settings([self.network], **self.more)

    @property
    def account(self) -> Account:
        return self.settings.accounts[0]

    @property
    def thread(self) -> Thread:
        return self.words or worded(self.source, self.account)

    @property
    def live(self) -> list[Stored]:
        return self.on.live(self.network)

    @property
    def requests(self) -> list[Record]:
        return [each for each in self.on.sandbox.requests if each.network == self.network]

    @property
    def made(self) -> int:
        """How many requests there were that make a post."""
        return sum(publishes(each.request) for each in self.requests)

    def fault(self, fault: Fault, at: int) -> None:
        """Let the `at`-th request go wrong, counted from the first of all."""
        self.on.sandbox.script(fault, network=self.network.value, at=at)

    def dies_with(self, fault: Fault, at: int) -> None:
        """Let the process die over its `at`-th request, before it can write down an answer."""
        self.on.sandbox.decide(lambda record: self._kill(record, fault, at))

    def _kill(self, record: Record, fault: Fault, at: int) -> Fault | None:
        if (record.network, record.number) != (self.network, at):
            return None
        self.death.dead = True
        return fault

    def _while_alive(self, _: Record) -> Fault | None:
        return faults.CLOSED_BEFORE if self.death.dead else None

    def run(self, death: Death | None = None, wishes: Wishes | None = None) -> Served:
        """One process from start to end; raises Crash where it dies."""
        try:
            with self.service(death) as service:
                (served,) = service.publish(self.source, [self.thread], wishes or Wishes())
        finally:
            self.crashes += self.death.dead
        return served

    def retract(self) -> Served:
        """What `bot retract` does."""
        with self.service() as service:
            source, thread = self.source, self.thread
            (served,) = service.retract(source, source.slug, [self.account], [thread])
        return served

    @contextmanager
    def service(self, death: Death | None = None) -> Iterator[Service]:
        """A process that serves the account, until it dies."""
        self.death, settings = death or Death(), self.settings
        self.runs += 1
        with ExitStack() as closed:
            ledger = closed.enter_context(closing(Mortal.open(settings.database)))
            ledger.death = self.death
            yield Service(settings, ledger, self.around())

    def around(self) -> Surroundings:
        clock = self.on.clock
        return Surroundings(
            clock=lambda: clock() + self.ahead,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            stopping=lambda: self.on.stop,
            tell=self._tell,
        )

    def _tell(self, event: Event) -> None:
        self.death.live()
        self.on.events.append(event)
        if self.jumps:
            self.ahead = self.jumps.pop(0)
        if self.on_event:
            self.on_event(event)

    def lose_ledger(self) -> None:
        """A deploy wipes the disk."""
        self.ledgers += 1
        for path in self.settings.database.parent.glob(f"{self.settings.database.name}*"):
            path.unlink()

    def send_only(self, posts: int) -> Served:
        """A run that comes as far as so many posts, and is then told to stop."""
        left = posts

        def count(event: Event) -> None:
            nonlocal left
            left -= event.what == "sent"
            self.on.stop = left <= 0

        self.on.stop, self.on_event = posts == 0, count
        try:
            return self.run()
        finally:
            self.on.stop, self.on_event = False, None

    def until_settled(self, death: Death | None = None) -> Served:
        """Run after run, each at the time the one before named, until nothing is put off.

        `death` is that of the first run; one that dies is followed by the next a minute later.
        """
        for _ in range(_MOST_RUNS):
            first, death = death, None
            try:
                served = self.run(first)
            except Crash:
                self.on.clock.sleep(1.0)
                continue
            if served.end is not End.LATER:
                self.on.clock.sleep(_OUTLASTS)  # what is still under way arrives
                return served
            self._wait_for(served.until)
        raise AssertionError(f"not settled after {_MOST_RUNS} runs: {served}")

    def _wait_for(self, until: datetime | None) -> None:
        now = self.on.clock() + self.ahead
        seconds = (until - now).total_seconds() if until else 0.0
        self.on.clock.sleep(max(seconds, 60.0))

    def check(self, served: Served) -> None:
        """The law: a run that says it is done is complete, any other left a clean beginning."""
        if served.end is End.DONE:
            check_once(self.live, self.thread)
        else:
            check_safe(self.live, self.thread)
            assert served.reason.strip(), "it does not say why"
        if self.network is Network.BLUESKY:
            self._check_sky()

    def _check_sky(self) -> None:
        """What Bluesky must hold besides: `skylaws`."""
        sky, asked = self.on.sky, self.requests
        plans = skylaws.check_records(sky, self.live, self.thread, self.source)
        assert plans <= self.ledgers
        skylaws.check_nothing_overwritten(sky)
        skylaws.check_requests(asked, self.ledgers)
        wrong = sum(each.fault != faults.NONE.name for each in asked)
        skylaws.check_logins(asked, self.ledgers + self.crashes + wrong)


@contextmanager
def play(
    network: Network,
    papers: int = 1,
    x: XBehaviour | None = None,
    mastodon: MastodonBehaviour = MASTODON,
    sky: BlueskyBehaviour = BSKY_SOCIAL,
    **more: str,
) -> Iterator[Play]:
    """One account on a stage of its own, in a folder that is gone afterwards."""
    home = _MEMORY if _MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(dir=home) as folder,
        stage(Path(folder), x, mastodon, sky) as on,
    ):
        yield Play(on, network, _source(papers), more)


@cache
def _source(papers: int) -> Digest:
    return digest(papers)


@cache
def opening_at(network: Network) -> int:
    """Which request of a clean run by a new ledger makes the first post."""
    with play(network) as on:
        on.check(on.run())
        return next(each.number for each in on.requests if publishes(each.request))


# The table ----------------------------------------------------------------------------------------


@dataclass
class Row:
    """What came of one kind of trouble: scenarios tried, how they ended, and what went wrong."""

    name: str
    tried: int = 0
    done: int = 0
    waiting_for_a_person: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0

    def count(self, on: Play, served: Served) -> None:
        """Add one scenario that has come to its end."""
        self.tried += 1
        self.done += served.end is End.DONE
        self.waiting_for_a_person += served.end in (End.HELD, End.FAILED)
        texts = [post.text for post in on.live]
        wanted = [post.text for post in on.thread.posts]
        self.doubled += len(texts) > len(set(texts))
        self.lost += served.end is End.DONE and not set(wanted) <= set(texts)
        try:
            check_safe(on.live, on.thread)
        except AssertionError:
            self.out_of_order += 1


def table() -> str:
    """Try every fault and every crash at every request and commit; the figures as a table."""
    rows = [_tried(kind, network) for kind in TROUBLES for network in NETWORKS]
    rows += [_lost(network) for network in NETWORKS]
    head = ("", "tried", "done", "held", "lost", "doubled", "out of order")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        figures = (row.tried, row.done, row.waiting_for_a_person)
        wrong = (row.lost, row.doubled, row.out_of_order)
        lines.append(f"| {row.name} | {' | '.join(map(str, (*figures, *wrong)))} |")
    return "\n".join(lines)


Trouble = Callable[[Play], Death | None]


def _tried(kind: Callable[[Network], tuple[str, list[Trouble]]], network: Network) -> Row:
    name, troubles = kind(network)
    row = Row(f"{name}, {network}")
    for prepare in troubles:
        with play(network) as on:
            row.count(on, on.until_settled(prepare(on)))
    return row


_KINDS: Mapping[
    Network, Sequence[tuple[XBehaviour | None, MastodonBehaviour, BlueskyBehaviour]]
] = {
    Network.TWITTER: [
        (XBehaviour(duplicates=kind), MASTODON, BSKY_SOCIAL)
        for kind in (XBehaviour().duplicates, Duplicates.NONE)
    ],
    Network.MASTODON: [(None, server, BSKY_SOCIAL) for server in SERVERS],
    Network.BLUESKY: [(None, MASTODON, server) for server in SKY_SERVERS],
}


def _lost(network: Network) -> Row:
    """The ledger lost after each number of posts, on every kind of server there is a rule for."""
    row = Row(f"the ledger lost after 0 to all posts, {network}")
    for x, mastodon, sky in _KINDS[network]:
        for sent in range(5):
            with play(network, 2, x, mastodon, sky) as on:
                on.send_only(sent)
                on.lose_ledger()
                row.count(on, on.until_settled())
    return row


def _clean(network: Network) -> tuple[int, int]:
    """How many requests and commits a run has in which nothing goes wrong."""
    with play(network) as on:
        on.check(on.run())
        return len(on.requests), on.death.commits


def _faults(network: Network) -> tuple[str, list[Trouble]]:
    requests, _ = _clean(network)
    places = [(fault, at) for fault in faults.every(network) for at in range(1, requests + 1)]
    return "each fault at each request", [_fault(*place) for place in places]


def _late(network: Network) -> tuple[str, list[Trouble]]:
    requests, _ = _clean(network)
    given_up = faults.server_error(504)
    late = [faults.later(given_up, seconds) for seconds in (1.0, 60.0, 119.0)]
    places = [(fault, at) for fault in late for at in range(1, requests + 1)]
    return "carried out after a 504", [_fault(*place) for place in places]


def _crashes(network: Network) -> tuple[str, list[Trouble]]:
    requests, commits = _clean(network)
    answered = (faults.CLOSED_BEFORE, faults.CLOSED_AFTER)
    with_request = [_death(f, at) for f in answered for at in range(1, requests + 1)]
    sides = (False, True)
    with_commit = [_commit(at, after=side) for side in sides for at in range(1, commits + 1)]
    return "a crash at each request and commit", with_request + with_commit


def _fault(fault: Fault, at: int) -> Trouble:
    return lambda on: on.fault(fault, at)


def _death(fault: Fault, at: int) -> Trouble:
    return lambda on: on.dies_with(fault, at)


def _commit(at: int, *, after: bool) -> Trouble:
    return lambda _: Death(at, after=after)


TROUBLES = (_faults, _late, _crashes)
"""What a table is made of: each gives its name, and all that can happen to a network's thread."""
