"""How long a person waits at the prompt, next to `toot --help`.

Each command is a process of its own, from its installed script to its end.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from statistics import median

from measure import SAMPLE_PAPERS, VENVS, Figure, in_turn, show, waited, worked

ROUNDS = 20

Command = tuple[str, ...]

# A venv, a script in it, its arguments.
TOOT: Command = ("toot", "toot", "--help")
HELP: Command = ("bot", "bot", "--help")
DRY_RUN: Command = ("bot", "bot", "post", "2021-06-22", "--dry-run", "--top", "0")


def figures() -> Iterator[Figure]:
    """Give both commands' processor time as a share of toot's, and in the notes how long all took.

    Raises CalledProcessError where a command fails.
    """
    took: dict[Command, list[float]] = {TOOT: [], HELP: [], DRY_RUN: []}
    with tempfile.TemporaryDirectory() as folder:
        jobs = [partial(cost, command, folder, took[command]) for command in took]
        rounds = in_turn(ROUNDS, *jobs)
    toot, bot_help, dry_run = (f"{median(times) * 1000:.0f} ms" for times in took.values())
    yield Figure(
        "bot --help / toot --help",
        [bot / toot for toot, bot, _ in rounds],
        "x",
        0.35,
        f"took {bot_help} / {toot}",
    )
    yield Figure(
        f"bot post --dry-run --top 0, {SAMPLE_PAPERS} papers / toot --help",
        [bot / toot for toot, _, bot in rounds],
        "x",
        1.0,
        f"took {dry_run} / {toot}, all three networks",
    )


def cost(command: Command, folder: str, took: list[float]) -> float:
    """Run a venv's script in an empty folder, which is its HOME too; give its processor time."""
    venv, *arguments = command
    run = partial(
        subprocess.run,
        [VENVS / venv / "bin" / arguments[0], *arguments[1:]],
        cwd=folder,
        env={"HOME": folder},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return worked(lambda: took.append(waited(run)))


if __name__ == "__main__":
    show(figures())
