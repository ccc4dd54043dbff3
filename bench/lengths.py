"""What measuring the length of a post costs, on each network.

The posts are those of the samples' threads, and as many again made of invented titles and names,
half of them with accents, dashes, emoji or CJK.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median

from measure import SAMPLES, Figure, in_turn, show, worked

from bot import plan
from bot.digests.parse import parse
from bot.formatter.limits import length
from bot.settings import load

ROUNDS = 15
REPEAT = 20
BUDGET = 100.0
WORDS = (
    "learning sparse attention for tabular graphs with a few labels and no teacher beyond "
    "scaling laws robust diffusion of tokens in closed form under drift models revisited"
)
NAMES = ("Ada Quill", "Jan Oster", "Mei Lin", "Tom Varga", "Rosa Feld", "Ivo Brandt")
ODD_NAMES = ("Jörg Größe", "Łucja Żak", "Núria Peñá", "李 明", "Zoë Öst")
ODD_WORDS = "naïve — “seen” χ² 📈 👩🏽‍🚀 …"


def figures() -> Iterator[Figure]:
    """Give the mean microseconds of one post, and in the note those of the slowest."""
    with tempfile.TemporaryDirectory() as empty:
        settings = load({}, Path(empty))
    digests = [parse(path.read_bytes(), path.name)[0] for path in sorted(SAMPLES.glob("*.md"))]
    for account in settings.defaults:
        threads = [plan.threads(settings, digest, [account], top=0)[0] for digest in digests]
        posts = [post.text for thread in threads for post in thread.posts]
        yield of_network(account.network, partial(length, account.network), posts)


def of_network(name: str, measure: Callable[[str], int], real: Sequence[str]) -> Figure:
    """Measure the posts of one network, in each round every post some times on end."""
    seed = random.Random(7)  # noqa: S311 - the same posts each time, nothing secret
    posts = [*real, *(invented(seed) for _ in real)]

    def cost(post: str) -> float:
        return 1e6 / REPEAT * worked(lambda: [measure(post) for _ in range(REPEAT)])

    rounds = in_turn(ROUNDS, *(partial(cost, post) for post in posts))
    slowest = max(map(median, zip(*rounds, strict=True)))
    note = f"the mean of {len(posts)} posts; the slowest takes {slowest:.0f} us"
    return Figure(f"the length of a post, {name}", list(map(fmean, rounds)), "us", BUDGET, note)


def invented(seed: random.Random) -> str:
    """Make a post of the length an account would send, with a link at its end."""
    odd = seed.random() < 0.5
    words = seed.choices(f"{WORDS} {ODD_WORDS if odd else ''}".split(), k=seed.randint(8, 20))
    names = seed.choices(NAMES + (ODD_NAMES if odd else ()), k=seed.randint(1, 4))
    shares = f"{seed.randint(1, 9999):,} retweets, {seed.randint(1, 9999):,} likes"
    link = f"https://arxiv.org/abs/{seed.randint(1000, 2612)}.{seed.randint(0, 99999):05}"
    lines = (f"{seed.randint(1, 30)}. {' '.join(words)}", ", ".join(names), shares, link)
    return "\n".join(lines)


if __name__ == "__main__":
    show(figures())
