"""Finding the latest of 10,000 digests in a folder, next to listing the folder and one parse."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from measure import SAMPLE, Figure, in_turn, show, worked

from bot import plan
from bot.digests.parse import parse
from bot.digests.result import SourceOutcome
from bot.settings import load

FILES = 10_000
ROUNDS = 25


def figures() -> Iterator[Figure]:
    """Give the time as a share of what two sorted listings and one parse take."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        newest = fill(Path(folder))
        settings = load({"BOT_DIGESTS": folder}, Path(empty))
        reading = plan.source(settings).latest()
        assert (reading.outcome, reading.source) == (SourceOutcome.FOUND, str(newest))
        rounds = in_turn(
            ROUNDS,
            partial(worked, lambda: plan.source(settings).latest()),
            partial(worked, partial(listing, folder)),
            partial(worked, lambda: parse(newest.read_bytes(), newest.name)),
        )
    found, scan, one = (f"{median(column) * 1000:.1f} ms" for column in zip(*rounds, strict=True))
    yield Figure(
        "the latest of 10,000 files / (2 sorted scandir + a parse)",
        [found / (2 * scan + one) for found, scan, one in rounds],
        "x",
        1.0,
        f"{found} / (2 x {scan} + {one})",
    )


def listing(folder: str) -> list[str]:
    """List a folder's names, in order."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def fill(folder: Path) -> Path:
    """Put a digest a day into the folder, back from the sample's own day; give the newest."""
    day = date.fromisoformat(SAMPLE.name[:10])
    newest = folder / SAMPLE.name
    newest.write_bytes(SAMPLE.read_bytes())
    for back in range(1, FILES):
        # The same file by other names: only the names of the others may matter.
        (folder / f"{day - timedelta(back)}---Hot-Papers.md").hardlink_to(newest)
    return newest


if __name__ == "__main__":
    show(figures())
