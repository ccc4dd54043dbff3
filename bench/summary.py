"""How often the program chooses the sentence of an abstract that a person chose.

It needs the corpus of real digests beside the checkout, and says so where it is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BUDGET = 15.0


def figures() -> Iterator[Figure]:
    """Give the share of the choices that differ."""
    from tests.helpers.summary_choices import CHOICES, CORPUS, agreement

    if not CORPUS.is_dir():
        sys.exit("the corpus of real digests is not beside this checkout")
    share, wrong = agreement()
    note = f"{len(CHOICES.split()) // 2} abstracts; they differ on {', '.join(wrong)}"
    yield Figure("sentences that a person would not choose", [100 * (1 - share)], "%", BUDGET, note)


if __name__ == "__main__":
    show(figures())
