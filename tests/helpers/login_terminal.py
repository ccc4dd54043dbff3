"""A person at a terminal who answers the questions of bot login."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

Answer = str | Callable[[str], str]


class TypingUser:
    """Reads what is on the screen, and types; an answer may be made of what was read so far."""

    def __init__(self, screen: pytest.CaptureFixture[str], answers: Sequence[Answer]) -> None:
        self.out = ""
        self.err = ""
        self._screen = screen
        self._answers = iter(answers)

    def look(self) -> None:
        out, err = self._screen.readouterr()
        self.out += out
        self.err += err

    def readline(self) -> str:
        self.look()
        answer = next(self._answers, "")
        return answer if isinstance(answer, str) else answer(self.err)


SECONDS = 120.0
# A shell's background job ignores Ctrl-C, and so would what it starts.
RUN_WITH_SIGINT = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["bot", *sys.argv[1:]]
runpy.run_module("bot", run_name="__main__")
"""


class LoginProcess:
    """The program in a process of its own: a terminal for keys and words, a file for the output."""

    def __init__(
        self, folder: Path, target: int, environ: dict[str, str], network: str = "mastodon"
    ) -> None:
        self.screen, keys = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN_WITH_SIGINT, "login", network],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "TERM": "xterm", **environ},
            stdin=keys,
            stdout=target,
            stderr=keys,
        )
        os.close(keys)
        self.seen = ""

    def read(self, until: str) -> None:
        while not re.search(until, self.seen):
            assert self._more(SECONDS), f"it ended without {until}: {self.seen}"

    def press_ctrl_c(self) -> None:
        """Press it until there is an answer, as a person does.

        One that comes after Python's last look and before the read is kept until that returns.
        """
        for _ in range(20):
            self.process.send_signal(signal.SIGINT)
            if select.select([self.screen], [], [], SECONDS / 20)[0]:
                return

    def end(self) -> int:
        while self._more(SECONDS):
            pass
        os.close(self.screen)
        return self.process.wait(timeout=SECONDS)

    def _more(self, seconds: float) -> bool:
        """Take in what it writes next; False where it has gone. What hangs fails."""
        if not select.select([self.screen], [], [], seconds)[0]:
            self.process.kill()
            raise AssertionError(f"it says nothing more: {self.seen}")
        try:
            data = os.read(self.screen, 65_536)
        except OSError:  # Linux says so where the other side has gone
            return False
        self.seen += data.decode().replace("\r\n", "\n")
        return bool(data)
