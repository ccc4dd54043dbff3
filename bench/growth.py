"""Whether a digest of 10 or 100 times as many papers costs 10 or 100 times as much, and no more.

Each size is read and formatted for X and Mastodon as often as makes up the same number of papers.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measure import SAMPLE, SAMPLE_PAPERS, Figure, in_turn, show, worked

from bot import plan
from bot.digests.parse import parse
from bot.model import Network
from bot.settings import load

LARGEST = 100
ROUNDS = 5
# Time per paper may vary by as much as this before it counts as more than linear.
BUDGET = 1.2

_ID = re.compile(r"(?<=arxiv\.org/(?:abs|pdf)/)[0-9]{4}\.[0-9]{5}")


def figures() -> Iterator[Figure]:
    """Give the time per paper of a digest, as a multiple of that of one a tenth as large."""
    text = SAMPLE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as empty:
        settings = load({}, Path(empty))

    def work(digest_text: bytes, times: int) -> None:
        for _ in range(times):
            digest, _ = parse(digest_text, "digest")
            plan.threads(settings, digest, accounts, top=0)

    accounts = [account for account in settings.defaults if account.network is not Network.BLUESKY]
    jobs = [
        partial(worked, partial(work, larger(text, size).encode(), LARGEST // size))
        for size in (1, 10, LARGEST)
    ]
    rounds = in_turn(ROUNDS, *jobs)
    for column, size in ((1, 10), (2, LARGEST)):
        # Next to 1 x, what a digest costs besides its papers would hide how 100 x grows.
        values = [times[column] / times[column - 1] for times in rounds]
        name = f"time per paper, {SAMPLE_PAPERS * size} papers / {SAMPLE_PAPERS * size // 10}"
        yield Figure(name, values, "x", BUDGET)


def larger(text: str, size: int) -> str:
    """Repeat the papers of a digest `size` times, each with a rank and an arXiv id of its own."""
    front, *papers = re.split(r"(?m)^# [0-9]+\. ", text)
    numbered = (
        f"# {number}. " + _ID.sub(f"2106.{number:05}", paper)
        for number, paper in enumerate(papers * size, 1)
    )
    return front + "".join(numbered)


if __name__ == "__main__":
    show(figures())
