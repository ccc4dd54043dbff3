"""How far a reader follows one reply: the calls, files and hops from one send to the next.

A thread of eight posts is delivered in this process to each network's stand-in, without waits.
Counted are the calls of Python functions of `bot` between the fifth post's request and the sixth's.
A hop is a call in another file than the call before it. The notes name the files in their order.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import FrameType

from delivery import Networks
from measure import SAMPLE, Figure, show

import bot
from bot import plan
from bot.delivery.accounts import Publisher
from bot.delivery.publish import PublishOptions
from bot.delivery.types import RunTools
from bot.digests.parse import parse
from bot.ledger.store import Ledger
from bot.settings import load

PAPERS = 6
FROM = 5
MOST_CALLS, MOST_FILES, MOST_HOPS = 192, 12, 50
ROOM = str(Path(bot.__file__).parent)


class Calls:
    """The calls into `bot` of the thread that publishes."""

    def __init__(self) -> None:
        self.files: dict[int, list[str]] = defaultdict(list)
        self.sends: list[tuple[int, int]] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Note a call: the signature is that of a profiler."""
        del argument
        code, thread = frame.f_code, threading.get_ident()
        if event != "call" or not code.co_filename.startswith(ROOM) or code.co_name[0] == "<":
            return
        name = code.co_filename.removeprefix(f"{ROOM}/")
        if code.co_name == "publish" and name.startswith("posters/"):
            self.sends.append((thread, len(self.files[thread])))
        self.files[thread].append(name)

    def between(self) -> list[str]:
        """Return the file of each call from one send to the next."""
        (thread, begin), (_, end) = self.sends[FROM - 1 : FROM + 1]
        return self.files[thread][begin:end]


def follow(network: str) -> list[str]:
    """Deliver a thread to `network`, and return the file of each call from a send to the next."""
    calls = Calls()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        at = stack.enter_context(Networks([network], 0, {}).open())
        settings = load({**at.environ, "BOT_SETTLE": "0s"}, folder)
        ledger = stack.enter_context(Ledger.open(folder / "bot.db"))
        digest, _ = parse(SAMPLE.read_bytes(), SAMPLE.name)
        digest = replace(digest, papers=digest.papers[:PAPERS])
        tools = RunTools(
            clock=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            sleep=time.sleep,
            stopping=lambda: False,
            tell=lambda _: None,
        )
        threads = plan.threads(settings, digest, settings.accounts)
        threading.setprofile(calls)
        try:
            (result,) = Publisher(settings, ledger, tools).publish(
                digest, threads, PublishOptions(unsent=True)
            )
        finally:
            threading.setprofile(None)
        assert len(calls.sends) == PAPERS + 1, result.reason
    return calls.between()


def figures() -> Iterator[Figure]:
    """Give calls, files and hops for each network."""
    for network in ("twitter", "mastodon", "bluesky"):
        files = follow(network)
        hops = sum(one != other for one, other in pairwise(files))
        order = ", ".join(dict.fromkeys(files))
        yield Figure(
            f"{network}: calls from a reply's send to the next", [len(files)], "", MOST_CALLS
        )
        yield Figure(f"{network}: files", [len(set(files))], "", MOST_FILES, order)
        yield Figure(f"{network}: hops between files", [hops], "", MOST_HOPS)


if __name__ == "__main__":
    show(figures())
