"""How long reading and formatting a year and a half of digests takes, for X and Mastodon.

The publisher's 294 digests hold 3,347 papers. The digests at hand (the corpus where it is beside
the checkout, else the samples) are taken in turn, again and again, until that many papers are done.
Each round is a process of its own, from its start to its end, so that it pays for imports and for
everything that is made at first use.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

from measure import CORPUS, SAMPLES, Figure, in_turn, show, waited, worked

PAPERS = 3_347
ROUNDS = 5
BUDGET = 2.0


def figures() -> Iterator[Figure]:
    """Give the processor time of a whole process, and in the note how long it took."""
    command = [sys.executable, __file__, "once"]
    run = partial(subprocess.run, command, stdout=subprocess.PIPE, text=True, check=True)
    done = run().stdout.strip()
    took: list[float] = []
    rounds = in_turn(ROUNDS, lambda: worked(lambda: took.append(waited(run))))
    yield Figure(
        "reading and formatting 3,347 papers, two networks",
        [cost for (cost,) in rounds],
        "s",
        BUDGET,
        f"{done}; took {min(took):.1f} to {max(took):.1f} s",
    )


def once() -> None:
    """Read and format the papers, and say of how many digests they are."""
    from bot import plan
    from bot.digests.parse import parse
    from bot.model import Network
    from bot.settings import load

    with tempfile.TemporaryDirectory() as empty:
        settings = load({}, Path(empty))
    accounts = [account for account in settings.defaults if account.network is not Network.BLUESKY]
    files = sorted(CORPUS.glob("*/*.md")) or sorted(SAMPLES.glob("*.md"))
    papers = digests = posts = 0
    for path in cycle(files):
        digest, _ = parse(path.read_bytes(), path.name)
        posts += sum(len(t.posts) for t in plan.threads(settings, digest, accounts, top=0))
        papers += len(digest.papers)
        digests += 1
        if papers >= PAPERS:
            break
    kind = "real digests" if CORPUS.is_dir() else "samples"
    print(f"{posts} posts of {papers} papers in {digests} digests, {len(files)} {kind} in turn")


if __name__ == "__main__":
    if sys.argv[1:] == ["once"]:
        once()
    else:
        show(figures())
