"""Run `bot sandbox` and `bot demo`: simulated networks with a page, and a bot that posts to them.

In the demo only the networks are simulated. It uses the same settings, source, publisher, ledger
and posters as `bot post`, with shorter waiting times. If a run must wait for a quarter of an hour,
the demo's clocks skip that time. Each network has its own clock, so that skipping time for one
account does not change the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bot import plan
from bot.demo.board import Board
from bot.demo.serve import check_libraries, listen, served
from bot.demo.standins import StandIn, stand_ins
from bot.demo.view import Saying
from bot.errors import BotError, SettingsError
from bot.model import Digest, Network, State
from bot.output.page.views import Tone
from bot.sandbox.server import Sandbox
from bot.settings import Settings, load

if TYPE_CHECKING:
    from bot.delivery.types import AccountResult, Event
    from bot.ledger.store import Ledger
    from bot.model import Thread

Echo = Callable[[str], object]

# Short times, since a simulated network carries out a request at once or never.
_SHORT_TIMES = {
    "BOT_PAUSE": "2s",
    "BOT_SETTLE": "1s",
    "BOT_RETRY_WAIT": "0.5",
    "BOT_PATIENCE": "8s",
    "BOT_HTTP_TIMEOUT": "4",
}
_REST = 2.0
"""Seconds that the demo waits between two runs of one thread."""


def sandbox(port: int, wait: Callable[[], None], echo: Echo) -> None:
    """Serve the simulated networks and their page until `wait` returns. Raises SettingsError.

    `port` is the page's port, and the networks use the next ones. With 0 any free ports are used.
    """
    check_libraries()
    networks = stand_ins(lambda _: lambda: datetime.now(UTC))
    with listen(port) as page, _opened(networks, port) as servers:
        board = Board(
            servers,
            networks,
            "Sandbox",
            "The networks on your own machine",
            "The posts of your bot as readers would see them. Nothing leaves this machine.",
            shows_variables=True,
        )
        echo(f"http://127.0.0.1:{page.getsockname()[1]}/")
        echo("")
        for line in board.variables():
            echo(line)
        with served(board, page):
            wait()
    with suppress(OSError):  # the terminal may be closed
        echo("The sandbox has ended, and its posts are deleted.")


def demo(port: int, wait: Callable[[], None], echo: Echo) -> None:
    """Publish sample digests to simulated networks, and show them on a page, until `wait` returns.

    Raises SettingsError for a port that is in use or an extra that is not installed.
    """
    check_libraries()
    stop = threading.Event()
    clocks = {network: Clock(stop) for network in Network}
    networks = stand_ins(lambda network: clocks[network].now)
    bot = DemoBot(clocks, stop)
    with (
        TemporaryDirectory(prefix="bot-demo-") as name,
        listen(port) as page,
        _opened(networks, port) as servers,
    ):
        board = Board(
            servers,
            networks,
            "Demo",
            "Every post of a thread, exactly once",
            "The real bot, publishing to simulated networks on this machine. Make the networks "
            "fail, and watch the bot recover.",
            saying=bot.saying,
            changes=lambda: bot.changes,
            button=bot.button,
            press=bot.press,
        )
        echo(f"http://127.0.0.1:{page.getsockname()[1]}/")
        echo("")
        echo("Open this address in a browser. Ctrl-C ends the demo and deletes its files.")
        environ = dict(_SHORT_TIMES)
        if find_spec("resvg_py"):  # the extra that draws pictures
            environ["BOT_PICTURE"] = "on"
        for each in networks:
            environ |= each.environ(servers.url(each.network))
        settings = load(environ, Path(name))  # the folder is empty, so that no .env is read
        thread = threading.Thread(target=bot.run, args=(settings, Path(name)), name="demo")
        thread.start()
        try:
            with served(board, page):
                wait()
        finally:
            stop.set()
            thread.join()
    with suppress(OSError):
        echo("The demo has ended, and its files are deleted.")


@contextmanager
def _opened(stand_ins: Sequence[StandIn], port: int) -> Iterator[Sandbox]:
    """Listen for the networks. Raises SettingsError if a port is in use."""
    rules = {each.network.value: each.rules for each in stand_ins}
    ports = {name: port + number for number, name in enumerate(rules, 1)} if port else {}
    with ExitStack() as opened:
        try:
            servers = opened.enter_context(Sandbox(rules, ports=ports))
        except OSError as error:
            message = f"{error.filename or 'a port'} cannot be used ({error.strerror})"
            fix = f"Choose another --port. The next {len(rules)} ports must be free too."
            raise SettingsError(message, fix) from error
        yield servers


# -- The bot ---------------------------------------------------------------------------------------


class Clock:
    """A wall clock and a monotonic clock that can skip time together, and a sleep that can end."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._skipped = 0.0

    def now(self) -> datetime:
        """Return this clock's time, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._skipped)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Sleep, but not longer than the demo runs."""
        self._stop.wait(seconds)

    def skip_to(self, moment: datetime) -> None:
        """Set the clock forward to `moment`, never back."""
        self._skipped += max(0.0, (moment - self.now()).total_seconds())


@dataclass(slots=True)
class DemoBot:
    """Publishes one sample after the other. A person asks for each but the first.

    Each account has a thread of its own. The page shows the last step of each account in words.
    """

    clocks: dict[Network, Clock]
    stop: threading.Event
    changes: int = 0
    _sayings: dict[str, Saying] = field(default_factory=dict)
    _left: list[Digest] = field(default_factory=list)
    _working: bool = True
    _pressed: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def saying(self, network: Network) -> Saying | None:
        """Return the bot's last step on a network, in words."""
        return self._sayings.get(network)

    def button(self) -> str:
        """Return the label of the page's button: the next sample, once this one is published."""
        if self._working or not self._left:
            return ""
        return f"Publish {self._left[0].title} as well"

    def press(self) -> None:
        """Publish the next sample, since a person pressed the button."""
        if self.button():
            self._pressed.set()

    def run(self, settings: Settings, folder: Path) -> None:
        """Publish the newest sample, and the others when a person asks, until the demo ends.

        An error of the ledger, such as a full disk, is shown on the page.
        """
        from bot.ledger.store import Ledger

        self._left = samples()
        try:
            with Ledger.open(folder / "bot.db") as ledger:
                while not self.stop.is_set() and self._left:
                    self._publish(settings, ledger, self._left.pop(0))
                    self._change(working=False)
                    while not self.stop.is_set() and not self._pressed.wait(0.1):
                        pass
                    self._pressed.clear()
                    self._change(working=True)
        except BotError as error:
            for account in settings.accounts:
                self._say(account.name, f"Failed: {error}", Tone.BAD)

    def _publish(self, settings: Settings, ledger: Ledger, digest: Digest) -> None:
        """Publish a digest's threads side by side.

        A picture that cannot be drawn is not reported.
        """
        threads = plan.threads(settings, digest, settings.accounts, None, ledger, lambda _: None)
        workers = [
            threading.Thread(target=self.serve, args=(settings, ledger, digest, thread))
            for thread in threads
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def serve(self, settings: Settings, ledger: Ledger, digest: Digest, thread: Thread) -> None:
        """Publish a thread, and run again until it is finished, as the worker does."""
        from bot.delivery.accounts import Publisher
        from bot.delivery.publish import PublishOptions
        from bot.delivery.types import End, RunTools

        def tell(event: Event) -> None:
            self._say(event.account, *in_words(event))

        clock, name = self.clocks[thread.account.network], thread.account.name
        tools = RunTools(clock.now, clock.monotonic, clock.sleep, self.stop.is_set, tell)
        publisher = Publisher(settings, ledger, tools)
        options = PublishOptions(unsent=True)  # the networks are new, so nothing is published
        while not self.stop.is_set():
            (result,) = publisher.publish(digest, [thread], options)
            options = PublishOptions()
            self._say(name, *outcome(result))
            if result.end is not End.LATER:
                return
            self.stop.wait(_REST)
            clock.skip_to(result.until or clock.now())

    def _say(self, account: str, text: str, tone: Tone) -> None:
        self._sayings[account] = (text, tone)
        self._change()

    def _change(self, *, working: bool | None = None) -> None:
        with self._lock:
            self._working = self._working if working is None else working
            self.changes += 1


def samples() -> list[Digest]:
    """Return the digests in the package, newest first."""
    from bot.digests.source import read_file

    paths = sorted(plan.SAMPLES.glob("*.md"), reverse=True)
    readings = (read_file(path) for path in paths)
    return [reading.digest for reading in readings if reading.digest]


# What an event says, with the post in place of {}, and how good or bad it is.
_WORDS = {
    "sending": ("Sending {}.", Tone.PLAIN),
    "sent": ("Sent {}.", Tone.GOOD),
    "found": ("Found {}. It is published, and is not sent again.", Tone.GOOD),
    "unknown": ("It is not known whether {} is published. Checking ...", Tone.WAIT),
    "not seen yet": ("Looked for {}, and did not find it yet.", Tone.WAIT),
}


def in_words(event: Event) -> Saying:
    """Say in a sentence what happened to a post."""
    from bot.output import progress

    if event.what == "waiting":
        return progress.waiting(event.detail), Tone.WAIT
    words, tone = _WORDS.get(event.what, ("", Tone.WAIT))
    if event.position is not None and words:
        return words.format(f"post {event.position + 1} of {event.last + 1}"), tone
    tone = Tone.BAD if event.what in ("held", "refused") else tone
    if event.what == "limited":
        return progress.sentence(f"limited {event.detail}"), tone
    label = event.what.capitalize()
    return progress.sentence(f"{label}: {event.detail}" if event.detail else label), tone


def outcome(result: AccountResult) -> Saying:
    """Say in a sentence how a run ended."""
    from bot.delivery.types import End
    from bot.output import progress

    posts = result.thread.posts if result.thread else ()
    sent = sum(post.state is State.SENT for post in posts)
    if result.end is End.DONE:
        return f"Done: {sent} of {len(posts)} posts, each exactly once.", Tone.GOOD
    if result.end is End.LATER:
        return f"{progress.sentence(result.reason)} The bot tries again soon.".lstrip(), Tone.WAIT
    return progress.sentence(f"{result.end.value.capitalize()}: {result.reason}"), Tone.BAD
