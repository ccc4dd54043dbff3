"""A script that reads sources, each in a process of its own, and prints the memory each one took.

It gets a list of `[BOT_DIGESTS, address of GitHub's API, "latest", "since" or "find"]` as JSON on
its standard input, and prints a list of `[bytes above rest, outcome, message]`. Rest is what a
process has that read the first of them, which is to be a small one.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date

from bot.digests.result import SourceResult
from bot.digests.source import open_source

UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


def read(spec: str, api: str, how: str) -> tuple[str, str]:
    source = open_source(spec, github_api_url=api, timeout=300)
    readings: tuple[SourceResult, ...]
    if how == "since":
        readings = source.since(date(2021, 6, 1), 20)
    else:
        readings = (source.latest() if how == "latest" else source.find("hot"),)
    told = (str(each.problem or "".join(each.warnings[-1:])) for each in readings)
    return " ".join(each.outcome for each in readings), "; ".join(told)[:500]


def measured(job: list[str]) -> tuple[int, str, str]:
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(theirs, "w") as answer:
            json.dump(read(*job), answer)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        text = answer.read()
    _, status, usage = os.wait4(child, 0)
    outcome, message = json.loads(text) if status == 0 else ("died", f"status {status}")
    return usage.ru_maxrss * UNIT, outcome, message


if __name__ == "__main__":
    jobs: list[list[str]] = json.load(sys.stdin)
    read(*jobs[0])  # loads what loads at first use
    rest = measured(jobs[0])[0]
    measures = map(measured, jobs)
    json.dump([(peak - rest, outcome, message) for peak, outcome, message in measures], sys.stdout)
