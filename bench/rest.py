"""What the worker needs while it has nothing to do, next to a process that only has APScheduler.

The worker is `bot run`, with an account on X and one on Mastodon and the server on PORT. Its first
pass delivers a digest, so that all is loaded that a delivery needs; what is measured comes after.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from delivery import Networks, written
from measure import Figure, show

SECONDS = 60.0
MOST_MIB, MOST_OF_A_CORE = 80, 0.1
RUN = (sys.executable, "-m", "bot", "run")
BARE = """
import threading
from apscheduler.schedulers.background import BackgroundScheduler
scheduler = BackgroundScheduler(timezone="UTC")
scheduler.add_job(print, "cron", minute="*/30")
scheduler.start()
threading.Event().wait()
"""
_LONGEST_START = 60.0
_ENOUGH = 0.1
_STOPPED = (0, -15)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that runs, and the file that it logs to."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self, event: str) -> list[dict[str, object]]:
        """Give what it logged of one event."""
        whole = self.log.read_text("utf-8").rpartition("\n")[0]
        every = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in every if line["event"] == event]

    def first_pass(self) -> None:
        """Wait until its first pass is over. Raises RuntimeError where that was not a good one."""
        end = time.monotonic() + _LONGEST_START
        while not (passes := self.lines("pass.ended")) and time.monotonic() < end:
            time.sleep(_ENOUGH)
        if not passes or not passes[0]["good"]:
            raise RuntimeError(f"no good pass: {self.log.read_text('utf-8')[-2000:]}")

    def resident(self) -> float:
        """Give the memory that it takes, in MiB. Linux only, as all that follows."""
        return self._status("VmRSS") / 1024

    def threads(self) -> int:
        """Give how many threads it has."""
        return self._status("Threads")

    def handles(self) -> int:
        """Give how many files and sockets it holds open."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def worked(self) -> float:
        """Give the seconds of processor time, user's and system's, of all its threads so far."""
        # the clock that clock_getcpuclockid(3) gives: /proc/PID/stat counts in hundredths
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def running(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Iterator[Running]:
    """Run a command in a folder, its HOME, until `with` ends; then SIGTERM must end it."""
    folder.mkdir(exist_ok=True)
    log = folder / "log"
    environ = {"HOME": str(folder), **environ}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=out)
        try:
            yield Running(process, log)
        finally:
            process.terminate()
            status = process.wait(20)
        assert status in _STOPPED, log.read_text("utf-8")[-2000:]


def environ(at: Networks, posts: Path) -> dict[str, str]:
    """Give the settings of a worker for these networks and digests, with a port of its own."""
    posts.mkdir(exist_ok=True)
    return {**at.environ, "BOT_DIGESTS": str(posts), "PORT": str(free_port())}


def free_port() -> int:
    """Give a port of this machine that nobody listens at."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def figures(seconds: float = SECONDS) -> Iterator[Figure]:
    """Give the worker's memory and its share of a core, with what the bare process needs."""
    with (
        tempfile.TemporaryDirectory() as name,
        Networks(("twitter", "mastodon"), 0, {}).open() as at,
    ):
        folder = Path(name)
        settings = environ(at, folder / "posts")
        (folder / "posts" / "1.md").write_text(written("1"), "utf-8")
        often = {**settings, "BOT_SCHEDULE": "* * * * *", "PORT": str(free_port())}
        with (
            running(RUN, folder / "worker", settings) as worker,
            running((sys.executable, "-c", BARE), folder / "bare", {}) as bare,
        ):
            worker.first_pass()
            with running(RUN, folder / "often", often) as busier:
                busier.first_pass()
                each = (worker, bare, busier)
                shares = spent(each, seconds)
                sizes = [one.resident() for one in each]
    yield Figure(
        "worker at rest, resident",
        [sizes[0]],
        "MiB",
        MOST_MIB,
        f"after a pass that delivered on X and Mastodon; APScheduler alone {sizes[1]:.1f} MiB",
    )
    yield Figure(
        f"worker at rest, processor time over {seconds:.0f} s",
        [shares[0]],
        "%",
        MOST_OF_A_CORE,
        f"{shares[0]:.4f} % of a core; APScheduler alone {shares[1]:.4f} %, a worker with a pass "
        f"each minute {shares[2]:.4f} %",
    )


def spent(each: Sequence[Running], seconds: float) -> list[float]:
    """Give the share of a core that each used while so many seconds went by, in percent."""
    began, before = time.monotonic(), [one.worked() for one in each]
    time.sleep(seconds)
    gone = time.monotonic() - began
    return [100 * (one.worked() - of) / gone for one, of in zip(each, before, strict=True)]


if __name__ == "__main__":
    show(figures(*map(float, sys.argv[1:])))
