"""What the parts of the bench share: measuring in turn, and one line a figure.

A part is a file beside this one that yields figures and passes them to `show`; `bench/run` runs it
in a process of its own. Run by itself, this file prints the heading.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "bot" / "samples"
SAMPLE = SAMPLES / "2021-06-22---Hot-Papers.md"
SAMPLE_PAPERS = 22
CORPUS = ROOT.parent / "shared" / "corpus"
VENVS = Path(sys.prefix).parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what was measured in each round, in `unit`, and the most it may be."""

    name: str
    values: Sequence[float]
    unit: str
    budget: float
    note: str = ""

    def verdict(self) -> str:
        """Whether the median keeps the budget, and if not by how much it is over."""
        over = median(self.values) / self.budget - 1
        return "ok" if over <= 0 else f"over by {over:.0%}"


def in_turn(rounds: int, *jobs: Callable[[], float]) -> list[tuple[float, ...]]:
    """Call the jobs one after the other, `rounds` times, after one round that is not counted.

    Each job gives what it cost. What slows the machine for a while slows all jobs of a round, so
    that their ratio stays the same.
    """
    for job in jobs:
        job()
    return [tuple(job() for job in jobs) for _ in range(rounds)]


def waited(job: Callable[[], object]) -> float:
    """The seconds that pass until the job is done."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def worked(job: Callable[[], object]) -> float:
    """The seconds of processor time that this process, and those it waits for, spend on the job.

    Where nothing is waited for, it is what passes on a machine that has nothing else to do.
    """
    before = _processor_time()
    job()
    return _processor_time() - before


def _processor_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def show(figures: Iterable[Figure]) -> None:
    """Print each figure as soon as it is there."""
    for figure in figures:
        low, high = (_number(limit(figure.values)) for limit in (min, max))
        _row(
            figure.name,
            f"{_number(median(figure.values))} {figure.unit}",
            f"{low} to {high}",
            f"{figure.budget:g} {figure.unit}",
            figure.verdict(),
        )
        if figure.note:
            print(f"    {figure.note}", flush=True)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _row(name: str, *columns: str) -> None:
    middle, spread, budget, verdict = columns
    print(f"{name:<58}{middle:>9}  {spread:>14}{budget:>9}  {verdict}", flush=True)


def main() -> None:
    """Print what the machine is and the heading of the table."""
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, ", end="")
    print(f"{os.cpu_count()} cores, load {load}\n")
    _row("figure", "median", "min to max", "at most", "")


if __name__ == "__main__":
    main()
