"""Deliveries with faults, crashes and clock changes, and the checks of what was published.

Each run uses the real service, posters and ledger against simulated networks. A crash is an
exception that nothing catches. It is raised where the process would be killed: at a commit of the
ledger, or at the first use of the ledger after a request. The ledger's file stays, memory is lost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path

from bot import plan
from bot.delivery.accounts import Publisher
from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult, End, Event, RunTools
from bot.formatter.render import render
from bot.formatter.select import tidied
from bot.formatter.templates import Templates
from bot.ledger.store import Ledger
from bot.model import Account, Digest, Network, Thread
from bot.sandbox import faults
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour
from bot.sandbox.bluesky.behaviour import SERVERS as SKY_SERVERS
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, Markup, MastodonBehaviour
from bot.sandbox.script import RequestRecord
from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from bot.settings import Settings
from tests.helpers import bluesky_rules
from tests.helpers.fake_world import (
    FakeClock,
    FakeWorld,
    check_once,
    check_safe,
    digest,
    fake_world,
    is_publish,
)
from tests.helpers.paths import memory_disk
from tests.helpers.process_killed import ProcessKilled

NETWORKS = (Network.TWITTER, Network.MASTODON, Network.BLUESKY)
SETTLE = timedelta(minutes=2)
_MOST_RUNS = 40
_OUTLASTS = 600.0


class Crash:
    """Where a run crashes: nowhere, before or after a commit of the ledger, or when a test says so.

    `commits` counts the commits of the run. After the crash every commit raises `ProcessKilled`.
    """

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.commits = 0
        self.happened = False
        self._at = at
        self._after = after

    def before(self) -> None:
        self.commits += 1
        if self.commits == self._at and not self._after:
            self.happened = True
        self.check()

    def after(self) -> None:
        if self.commits == self._at and self._after:
            self.happened = True
        self.check()

    def check(self) -> None:
        if self.happened:
            raise ProcessKilled


class CrashingLedger(Ledger):
    """A ledger whose process can crash at any commit."""

    crash = Crash()

    @contextmanager
    def together(self) -> Iterator[None]:
        if self._file.inside:
            with super().together():
                yield
            return
        self.crash.before()
        with super().together():
            yield
        self.crash.after()


@cache
def cached_thread(source: Digest, account: Account) -> Thread:
    """The digest's thread. Cached: rendering takes longer than a delivery takes here."""
    return render(tidied(source), account, Templates(account.network, account.templates))


@cache
def _new_ledger() -> bytes:
    """A ledger's file as it is once it was opened. To make it anew takes a fifth of a delivery."""
    with tempfile.TemporaryDirectory(dir=memory_disk()) as folder:
        path = Path(folder) / "bot.db"
        Ledger.open(path).close()
        return path.read_bytes()


@dataclass
class FaultScenario:
    """One account on one network, its digest, and the faults of its delivery.

    `ahead` is how far the worker's wall clock is from the network's; with each thing that happens
    it jumps to the next of `jumps`. `words` are a thread's that no template made, `on_event` is
    told what happens. `ledgers` is how many there were so far, those of other workers too.
    """

    world: FakeWorld
    network: Network
    source: Digest
    more: Mapping[str, str] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)
    crash: Crash = field(default_factory=Crash)
    runs: int = 0
    crashes: int = 0
    ledgers: int = 1
    jumps: list[timedelta] = field(default_factory=list)
    words: Thread | None = None
    on_event: Callable[[Event], None] | None = None
    _settings: tuple[Mapping[str, str], Settings] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.world.sandbox.decide(self._until_crash)

    @property
    def settings(self) -> Settings:
        # kept, since a sweep asks for them some thousand times
        given = {**self.world.variables([self.network]), **self.more}
        if self._settings is None or self._settings[0] != given:
            self._settings = given, self.world.settings([self.network], **self.more)
        return self._settings[1]

    @property
    def account(self) -> Account:
        return self.settings.accounts[0]

    @property
    def thread(self) -> Thread:
        return self.words or cached_thread(self.source, self.account)

    @property
    def live(self) -> list[Stored]:
        return self.world.live(self.network)

    @property
    def requests(self) -> list[RequestRecord]:
        return [each for each in self.world.sandbox.requests if each.network == self.network]

    @property
    def posts_made(self) -> int:
        """How many requests there were that make a post."""
        return sum(is_publish(each.request) for each in self.requests)

    def fault(self, fault: Fault, at: int) -> None:
        """Let the `at`-th request go wrong, counted from the first of all."""
        self.world.sandbox.script(fault, network=self.network.value, at=at)

    def crash_at(self, fault: Fault, at: int) -> None:
        """Crash over the `at`-th request, before its answer can be recorded."""
        self.world.sandbox.decide(lambda record: self._crash_over(record, fault, at))

    def _crash_over(self, record: RequestRecord, fault: Fault, at: int) -> Fault | None:
        if (record.network, record.number) != (self.network, at):
            return None
        self.crash.happened = True
        return fault

    def _until_crash(self, _: RequestRecord) -> Fault | None:
        return faults.CLOSED_BEFORE if self.crash.happened else None

    def run(
        self, crash: Crash | None = None, options: PublishOptions | None = None
    ) -> AccountResult:
        """One process from start to end; raises ProcessKilled where it crashes."""
        try:
            with self.service(crash) as service:
                reorder = partial(plan.in_order, self.settings, self.source)
                (served,) = service.publish(
                    self.source, [self.thread], options or PublishOptions(), reorder
                )
                self.crash.check()
        finally:
            self.crashes += self.crash.happened
        return served

    def retract(self) -> AccountResult:
        """What `bot retract` does."""
        with self.service() as service:
            source, thread = self.source, self.thread
            (served,) = service.retract(source, source.slug, [self.account], [thread])
        return served

    @contextmanager
    def service(self, crash: Crash | None = None) -> Iterator[Publisher]:
        """The service of one process, which may crash."""
        self.crash, settings = crash or Crash(), self.settings
        self.runs += 1
        self.world.add_history(settings)
        if not settings.database.exists():
            settings.database.parent.mkdir(parents=True, exist_ok=True)
            settings.database.write_bytes(_new_ledger())
        with ExitStack() as closed:
            ledger = closed.enter_context(closing(CrashingLedger.open(settings.database)))
            ledger.crash = self.crash
            yield Publisher(settings, ledger, self.surroundings())

    def surroundings(self) -> RunTools:
        clock = self.world.clock
        return RunTools(
            clock=lambda: clock() + self.ahead,
            monotonic=clock.monotonic,
            sleep=clock.sleep,
            stopping=lambda: self.world.stop,
            tell=self._tell,
        )

    def _tell(self, event: Event) -> None:
        self.crash.check()
        self.world.events.append(event)
        if self.jumps:
            self.ahead = self.jumps.pop(0)
        if self.on_event:
            self.on_event(event)

    def lose_ledger(self) -> None:
        """Delete the ledger, as a deployment does that replaces the disk."""
        self.ledgers += 1
        self.world.history = False
        for path in self.settings.database.parent.glob(f"{self.settings.database.name}*"):
            path.unlink()

    def send_only(self, posts: int) -> AccountResult:
        """Run until so many posts are sent, then stop."""
        left = posts

        def count(event: Event) -> None:
            nonlocal left
            left -= event.what == "sent"
            self.world.stop = left <= 0

        self.world.stop, self.on_event = posts == 0, count
        try:
            return self.run()
        finally:
            self.world.stop, self.on_event = False, None

    def run_until_settled(self, crash: Crash | None = None) -> AccountResult:
        """Run after run, each at the time the one before named, until nothing is put off.

        `crash` is for the first run. After a crash the next run starts a second later.
        """
        for _ in range(_MOST_RUNS):
            first, crash = crash, None
            try:
                served = self.run(first)
            except ProcessKilled:
                self.world.clock.sleep(1.0)
                continue
            if served.end is not End.LATER:
                self.world.clock.sleep(_OUTLASTS)  # what is still under way arrives
                return served
            self._wait_for(served.until)
        raise AssertionError(f"not settled after {_MOST_RUNS} runs: {served}")

    def _wait_for(self, until: datetime | None) -> None:
        now = self.world.clock() + self.ahead
        seconds = (until - now).total_seconds() if until else 0.0
        self.world.clock.sleep(max(seconds, 60.0))

    def check(self, served: AccountResult) -> None:
        """Check that a run which is done published all, and any other a correct beginning."""
        if served.end is End.DONE:
            check_once(self.live, self.thread)
        else:
            check_safe(self.live, self.thread)
            assert served.reason.strip(), "it does not say why"
        if self.network is Network.BLUESKY:
            self._check_sky()

    def _check_sky(self) -> None:
        """Check the rules for Bluesky's records and requests as well: `bluesky_rules`."""
        sky, asked = self.world.sky, self.requests
        bluesky_rules.check_records(sky, self.live, self.thread, self.source)
        bluesky_rules.check_nothing_overwritten(sky)
        bluesky_rules.check_requests(asked, self.ledgers)
        wrong = sum(each.fault != faults.NONE.name for each in asked)
        bluesky_rules.check_logins(asked, self.ledgers + self.crashes + wrong)


@contextmanager
def fault_scenario(  # noqa: PLR0913, PLR0917 - what a test may choose
    network: Network,
    papers: int = 1,
    x: XBehaviour | None = None,
    mastodon: MastodonBehaviour = MASTODON,
    sky: BlueskyBehaviour = BSKY_SOCIAL,
    clock: FakeClock | None = None,
    **more: str,
) -> Iterator[FaultScenario]:
    """One account in a world of its own, in a temporary folder."""
    home = memory_disk()
    with (
        tempfile.TemporaryDirectory(dir=home) as folder,
        fake_world(Path(folder), x, mastodon, sky, clock) as case,
    ):
        if mastodon.markup is not Markup.NONE and not mastodon.plain_on_request:
            more.setdefault("MASTODON_DIALECT", "markdown")  # as bot check says
        yield FaultScenario(case, network, _source(papers), more)


@cache
def _source(papers: int) -> Digest:
    return digest(papers)


@cache
def opening_request(network: Network) -> int:
    """The number of the request that makes the first post, in a run without faults."""
    with fault_scenario(network) as case:
        case.check(case.run())
        return next(each.number for each in case.requests if is_publish(each.request))


# The table ----------------------------------------------------------------------------------------


@dataclass
class FaultRow:
    """What came of one kind of trouble: scenarios tried, how they ended, and what went wrong."""

    name: str
    tried: int = 0
    done: int = 0
    waiting_for_a_person: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0

    def count(self, case: FaultScenario, served: AccountResult) -> None:
        """Add one scenario that has come to its end."""
        self.tried += 1
        self.done += served.end is End.DONE
        self.waiting_for_a_person += served.end in (End.HELD, End.FAILED, End.WRONG)
        texts = [post.text for post in case.live]
        wanted = [post.text for post in case.thread.posts]
        self.doubled += len(texts) > len(set(texts))
        self.lost += served.end is End.DONE and not set(wanted) <= set(texts)
        try:
            check_safe(case.live, case.thread)
        except AssertionError:
            self.out_of_order += 1


def fault_table() -> str:
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


Trouble = Callable[[FaultScenario], Crash | None]


def _tried(kind: Callable[[Network], tuple[str, list[Trouble]]], network: Network) -> FaultRow:
    name, problems = kind(network)
    row = FaultRow(f"{name}, {network}")
    for prepare in problems:
        with fault_scenario(network) as case:
            row.count(case, case.run_until_settled(prepare(case)))
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


def _lost(network: Network) -> FaultRow:
    """The ledger lost after each number of posts, on every kind of server there is a rule for."""
    row = FaultRow(f"the ledger lost after 0 to all posts, {network}")
    for x, mastodon, sky in _KINDS[network]:
        for sent in range(5):
            with fault_scenario(network, 2, x, mastodon, sky) as case:
                case.send_only(sent)
                case.lose_ledger()
                row.count(case, case.run_until_settled())
    return row


def _clean(network: Network) -> tuple[int, int]:
    """How many requests and commits a run has in which nothing goes wrong."""
    with fault_scenario(network) as case:
        case.check(case.run())
        return len(case.requests), case.crash.commits


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


def _gateway(network: Network) -> tuple[str, list[Trouble]]:
    """A page in front of the network, before it or after it acted.

    A 404 is not among them: where a login gets one, the address is wrong, and for a person.
    """
    requests, _ = _clean(network)
    places = [
        (faults.server_error(status, commit), at)
        for status in (401, 403, 503)
        for commit in (faults.Commit.NEVER, faults.Commit.NOW)
        for at in range(1, requests + 1)
    ]
    return GATEWAY, [_fault(*place) for place in places]


def _outage(_: Network) -> tuple[str, list[Trouble]]:
    """Every post fails for an hour while reads work, from each post on."""
    return OUTAGE, [
        _failing(first, commit)
        for first in range(1, 4)
        for commit in (faults.Commit.NEVER, faults.Commit.NOW)
    ]


def _failing(first: int, commit: faults.Commit) -> Trouble:
    """Let posts fail for an hour from the `first`; with a `commit` of NOW that one is out."""

    def prepare(case: FaultScenario) -> None:
        begun, posts = list[float](), list[int]()

        def fail(record: RequestRecord) -> Fault | None:
            if not is_publish(record.request):
                return None
            posts.append(record.number)
            if len(posts) < first:
                return None
            begun.append(case.world.clock.seconds)
            if begun[-1] - begun[0] > 3600.0:
                return None
            return faults.server_error(503, commit if len(begun) == 1 else faults.Commit.NEVER)

        case.world.sandbox.decide(fail)

    return prepare


def _crashes(network: Network) -> tuple[str, list[Trouble]]:
    requests, commits = _clean(network)
    answered = (faults.CLOSED_BEFORE, faults.CLOSED_AFTER)
    with_request = [_crash(f, at) for f in answered for at in range(1, requests + 1)]
    sides = (False, True)
    with_commit = [_commit(at, after=side) for side in sides for at in range(1, commits + 1)]
    return "a crash at each request and commit", with_request + with_commit


def _fault(fault: Fault, at: int) -> Trouble:
    return lambda case: case.fault(fault, at)


def _crash(fault: Fault, at: int) -> Trouble:
    return lambda case: case.crash_at(fault, at)


def _commit(at: int, *, after: bool) -> Trouble:
    return lambda _: Crash(at, after=after)


GATEWAY, OUTAGE = "a gateway's pages at each request", "an hour in which reads alone work"
PASSING = (GATEWAY, OUTAGE)
"""Trouble that passes: nothing of it may be left to a person."""
TROUBLES = (_faults, _late, _gateway, _outage, _crashes)
"""What a table is made of: each gives its name, and all that can happen to a network's thread."""
