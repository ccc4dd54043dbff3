"""Runs `bot post` as a real process against simulated networks that keep real time."""

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
from bot.sandbox.mastodon.behaviour import MASTODON, MastodonBehaviour
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.rules import XRules
from bot.settings import Settings, load
from tests.helpers.crash_child import COMMIT
from tests.helpers.digest_writer import write
from tests.helpers.fake_world import FakeClock, FakeWorld, digest
from tests.helpers.paths import ROOT

ALL_NETWORKS = (Network.TWITTER, Network.MASTODON, Network.BLUESKY)
PAPERS = 2
MOST_RUNS = 30
HANG_SECONDS = 120.0
CHILD = ROOT / "tests" / "helpers" / "crash_child.py"


class RealClock(FakeClock):
    """The clocks of this machine."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class ProcessWorld:
    """Simulated networks in real time, a digest in a file, and `bot post` as a real process."""

    world: FakeWorld
    networks: tuple[Network, ...]
    environ: dict[str, str]
    source: Digest
    settings: Settings

    @contextmanager
    def start(self, *before: object) -> Iterator[subprocess.Popen[str]]:
        """Start `bot post`; with words `before` it, start it through crash_child.py.

        Leaving the block kills the process if it still runs.
        """
        how = [str(CHILD), *map(str, before)] if before else ["-m", "bot"]
        with subprocess.Popen(
            [sys.executable, *how, "post", "digest.md"],
            cwd=self.world.folder,
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

    def second(self, name: str) -> ProcessWorld:
        """The same, with a ledger of its own: another machine's worker."""
        environ = self.environ | {"BOT_DATABASE": str(self.world.folder / name / "bot.db")}
        settings = load(environ, self.world.folder)
        self.world.add_history(settings)
        return replace(self, environ=environ, settings=settings)

    def run(self, *before: object) -> tuple[int, str]:
        """Run `bot post` to its end; return its exit status and its output."""
        with self.start(*before) as process:
            said, complained = process.communicate(timeout=HANG_SECONDS)
        return process.returncode, said + complained

    def run_until_done(self) -> str:
        """Run it again as long as its status asks for that; return its output if it fails."""
        for _ in range(MOST_RUNS):
            status, said = self.run()
            if status != LATER:
                return f"status {status}: ...{said[-300:]}" if status else ""
            time.sleep(0.2)
        return f"not done after {MOST_RUNS} runs: {said}"

    def wait_until_held(self, network: str, number: int) -> bool:
        """Wait until the sandbox holds a request; return False if that does not happen."""

        def is_held(log: Sequence[RequestRecord]) -> bool:
            return any(
                (record.network, record.number, record.stage)
                == (network, number, script.Stage.HELD)
                for record in log
            )

        return self.world.sandbox.wait(is_held, HANG_SECONDS)

    def wait_until_idle(self) -> None:
        """Wait until no request of a killed process is being served any more."""
        assert self.world.sandbox.wait(
            lambda log: all(r.stage is script.Stage.DONE for r in log), HANG_SECONDS
        )

    def planned(self) -> dict[Network, Thread]:
        """The threads that should be there."""
        return self.world.planned(self.source, self.settings)


@contextmanager
def process_world(
    folder: Path,
    networks: tuple[Network, ...] = ALL_NETWORKS,
    papers: int = PAPERS,
    x: XBehaviour | None = None,
    server: MastodonBehaviour = MASTODON,
) -> Iterator[ProcessWorld]:
    """Start the sandbox and write the digest into an empty folder."""
    clock = RealClock()
    written = replace(digest(papers), published=clock() - timedelta(hours=1))
    (folder / "digest.md").write_text(write(written), "utf-8")
    source, _ = parse(write(written).encode(), "digest.md")
    rules, mastodon, sky = XRules(clock, x), MastodonRules(clock, server), BlueskyRules(clock)
    with Sandbox({"twitter": rules, "mastodon": mastodon, "bluesky": sky}) as sandbox:
        world = FakeWorld(folder, clock, sandbox, rules, mastodon, sky)
        environ = _environ(world, networks)
        settings = load(environ, folder)
        world.add_history(settings)
        yield ProcessWorld(world, networks, environ, source, settings)


def _environ(world: FakeWorld, networks: Sequence[Network]) -> dict[str, str]:
    return {
        **world.variables(networks),
        # Here a request is carried out at once or never, so a second is long enough to settle it.
        "BOT_PAUSE": "0s",
        "BOT_SETTLE": "1s",
        "BOT_RETRY_WAIT": "0.2",
        "BOT_HTTP_TIMEOUT": "5",
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(world.folder),
        "PYTHONPATH": str(ROOT),
    }


def clean_run_counts(networks: tuple[Network, ...]) -> Counter[str]:
    """Count the requests to each network and the commits of a run without faults."""
    with TemporaryDirectory() as name, process_world(Path(name), networks) as at:
        status, said = at.run("trace", "commits")
        assert status == 0, said
        counts = Counter(record.network for record in at.world.sandbox.requests)
        counts[COMMIT] = int((Path(name) / "commits").read_text())
    return counts
