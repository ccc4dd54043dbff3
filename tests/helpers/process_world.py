"""The stand-ins in real time, and `bot post` as a real process that plays against them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.cli.common import LATER
from bot.digests.parse import parse
from bot.model import Digest, Network, Thread
from bot.sandbox import script
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import Record
from bot.sandbox.server import Sandbox
from bot.sandbox.x.rules import XRules
from bot.settings import Settings, load
from tests.helpers.crash_child import COMMIT
from tests.helpers.digest_writer import write
from tests.helpers.fake_world import Clock, Stage, digest
from tests.helpers.paths import ROOT

ALL = (Network.TWITTER, Network.MASTODON, Network.BLUESKY)
PAPERS = 2
MOST_RUNS = 30
LONGEST = 60.0
CHILD = ROOT / "tests" / "helpers" / "crash_child.py"


class RealTime(Clock):
    """The clocks of this machine."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Theatre:
    """Stand-ins that keep real time, a digest in a file, and `bot post` as a real process."""

    on: Stage
    networks: tuple[Network, ...]
    environ: dict[str, str]
    source: Digest
    settings: Settings

    @contextmanager
    def start(self, *before: object) -> Iterator[subprocess.Popen[str]]:
        """Begin `bot post`; with words `before` it in the hands of crash_child.py.

        It is ended with the block, if it has not ended before.
        """
        how = [str(CHILD), *map(str, before)] if before else ["-m", "bot"]
        with subprocess.Popen(
            [sys.executable, *how, "post", "digest.md"],
            cwd=self.on.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *before: object) -> tuple[int, str]:
        """Let `bot post` come to its end; its status and all it said."""
        with self.start(*before) as process:
            said, complained = process.communicate(timeout=LONGEST)
        return process.returncode, said + complained

    def run_until_done(self) -> str:
        """Run it again as long as it asks for that; what it says if it does not end well."""
        for _ in range(MOST_RUNS):
            status, said = self.run()
            if status != LATER:
                return f"status {status}: ...{said[-300:]}" if status else ""
            time.sleep(0.2)
        return f"not done after {MOST_RUNS} runs: {said}"

    def holds(self, network: str, number: int) -> bool:
        """Wait until the stand-in holds a request; False where that does not come to pass."""

        def is_held(log: Sequence[Record]) -> bool:
            return any(
                (record.network, record.number, record.stage)
                == (network, number, script.Stage.HELD)
                for record in log
            )

        return self.on.sandbox.wait(is_held, LONGEST)

    def left(self) -> None:
        """Wait until no request of a process that is gone is at work any more."""
        assert self.on.sandbox.wait(
            lambda log: all(r.stage is script.Stage.DONE for r in log), LONGEST
        )

    def planned(self) -> dict[Network, Thread]:
        """The threads that should be there."""
        return self.on.planned(self.source, self.settings)


@contextmanager
def theatre(folder: Path, networks: tuple[Network, ...] = ALL) -> Iterator[Theatre]:
    """Set the scene in an empty folder."""
    clock = RealTime()
    written = replace(digest(PAPERS), published=clock() - timedelta(hours=1))
    (folder / "digest.md").write_text(write(written), "utf-8")
    source, _ = parse(write(written).encode(), "digest.md")
    x, mastodon, sky = XRules(clock), MastodonRules(clock), BlueskyRules(clock)
    with Sandbox({"twitter": x, "mastodon": mastodon, "bluesky": sky}) as sandbox:
        on = Stage(folder, clock, sandbox, x, mastodon, sky)
        environ = _environ(on, networks)
        yield Theatre(on, networks, environ, source, load(environ, folder))


def _environ(on: Stage, networks: Sequence[Network]) -> dict[str, str]:
    return {
        **on.variables(networks),
        # Here a request is carried out at once or never, so a second is long enough to settle it.
        "BOT_PAUSE": "0s",
        "BOT_SETTLE": "1s",
        "BOT_RETRY_WAIT": "0.2",
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(on.folder),
        "PYTHONPATH": str(ROOT),
    }


def trace(networks: tuple[Network, ...]) -> Counter[str]:
    """What a clean run of a real process does: its requests to each network, and its commits."""
    with TemporaryDirectory() as name, theatre(Path(name), networks) as at:
        status, said = at.run("trace", "commits")
        assert status == 0, said
        counts = Counter(record.network for record in at.on.sandbox.requests)
        counts[COMMIT] = int((Path(name) / "commits").read_text())
    return counts
