"""How long 24 posts to X and to Mastodon take side by side, next to a loop that only sends them.

`bot post` is a process of its own; so is the loop, which makes the very same requests: one
connection a network, kept, and for each reply the id out of the answer before it. Both talk to
stand-ins in this process that take 100 ms for each answer. What is timed is from the arrival of the
first post to that of the last, whichever network they are for.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import ledger as million
from measure import SAMPLE, Figure, in_turn, show

from bot.sandbox.mastodon import MastodonRules
from bot.sandbox.mastodon_behaviour import MastodonBehaviour, MastodonLimits
from bot.sandbox.script import Record
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Request
from bot.sandbox.x import XRules
from bot.sandbox.x_behaviour import XBehaviour, XLimits

LATENCY = 0.1
POSTS = 24
ROUNDS = 5
ROUNDS_OF_ROWS = 15
SPAN_BUDGET = 1.05
ROWS_BUDGET = 1.1
KNOWN_BUDGET, NEW_BUDGET = 27, 29
MANY = 1_000_000
# What the loop must put the right id in, as X and as Mastodon are told it.
_PARENT = re.compile(rb'(?<="in_reply_to_tweet_id": ")\d+|(?<="in_reply_to_tweet_id":")\d+')
_FORM_PARENT = re.compile(rb"(?<=in_reply_to_id=)\d+")
_DAY = re.compile(r"2021-06-22")
_DAYS = count(1)


@dataclass
class Networks:
    """Two stand-ins, and when each request arrived."""

    latency: float
    arrivals: list[tuple[Record, float]] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[Networks]:
        """Have them answer, from `with` to its end; none of them ever has had enough."""
        much = 1_000_000
        x = XBehaviour(limits=XLimits(create=much, timeline=much))
        limits = MastodonLimits(requests=much, statuses=much)
        self.x = XRules(_now, x)
        self.mastodon = MastodonRules(_now, MastodonBehaviour(limits=limits))
        rules = {"twitter": self.x, "mastodon": self.mastodon}
        with Sandbox(rules, latency=self.latency) as self.sandbox:
            self.sandbox.decide(self._arrives)
            yield self

    def _arrives(self, record: Record) -> None:
        self.arrivals.append((record, time.perf_counter()))

    @property
    def environ(self) -> dict[str, str]:
        """The settings of an account on each."""
        keys = self.x.keys
        return {
            "TWITTER_CONSUMER_KEY": keys.consumer_key,
            "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
            "TWITTER_ACCESS_TOKEN": keys.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": keys.access_token_secret,
            "TWITTER_API_URL": self.sandbox.url("twitter"),
            "MASTODON_API_BASE_URL": self.sandbox.url("mastodon"),
            "MASTODON_ACCESS_TOKEN": self.mastodon.token,
            "BOT_PAUSE": "0s",
        }

    @property
    def posts(self) -> list[tuple[Record, float]]:
        """The posts that arrived, and when."""
        return [(each, at) for each, at in self.arrivals if each.method == "POST"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one delivery took: seconds from first post to last, and of the whole process."""

    span: float
    whole: float
    requests: Mapping[str, int]
    connections: Mapping[str, int]
    posts: Sequence[Request]


def deliver(at: Networks, folder: Path, database: Path) -> Delivery:
    """Have `bot post` deliver a digest that was not there before. Raises CalledProcessError."""
    day = date(2021, 6, 22) + timedelta(days=next(_DAYS))
    digest = folder / f"{day}.md"
    digest.write_text(_DAY.sub(str(day), SAMPLE.read_text("utf-8")), "utf-8")
    environ = {**at.environ, "BOT_DATABASE": str(database), "HOME": str(folder)}
    command = [sys.executable, "-m", "bot", "post", digest, "--top", "0"]
    before = {network: at.sandbox.connections(network) for network in ("twitter", "mastodon")}
    at.arrivals.clear()
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True)
    whole = time.perf_counter() - begun
    times = [arrived for _, arrived in at.posts]
    assert len(times) == 2 * POSTS, f"{len(times)} posts"
    return Delivery(
        span=max(times) - min(times),
        whole=whole,
        requests=Counter(record.network for record, _ in at.arrivals),
        connections={n: at.sandbox.connections(n) - most for n, most in before.items()},
        posts=[record.request for record, _ in at.posts],
    )


def loop(at: Networks, posts: Sequence[Request], folder: Path) -> float:
    """Have the loop make these posts; its seconds from first to last."""
    told = folder / "posts.json"
    told.write_text(json.dumps([[p.path, dict(p.headers), p.body.decode()] for p in posts]))
    at.arrivals.clear()
    urls = [at.sandbox.url("twitter"), at.sandbox.url("mastodon")]
    subprocess.run([sys.executable, __file__, "loop", told, *urls], check=True)
    times = [arrived for _, arrived in at.posts]
    assert len(times) == len(posts)
    return max(times) - min(times)


def send(url: str, posts: Sequence[tuple[str, dict[str, str], str]]) -> None:
    """The loop itself: one network's posts, one after the other."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    parent = b""
    for path, headers, text in posts:
        body = _FORM_PARENT.sub(parent, _PARENT.sub(parent, text.encode()))
        length = {"content-length": str(len(body)), "host": urlsplit(url).netloc}
        connection.request("POST", path, body, headers | length)
        answer = json.loads(connection.getresponse().read())
        parent = str(answer.get("data", answer)["id"]).encode()


def looping(path: str, *urls: str) -> None:
    """What the loop's process does."""
    every = json.loads(Path(path).read_text())
    each = [[post for post in every if post[0] == of] for of in ("/2/tweets", "/api/v1/statuses")]
    with ThreadPoolExecutor(len(urls)) as pool:
        list(pool.map(send, urls, each))


def figures() -> Iterator[Figure]:
    """Give the spans as a ratio, what they were made of, and what a million rows add."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        ours = opened.enter_context(Networks(LATENCY).open())
        bare = opened.enter_context(Networks(LATENCY).open())
        database = folder / "known.db"
        new = deliver(ours, folder, database)
        known: list[Delivery] = []

        def once() -> float:
            known.append(deliver(ours, folder, database))
            return known[-1].span

        rounds = in_turn(ROUNDS, once, lambda: loop(bare, known[-1].posts, folder))
    spans = [f"{min(each):.2f} to {max(each):.2f} s" for each in zip(*rounds, strict=True)]
    yield Figure(
        f"{POSTS} posts to X and Mastodon / a loop of the same requests",
        [span / least for span, least in rounds],
        "x",
        SPAN_BUDGET,
        f"first post to last {spans[0]}, the loop {spans[1]}, {LATENCY * 1000:.0f} ms an answer",
    )
    yield from counted(known, new)
    yield from rows()


def counted(known: Sequence[Delivery], new: Delivery) -> Iterator[Figure]:
    """Give requests and connections, of the network that has more."""
    requests = [max(each.requests.values()) for each in known]
    yield Figure("requests a network, a ledger with history", requests, "", KNOWN_BUDGET)
    note = ", ".join(f"{network} {number}" for network, number in sorted(new.requests.items()))
    yield Figure(
        "requests a network, a new ledger", [max(new.requests.values())], "", NEW_BUDGET, note
    )
    connections = [max(each.connections.values()) for each in (new, *known)]
    yield Figure("connections a network", connections, "", 1)


def rows() -> Iterator[Figure]:
    """Give what a million rows in the ledger add to a whole delivery, at no latency."""
    with tempfile.TemporaryDirectory() as name, Networks(0).open() as at:
        folder = Path(name)
        full, empty = folder / "full.db", folder / "empty.db"
        million.Ledger.open(full).close()
        many = million.fill(full)
        for database in (full, empty):
            deliver(at, folder, database)
        rounds = in_turn(
            ROUNDS_OF_ROWS,
            lambda: deliver(at, folder, full).whole,
            lambda: deliver(at, folder, empty).whole,
        )
    spans = [f"{min(each):.2f} to {max(each):.2f} s" for each in zip(*rounds, strict=True)]
    yield Figure(
        f"a delivery with {many:,} rows in the ledger / with next to none",
        [more / none for more, none in rounds],
        "x",
        ROWS_BUDGET,
        f"bot post of {POSTS} posts from start to end {spans[0]}, {spans[1]}; no latency",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        looping(*sys.argv[2:])
    else:
        show(figures())
