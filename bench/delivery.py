"""How long 24 posts take, next to a loop that only sends them: to X and Mastodon, and to Bluesky.

X and Mastodon are served side by side, as the budget has it, and Bluesky by itself.

`bot post` is a process of its own; so is the loop, which makes the very same requests: one
connection a network, kept, and for each reply the id out of the answer before it (on Bluesky the
addresses and hashes of parent and root). Both talk to stand-ins in this process that take 100 ms
for each answer. What is timed is from the arrival of the first post to that of the last.
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
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import ledger as million
from measure import SAMPLE, Figure, in_turn, show, waited

from bot.ledger.store import Ledger
from bot.sandbox.bluesky.rules import APP_PASSWORD, BlueskyRules
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Request
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from bot.sandbox.x.rules import XRules

LATENCY = 0.1
POSTS = 24
ROUNDS = 5
ROUNDS_OF_ROWS = 15
SPAN_BUDGET = 1.05
ROWS_BUDGET = 1.1
KNOWN_BUDGET, NEW_BUDGET = 27, 32
PATHS = {
    "twitter": "/2/tweets",
    "mastodon": "/api/v1/statuses",
    "bluesky": "/xrpc/com.atproto.repo.putRecord",
}
SIDE_BY_SIDE = ("twitter", "mastodon")
ALONE = ("bluesky",)
# What the loop must put the right id in, as X and as Mastodon are told it.
_PARENT = re.compile(rb'("in_reply_to(?:_tweet)?_id": ?")\d+')
_REF = re.compile(rb'"(root|parent)": ?\{"uri": ?"[^"]*", ?"cid": ?"[^"]*"\}')
_SLUG = re.compile(r'(?<=^slug: ")[\w-]+', re.MULTILINE)
_PAPER = re.compile(r"(?<=arxiv\.org/...)/\d{4}(?=\.)")
_PUBLISHED = re.compile(r"^date: \S+", re.MULTILINE)
_NUMBERS = count(1)


@dataclass
class Networks:
    """Stand-ins for the networks named, and when each post arrived."""

    names: Sequence[str]
    latency: float
    ports: Mapping[str, int]
    arrivals: list[tuple[RequestRecord, float]] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[Networks]:
        """Have them answer, from `with` to its end."""
        # The digests of all rounds have the same papers.
        self.x = XRules(_now, XBehaviour(duplicates=Duplicates.NONE))
        self.mastodon, self.sky = MastodonRules(_now), BlueskyRules(_now)
        every = {"twitter": self.x, "mastodon": self.mastodon, "bluesky": self.sky}
        rules = {name: every[name] for name in self.names}
        with Sandbox(rules, latency=self.latency, ports=self.ports) as self.sandbox:
            self.sandbox.decide(self._arrives)
            yield self

    def _arrives(self, record: RequestRecord) -> None:
        if record.path in PATHS.values():
            self.arrivals.append((record, time.perf_counter()))

    @property
    def environ(self) -> dict[str, str]:
        """The settings of an account on each."""
        found = {"BOT_PAUSE": "0s"}
        for name in self.names:
            found |= self._variables(name, self.sandbox.url(name))
        return found

    def _variables(self, name: str, url: str) -> dict[str, str]:
        if name == "mastodon":
            return {"MASTODON_API_BASE_URL": url, "MASTODON_ACCESS_TOKEN": self.mastodon.token}
        if name == "bluesky":
            return {
                "BLUESKY_HANDLE": self.sky.handle,
                "BLUESKY_APP_PASSWORD": APP_PASSWORD,
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

    def span(self) -> Span:
        """How long the posts took to arrive."""
        times = [arrived for _, arrived in self.arrivals]
        assert len(times) == len(self.names) * POSTS, f"{len(times)} posts"
        each = {
            network: [arrived for record, arrived in self.arrivals if record.network == network]
            for network in self.names
        }
        slower = max(max(times) - min(times) for times in each.values())
        return Span(max(times) - min(times), slower)


def free_ports() -> dict[str, int]:
    """A port for each network: to a ledger another address is another server."""
    with Sandbox({network: XRules(_now) for network in PATHS}) as sandbox:
        return {network: urlsplit(sandbox.url(network)).port or 0 for network in PATHS}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the first post to the last: of all networks, and of the slowest one alone."""

    both: float
    slower: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one delivery took; `whole` are the seconds of the process from start to end."""

    span: Span
    whole: float
    requests: Mapping[str, int]
    connections: int
    posts: Sequence[Request]


def deliver(
    latency: float,
    database: Path,
    ports: Mapping[str, int],
    names: Sequence[str] = SIDE_BY_SIDE,
) -> Delivery:
    """Have `bot post` deliver a digest that was not there before. Raises CalledProcessError."""
    folder = database.parent
    digest = folder / f"{next(_NUMBERS)}.md"
    digest.write_text(written(digest.stem), "utf-8")
    command: list[str | Path] = [sys.executable, "-m", "bot", "post", digest, "--top", "0"]
    with Networks(names, latency, ports).open() as at:
        environ = {**at.environ, "BOT_DATABASE": str(database), "HOME": str(folder)}
        run = partial(subprocess.run, command, cwd=folder, env=environ, capture_output=True)
        # a new ledger waits for BOT_SETTLE before its first post
        whole = waited(partial(run, check=True, timeout=300))
        return Delivery(
            span=at.span(),
            whole=whole,
            requests=Counter(record.network for record in at.sandbox.requests),
            connections=max(at.sandbox.connections(network) for network in names),
            posts=[record.request for record, _ in at.arrivals],
        )


def written(number: str) -> str:
    """The sample under another name and with other papers, published an hour ago."""
    year, month = divmod(int(number), 12)
    text = _SLUG.sub(rf"\g<0>-{number}", SAMPLE.read_text("utf-8"), count=1)
    text = _PAPER.sub(f"/{year + 10:02}{month + 1:02}", text)
    published = f"{_now() - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.Z"
    return _PUBLISHED.sub(f"date: {published}", text, count=1)


def loop(posts: Sequence[Request], folder: Path, names: Sequence[str]) -> Span:
    """Have the loop make these posts."""
    told = folder / "posts.json"
    told.write_text(json.dumps([[p.path, dict(p.headers), p.body.decode()] for p in posts]))
    with Networks(names, LATENCY, {}).open() as at:
        urls = [f"{PATHS[network]}={at.sandbox.url(network)}" for network in names]
        subprocess.run([sys.executable, __file__, "loop", told, *urls], check=True)
        return at.span()


def send(url: str, posts: Sequence[tuple[str, dict[str, str], str]]) -> None:
    """The loop itself: one network's posts, one after the other."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    parent, refs = b"", {b"root": b"", b"parent": b""}
    for path, headers, text in posts:
        body = _PARENT.sub(rb"\g<1>%b" % parent, text.encode())
        body = _REF.sub(partial(_in_place, refs), body)
        length = {"content-length": str(len(body)), "host": urlsplit(url).netloc}
        connection.request("POST", path, body, headers | length)
        answer = json.loads(connection.getresponse().read())
        if "uri" in answer and "cid" in answer:
            ref = json.dumps({"uri": answer["uri"], "cid": answer["cid"]}).encode()
            refs = {b"root": refs[b"root"] or ref, b"parent": ref}
        else:
            parent = str(answer.get("data", answer)["id"]).encode()


def _in_place(refs: Mapping[bytes, bytes], found: re.Match[bytes]) -> bytes:
    return b'"%b": %b' % (found[1], refs[found[1]])


def looping(path: str, *urls: str) -> None:
    """What the loop's process does."""
    every = json.loads(Path(path).read_text())
    told = [each.partition("=") for each in urls]
    each = [[post for post in every if post[0] == of] for of, _, _ in told]
    with ThreadPoolExecutor(len(urls)) as pool:
        list(pool.map(send, [url for _, _, url in told], each))


def figures() -> Iterator[Figure]:
    """Give the spans as ratios, what they were made of, and what a million rows add."""
    new, known, loops = rounds(SIDE_BY_SIDE)
    yield ratio(
        f"{POSTS} posts each to X and Mastodon / a loop of them",
        [each.span.both for each in known],
        [each.both for each in loops],
    )
    yield ratio(
        "the same, of the slower network alone",
        [each.span.slower for each in known],
        [each.slower for each in loops],
    )
    yield from counted(known, new)
    new, known, loops = rounds(ALONE)
    yield ratio(
        f"{POSTS} posts to Bluesky / a loop of them",
        [each.span.both for each in known],
        [each.both for each in loops],
    )
    yield from counted(known, new, "requests to Bluesky", "connections to Bluesky")
    yield from rows()


def rounds(names: Sequence[str]) -> tuple[Delivery, list[Delivery], list[Span]]:
    """Deliver with a new ledger, and then with its history, each time next to a loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        once = partial(deliver, LATENCY, folder / "known.db", free_ports(), names)
        new = once()
        known: list[Delivery] = []
        loops: list[Span] = []
        for _ in range(ROUNDS):
            known.append(once())
            loops.append(loop(known[-1].posts, folder, names))
    return new, known, loops


def ratio(name: str, spans: Sequence[float], least: Sequence[float]) -> Figure:
    """Compare the two within each round."""
    note = (
        f"first post to last {min(spans):.2f} to {max(spans):.2f} s, the loop {min(least):.2f} to "
        f"{max(least):.2f} s, {LATENCY * 1000:.0f} ms an answer"
    )
    ratios = [span / of for span, of in zip(spans, least, strict=True)]
    return Figure(name, ratios, "x", SPAN_BUDGET, note)


def counted(
    known: Sequence[Delivery],
    new: Delivery,
    requests_to: str = "requests a network",
    connections_to: str = "connections a network",
) -> Iterator[Figure]:
    """Give requests and connections, of the network that has more."""
    requests = [max(each.requests.values()) for each in known]
    yield Figure(f"{requests_to}, a ledger with history", requests, "", KNOWN_BUDGET)
    note = ", ".join(f"{network} {number}" for network, number in sorted(new.requests.items()))
    yield Figure(f"{requests_to}, a new ledger", [max(new.requests.values())], "", NEW_BUDGET, note)
    connections = [each.connections for each in (new, *known)]
    yield Figure(connections_to, connections, "", 1)


def rows() -> Iterator[Figure]:
    """Give what a million rows in the ledger add to a whole delivery, at no latency."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        full, empty = folder / "full.db", folder / "empty.db"
        Ledger.open(full).close()
        many = million.fill(full)
        once = partial(deliver, 0, ports=free_ports())
        for database in (full, empty):
            once(database)
        spent = in_turn(
            ROUNDS_OF_ROWS,
            lambda: once(full).whole,
            lambda: once(empty).whole,
        )
    spans = [f"{min(each):.2f} to {max(each):.2f} s" for each in zip(*spent, strict=True)]
    yield Figure(
        f"a delivery with {many:,} rows in the ledger / with next to none",
        [more / none for more, none in spent],
        "x",
        ROWS_BUDGET,
        f"bot post of {POSTS} posts from start to end {spans[0]}, {spans[1]}; no latency",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["loop"]:
        looping(*sys.argv[2:])
    else:
        show(figures())
