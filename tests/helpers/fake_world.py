"""A whole delivery in the test's process: real posters and ledger, simulated networks, fake clock.

To sleep moves the clock and nothing else, so a run that waits for two minutes takes no time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from bot import plan
from bot.delivery.accounts import Publisher
from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult, Event, RunTools
from bot.ledger.rows import PlannedPost, PlannedThread
from bot.ledger.store import Ledger
from bot.model import Account, Digest, Network, Paper, Thread
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.mastodon.behaviour import MASTODON, MastodonBehaviour
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.server import Sandbox
from bot.sandbox.service import Stored
from bot.sandbox.wire import Request
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.rules import XRules
from bot.settings import Settings, load
from tests.helpers.digest_writer import tweeted

NO_WISHES = PublishOptions()
DAY = date(2026, 2, 28)
MORNING = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A wall clock that can be set, and a monotonic one that only grows."""

    def __init__(self) -> None:
        self.wall = MORNING
        self.seconds = 1000.0

    def __call__(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        assert not seconds or self.seconds + seconds > self.seconds, "waiting moves no clock"
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds


def paper(rank: int, day: date = DAY) -> Paper:
    number = f"{10_000 + rank + 100 * (day - DAY).days:05}"  # no two days have a paper in common
    return Paper(
        rank=rank,
        title=f"Learning & Unlearning, Part {rank}: <Why> It's Hard",
        authors=("Ada Lovelace", "Grace Hopper"),
        metrics=tweeted(5000 - rank, 60 + rank, MORNING - timedelta(hours=2)),
        arxiv_id=f"2602.{number}",
        abs_url=f"https://arxiv.org/abs/2602.{number}",
        categories=("cs.LG", "cs.AI"),
        abstract="We show one thing. It has consequences for others.",
    )


def digest(papers: int = 3, day: date = DAY, **fields: object) -> Digest:
    made = Digest(
        slug=f"hot-papers-{day}",
        title=f"Hot Papers {day}",
        day=day,
        last_day=day,
        published=MORNING - timedelta(hours=1),
        papers=tuple(paper(rank, day) for rank in range(1, papers + 1)),
        ranked_by="retweets and likes on Twitter",
        url=f"https://example.org/{day}",
    )
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


@dataclass
class FakeWorld:
    """Three simulated networks, the folder of one worker's ledger, and a clock.

    By default there are accounts on X and on Mastodon.
    """

    folder: Path
    clock: FakeClock
    sandbox: Sandbox
    x: XRules
    mastodon: MastodonRules
    sky: BlueskyRules
    events: list[Event] = field(default_factory=list)
    stop: bool = False
    history: bool = True

    def rules(self, network: Network) -> XRules | MastodonRules | BlueskyRules:
        each: Mapping[Network, XRules | MastodonRules | BlueskyRules] = {
            Network.TWITTER: self.x,
            Network.MASTODON: self.mastodon,
            Network.BLUESKY: self.sky,
        }
        return each[network]

    def variables(self, networks: Sequence[Network]) -> dict[str, str]:
        """The environment variables that set up an account on each of these networks."""
        found: dict[str, str] = {}
        for network in networks:
            found |= self._variables(network)
        return found

    def _variables(self, network: Network) -> dict[str, str]:
        url = self.sandbox.url(network.value)
        if network is Network.MASTODON:
            return {"MASTODON_API_BASE_URL": url, "MASTODON_ACCESS_TOKEN": self.mastodon.token}
        if network is Network.BLUESKY:
            return {
                "BLUESKY_HANDLE": self.sky.handle,
                "BLUESKY_APP_PASSWORD": self.sky.password,
                "BLUESKY_SERVICE_URL": url,
            }
        keys = self.x.keys
        return {
            "TWITTER_CONSUMER_KEY": keys.consumer_key,
            "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
            "TWITTER_ACCESS_TOKEN": keys.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": keys.access_token_secret,
            "TWITTER_API_URL": url,
        }

    def settings(self, networks: Sequence[Network] = (), **more: str) -> Settings:
        chosen = networks or (Network.TWITTER, Network.MASTODON)
        environ = {"BOT_HTTP_TIMEOUT": "30", "BOT_PAUSE": "0", "BOT_DIGESTS": "unused"}
        return load(environ | self.variables(chosen) | more, self.folder)

    def surroundings(self) -> RunTools:
        return RunTools(
            clock=self.clock,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
            stopping=lambda: self.stop,
            tell=self.events.append,
        )

    @contextmanager
    def service(self, settings: Settings) -> Iterator[Publisher]:
        self.add_history(settings)
        with Ledger.open(settings.database) as ledger:
            yield Publisher(settings, ledger, self.surroundings())

    def add_history(self, settings: Settings) -> None:
        """Let a new ledger know of an older post on X, unless a test is about new ledgers.

        A ledger that knows nothing of the account waits on X before its first post.
        """
        accounts = [each for each in settings.accounts if each.network is Network.TWITTER]
        if not self.history or not accounts or settings.database.exists():
            return
        with Ledger.open(settings.database) as ledger:
            for account in accounts:
                number = ledger.plan(_older_thread(account), self.clock()).number
                ledger.adopt(number, 0, "1", "", MORNING - timedelta(days=30))

    def post(
        self, source: Digest, settings: Settings, options: PublishOptions = NO_WISHES
    ) -> dict[Network, AccountResult]:
        """What `bot post` does, in this process."""
        with self.service(settings) as service:
            threads = plan.threads(settings, source, settings.accounts, None, service.ledger)
            reorder = partial(plan.in_order, settings, source)
            served = service.publish(source, threads, options, reorder)
        return {one.account.network: one for one in served}

    def post_until_done(
        self, source: Digest, settings: Settings, most: int = 30
    ) -> dict[Network, AccountResult]:
        """Run again at the time that the last run named, until nothing is put off."""
        for _ in range(most):
            served = self.post(source, settings)
            waiting = [one for one in served.values() if one.end == "later"]
            if not waiting:
                return served
            times = [one.until for one in waiting if one.until]
            later = max(times, default=self.clock.wall) - self.clock.wall
            self.clock.sleep(max(later.total_seconds(), 60.0))
        raise AssertionError(f"not done after {most} runs: {served}")

    def planned(self, source: Digest, settings: Settings) -> dict[Network, Thread]:
        threads = plan.threads(settings, source, settings.accounts)
        return {thread.account.network: thread for thread in threads}

    def live(self, network: Network) -> list[Stored]:
        own = self.rules(network).account
        return [post for post in self.rules(network).live() if post.author == own]


def _older_thread(account: Account) -> PlannedThread:
    return PlannedThread(
        account=account.name,
        network=account.network,
        digest="older",
        day=date(2026, 1, 1),
        generation=0,
        title="Older",
        published=MORNING - timedelta(days=31),
        fingerprint="",
        language="en",
        visibility="public",
        posts=(PlannedPost(0, "opening", "older", "Older", "Older"),),
    )


@contextmanager
def fake_world(
    folder: Path,
    x: XBehaviour | None = None,
    mastodon: MastodonBehaviour = MASTODON,
    sky: BlueskyBehaviour = BSKY_SOCIAL,
    clock: FakeClock | None = None,
) -> Iterator[FakeWorld]:
    clock = clock or FakeClock()
    rules = XRules(clock, x)
    server = MastodonRules(clock, mastodon)
    pds = BlueskyRules(clock, sky)
    each = {"twitter": rules, "mastodon": server, "bluesky": pds}
    with Sandbox(each, sleep=clock.sleep) as sandbox:
        yield FakeWorld(folder, clock, sandbox, rules, server, pds)


_MADE_BY = ("/2/tweets", "/api/v1/statuses", "/xrpc/com.atproto.repo.putRecord")


def is_publish(request: Request) -> bool:
    """Whether a request is one that makes a post."""
    return request.method == "POST" and request.path in _MADE_BY


def deleted_id(request: Request) -> str:
    """The last part of the id of the post that a request deletes; empty for any other request."""
    if request.method == "DELETE":
        return request.path.rpartition("/")[2]
    is_delete = request.path == "/xrpc/com.atproto.repo.deleteRecord"
    return str(json.loads(request.body)["rkey"]) if is_delete else ""


def check_safe(live: Sequence[Stored], thread: Thread) -> None:
    """What is there is the beginning of the thread: nothing twice, and all in its place."""
    wanted = [post.text for post in thread.posts]
    assert [post.text for post in live] == wanted[: len(live)]
    parents = [None, *(post.id for post in live[:-1])]
    assert [post.reply_to for post in live] == parents[: len(live)]


def check_once(live: Sequence[Stored], thread: Thread) -> None:
    """Every post of the thread is there once, in its words, under its right parent, in order."""
    wanted = [post.text for post in thread.posts]
    counted = Counter(post.text for post in live)
    doubled = {text.split("\n")[0]: n for text, n in counted.items() if n > 1}
    assert not doubled, f"doubled: {doubled}"
    lost = [text.split("\n")[0] for text in wanted if text not in counted]
    assert not lost, f"lost: {lost}"
    assert [post.text for post in live] == wanted, "out of order, or with other words"
    parents = [None, *(post.id for post in live[:-1])]
    assert [post.reply_to for post in live] == parents, "under a wrong parent"
