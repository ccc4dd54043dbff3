"""How long a newcomer waits: from `bot demo` at the prompt to the first post on its page.

The command is the installed script, in a process of its own; the page is asked for again and again,
as a browser that is opened at once would see it. It needs the extra `sandbox` in the venv.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from statistics import median
from urllib.parse import urlsplit

from measure import VENVS, Figure, in_turn, show

ROUNDS = 5
AT_MOST = 3.0
LONGEST = 30.0
SCRIPT = VENVS / "bot" / "bin" / "bot"


def figures() -> Iterator[Figure]:
    """Give the seconds to the first post, and in the note those to the address and to the end.

    Raises RuntimeError where the demo does not come up.
    """
    addresses: list[float] = []
    ends: list[float] = []
    rounds = in_turn(ROUNDS, lambda: first_post(addresses, ends))
    yield Figure(
        "bot demo, to the first post on its page",
        [seconds for (seconds,) in rounds],
        "s",
        AT_MOST,
        f"its address after {median(addresses):.2f} s; Ctrl-C to its end {median(ends):.2f} s",
    )


def first_post(addresses: list[float], ends: list[float]) -> float:
    """Run the demo in an empty folder until a post is there; give the seconds that took."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        with subprocess.Popen(
            [SCRIPT, "demo"],
            cwd=folder,
            env={"HOME": folder, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            text=True,
        ) as demo:
            try:
                assert demo.stdout is not None
                address = demo.stdout.readline().strip()
                if not address:
                    raise RuntimeError("bot demo printed no address: is the extra installed?")
                addresses.append(time.perf_counter() - begun)
                took = _until_a_post(address, begun)
            finally:
                ending = time.perf_counter()
                demo.send_signal(signal.SIGINT)
            demo.wait(LONGEST)
            ends.append(time.perf_counter() - ending)
        return took


def _until_a_post(address: str, begun: float) -> float:
    host = urlsplit(address).netloc
    while time.perf_counter() - begun < LONGEST:
        page = HTTPConnection(host, timeout=LONGEST)
        page.request("GET", "/")
        shown = page.getresponse().read()
        page.close()
        if b'class="text"' in shown:
            return time.perf_counter() - begun
        time.sleep(0.01)
    raise RuntimeError("no post came up")


if __name__ == "__main__":
    show(figures())
