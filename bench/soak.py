"""Whether the worker needs more the longer it runs: some minutes with a digest every few seconds.

The worker is a process of its own, put together as `bot run` puts it together, with all that it may
have: accounts on X and Mastodon, the server on PORT, a heartbeat. Cron's finest step is a minute,
so its timer is given one more rhythm, of seconds. Some posts' answers are dropped on the way.

    bench/run soak               4 minutes, a digest every 3 seconds
    python bench/soak.py 20 1    20 minutes, every second, where bot is installed
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import linear_regression

from delivery import Networks, written
from measure import Figure, show
from rest import Running, environ, running

from bot.sandbox import faults
from bot.sandbox.faults import Commit, Fault, server_error
from bot.sandbox.mastodon.behaviour import MASTODON, MastodonLimits
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.x.behaviour import XBehaviour, XLimits
from bot.sandbox.x.rules import XRules

NETWORKS = ("twitter", "mastodon")
MINUTES = 4.0
EVERY = 3.0
PAPERS = 2
POSTS = PAPERS + 2  # an opening and a closing
MOST_GROWTH_MIB = 1.0
LONGEST_DELIVERY = 60.0
_MANY = 10**9
_FIRST_DAY = date(2021, 6, 22)
_ONE_IN = 25
_HEADING = re.compile(r"^# \d+\. ", re.MULTILINE)
_LOST = (faults.CLOSED_AFTER, faults.CLOSED_BEFORE, server_error(502, Commit.NOW))


# The worker --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beat:
    """A rhythm of seconds, for the timer."""

    step: timedelta

    def after(self, moment: datetime) -> datetime:
        """Return the next multiple of the step after `moment`."""
        begin = datetime(2000, 1, 1, tzinfo=UTC)
        return begin + ((moment - begin) // self.step + 1) * self.step


def work(every: str) -> None:
    """What the worker's process does: as `bot run`, and with a beat."""
    from bot.scheduler.run_once import EVERYBODY
    from bot.scheduler.start import started
    from bot.settings import load

    settings = load(os.environ, Path.cwd())
    with started(settings, settings.accounts, os.environ, sys.stdout) as worker:
        worker.timer.every(Beat(timedelta(seconds=float(every))), frozenset({EVERYBODY}))
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run()


# What is around it -------------------------------------------------------------------------------


@contextmanager
def networks() -> Iterator[Networks]:
    """Open stand-ins without limits, which lose the answer to one post in 25, or the post."""
    at = Networks(NETWORKS, 0, {})
    at.x = XRules(_now, XBehaviour(limits=XLimits(_MANY, _MANY, _MANY, _MANY, _MANY)))
    most = MastodonLimits(_MANY, _MANY, _MANY)
    at.mastodon = MastodonRules(_now, replace(MASTODON, limits=most))
    with Sandbox({"twitter": at.x, "mastodon": at.mastodon}) as at.sandbox:
        at.sandbox.decide(_loses)
        yield at


def _loses(record: RequestRecord) -> Fault | None:
    if record.method != "POST" or record.number % _ONE_IN:
        return None
    return _LOST[record.number // _ONE_IN % len(_LOST)]


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def pulse() -> Iterator[tuple[str, Counter[str]]]:
    """Open an address for heartbeats, and count them by path."""
    beats: Counter[str] = Counter()

    class Counts(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            beats[self.path] += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Counts) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ping", beats
        server.shutdown()


# The soak ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """What the worker has while it waits, after so many digests."""

    digests: int
    mib: float
    handles: int
    threads: int


@dataclass
class Soak:
    """A worker that is kept busy; `samples` is what it had."""

    worker: Running
    at: Networks
    posts: Path
    port: str
    every: float
    samples: list[Sample] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Publish a digest, wait for its posts, look; again and again. Raises RuntimeError."""
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            number += 1
            self._publish(number)
            self._wait(number)
            for page in ("healthz", "metrics"):
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{page}") as answer:
                    answer.read()
            time.sleep(self.every / 2)  # until the pass is over, and its threads
            worker = self.worker
            one = Sample(number, worker.resident(), worker.handles(), worker.threads())
            self.samples.append(one)

    def _publish(self, number: int) -> None:
        day = (_FIRST_DAY + timedelta(days=number)).isoformat()
        text = written(str(number)).replace(_FIRST_DAY.isoformat(), day)
        text = _HEADING.sub(rf"\g<0>{number}: ", text)  # no post has the text of another
        written_here = self.posts / "new"
        written_here.write_text(text, "utf-8")
        written_here.rename(self.posts / f"{day}---Hot-Papers.md")

    def _wait(self, number: int) -> None:
        end = time.monotonic() + LONGEST_DELIVERY
        while any(len(self.live(network)) < number * POSTS for network in NETWORKS):
            if time.monotonic() > end:
                raise RuntimeError(self.worker.log.read_text("utf-8")[-3000:])
            time.sleep(0.05)

    def live(self, network: str) -> Sequence[str]:
        """Give the texts of all posts that are on a network."""
        rules = self.at.x if network == "twitter" else self.at.mastodon
        with self.at.sandbox.lock:
            return [post.text for post in rules.live()]


def figures(minutes: float = MINUTES, every: float = EVERY) -> Iterator[Figure]:
    """Give what the worker had in the second half, against the first. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as name, networks() as at, pulse() as (url, beats):
        folder = Path(name)
        settings = {**environ(at, folder / "posts"), "BOT_TOP": str(PAPERS)}
        settings |= {"BOT_HEARTBEAT_URL": url, "BOT_SETTLE": "1s", "BOT_RETRY_WAIT": "0.1s"}
        command = (sys.executable, str(Path(__file__).resolve()), "work", str(every))
        with running(command, folder / "worker", settings) as worker:
            worker.first_pass()
            soak = Soak(worker, at, folder / "posts", settings["PORT"], every)
            soak.run(minutes * 60)
            passes = worker.lines("pass.ended")
        texts = {network: soak.live(network) for network in NETWORKS}
    yield from flat(soak.samples)
    sent = len(soak.samples) * POSTS
    print(
        f"    {len(soak.samples)} digests, {sent} posts each on X and Mastodon, of them lost "
        f"{sum(sent - len(set(each)) for each in texts.values())}, doubled "
        f"{sum(len(each) - len(set(each)) for each in texts.values())}; {len(passes)} passes, "
        f"{beats['/ping']} heartbeats, {sum(not each['good'] for each in passes)} bad"
    )


def flat(samples: Sequence[Sample]) -> Iterator[Figure]:
    """Give growth within the second half, and the most handles and threads against the first."""
    half = len(samples) // 2
    first, second = samples[:half], samples[half:]
    slope, _ = linear_regression([one.digests for one in second], [one.mib for one in second])
    ends = ", ".join(f"{one.mib:.1f}" for one in (samples[0], second[0], second[-1]))
    yield Figure(
        "worker kept busy, growth in the second half",
        [slope * len(second)],
        "MiB",
        MOST_GROWTH_MIB,
        f"resident at first, after half, at last: {ends} MiB; {slope * 1024:.1f} KiB a digest",
    )
    for name, values, before in (
        ("open files", [one.handles for one in second], max(one.handles for one in first)),
        ("threads", [one.threads for one in second], max(one.threads for one in first)),
    ):
        note = f"the most in the first half: {before}"
        yield Figure(f"worker kept busy, {name} in the second half", values, "", before, note)


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2])
    else:
        show(figures(*map(float, sys.argv[1:])))
