"""The result table of bench/proof: what was tried, and what became of the posts."""

# ruff: noqa: T201 - a table is printed
from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tests.helpers import crash_trials, fault_scenarios, real_pds_world, server_trials
from tests.helpers.crash_trials import ResultRow

COLUMNS = ("tried", "lost", "doubled", "out of order")


def faults() -> Iterator[ResultRow]:
    """The figures of the other table, which is in Markdown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mastodon.py's, of an old page that some servers only have
        text = fault_scenarios.fault_table()
    head, _, *lines = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
    )
    for name, *cells in lines:
        of = dict(zip(head[1:], map(int, cells), strict=True))
        tried, lost, doubled, disordered = (of[column] for column in COLUMNS)
        passes = name.startswith(fault_scenarios.PASSING)
        held = (f"{of['held']} are held",) if passes and of["held"] else ()
        yield ResultRow(name, tried, lost, doubled, disordered, problems=held)


def real(every: int = 1) -> Iterator[ResultRow]:
    """The same faults and crashes on a real Bluesky server, or each `every`th of them."""
    if not real_pds_world.INSTALLED:
        print("    no real Bluesky server here: .ci/pds install gets one")
    for row in real_pds_world.real_pds_table(every):
        yield ResultRow(row.name, row.tried, row.lost, row.doubled, row.out_of_order)


def servers() -> Iterator[ResultRow]:
    """The figures of networks on which exactly once rests on reading alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mastodon.py's, of an old page that some servers only have
        for trial in server_trials.rows():
            row = trial()
            yield ResultRow(row.name, row.tried, row.lost, row.doubled, row.out_of_order)


TABLES: Mapping[str, Callable[[], Iterator[ResultRow]]] = {
    "crashes": crash_trials.crash_table,
    "faults": faults,
    "servers": servers,
    "pds": real,
    "pds-sample": partial(real, 3),
}


def main(names: Sequence[str]) -> int:
    """Print the tables named, or all; 1 if a figure is not zero, 2 for a wrong name.

    All are without the sample, which is a part of another table.
    """
    if unknown := [name for name in names if name not in TABLES]:
        print(f"there is no {unknown[0]!r}: {', '.join(TABLES)}")
        return 2
    print(_line("", COLUMNS), flush=True)
    bad = 0
    for name in names or [name for name in TABLES if name != "pds-sample"]:
        begun = time.monotonic()
        for row in TABLES[name]():
            print(_line(row.kind, (row.points, row.lost, row.doubled, row.disordered)))
            print(*(f"    {problem}\n" for problem in row.problems), sep="", end="", flush=True)
            bad += row.lost + row.doubled + row.disordered + len(row.problems)
        print(f"    ({name}: {time.monotonic() - begun:.0f} s)", flush=True)
    return min(bad, 1)


def _line(kind: str, columns: Sequence[object]) -> str:
    return f"{kind:<44}" + "".join(f"{column!s:>14}" for column in columns)
