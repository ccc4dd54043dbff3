"""What measuring a post costs: microseconds a post, the median over some thousand of them.

    python bench/lengths.py

The posts are made of invented titles and names, half of them with accents, dashes, emoji or CJK.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bot.formatter.limits import bluesky_length, mastodon_length, twitter_length

POSTS = 3000
WORDS = (
    "learning sparse attention for tabular graphs with a few labels and no teacher beyond "
    "scaling laws robust diffusion of tokens in closed form under drift models revisited"
)
NAMES = ("Ada Quill", "Jan Oster", "Mei Lin", "Tom Varga", "Rosa Feld", "Ivo Brandt")
ODD_NAMES = ("Jörg Größe", "Łucja Żak", "Núria Peñá", "李 明", "Zoë Öst")
ODD_WORDS = "naïve — “seen” χ² 📈 👩🏽‍🚀 …"


def make(seed: random.Random) -> str:
    """Return a post of the length an account would send, with a link at its end."""
    odd = seed.random() < 0.5
    words = seed.choices(f"{WORDS} {ODD_WORDS if odd else ''}".split(), k=seed.randint(8, 20))
    names = seed.choices(NAMES + (ODD_NAMES if odd else ()), k=seed.randint(1, 4))
    shares = f"{seed.randint(1, 9999):,} retweets, {seed.randint(1, 9999):,} likes"
    link = f"https://arxiv.org/abs/{seed.randint(1000, 2612)}.{seed.randint(0, 99999):05}"
    lines = (f"{seed.randint(1, 30)}. {' '.join(words)}", ", ".join(names), shares, link)
    return "\n".join(lines)


def cost(measure: Callable[[str], int], posts: list[str]) -> float:
    """Return the median microseconds of one measurement."""
    times = []
    for post in posts:
        start = time.perf_counter_ns()
        measure(post)
        times.append(time.perf_counter_ns() - start)
    return median(times) / 1000


def main() -> None:
    """Print one line; the first, slow measurement of each network is not counted."""
    seed = random.Random(7)  # noqa: S311 - the same posts each time, nothing secret
    posts = [make(seed) for _ in range(POSTS)]
    figures = []
    for name, measure in (
        ("twitter", twitter_length),
        ("mastodon", mastodon_length),
        ("bluesky", bluesky_length),
    ):
        measure(posts[0])
        figures.append(f"{name} {cost(measure, posts):.1f} us")
    print(f"lengths: {', '.join(figures)} a post")


if __name__ == "__main__":
    main()
