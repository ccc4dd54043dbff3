"""`bot sandbox` and `bot demo`: the stand-ins with their page, and a bot that posts to them.

The demo is the real thing but for the networks: settings, source, service, ledger and posters as
`bot post` has them. Only its patience is shorter. Where a run would come back in a quarter of an
hour, its clocks skip that time; each network has clocks of its own, so that what skips time for one
account does so for its network alone.
"""

from __future__ import annotations

import socket
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
    from bot.delivery.publish import AccountResult
    from bot.delivery.types import Event
    from bot.ledger.store import Ledger
    from bot.model import Thread

Echo = Callable[[str], object]

# Seconds, not minutes: here a request is carried out at once or never.
_HURRIED = {
    "BOT_PAUSE": "2s",
    "BOT_SETTLE": "1s",
    "BOT_RETRY_WAIT": "0.5",
    "BOT_PATIENCE": "8s",
    "BOT_HTTP_TIMEOUT": "4",
}
_REST = 2.0
"""How long the demo rests, in seconds, where a run says that it must come back later."""


def sandbox(port: int, wait: Callable[[], None], echo: Echo) -> None:
    """Serve the stand-ins and their page until `wait` returns. Raises SettingsError.

    `port` is the page's, and the networks take those after it; with 0 any that are free.
    """
    check_libraries()
    made = stand_ins(lambda _: lambda: datetime.now(UTC))
    with _opened(made, port) as (networks, door):
        board = Board(
            networks,
            made,
            "Sandbox",
            "The networks on your own machine",
            "What a bot posts here, as readers would see it. Nothing leaves this machine.",
            shows_variables=True,
        )
        echo(_address(door.port))
        echo("")
        for line in board.variables():
            echo(line)
        with served(board, door.socket):
            wait()
    _bid_farewell(echo, "Ended: all of it is gone.")


def demo(port: int, wait: Callable[[], None], echo: Echo) -> None:
    """Publish sample digests to the stand-ins, with a page to watch it, until `wait` returns.

    Raises SettingsError for a port that is taken or an extra that is missing.
    """
    check_libraries()
    stop = threading.Event()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="bot-demo-")))
        clocks = {network: Clock(stop) for network in Network}
        made = stand_ins(lambda network: clocks[network].now)
        networks, door = opened.enter_context(_opened(made, port))
        show = Show(clocks, stop)
        board = Board(
            networks,
            made,
            "Demo",
            "A thread goes out, every post exactly once",
            "The real bot, on networks that are only on this machine. Make them go wrong, and "
            "watch it get through.",
            said=show.said,
            changes=lambda: show.changes,
            offer=show.offer,
            press=show.press,
        )
        echo(_address(door.port))
        echo("")
        echo("Open it in a browser. Ctrl-C ends it, and nothing is left behind.")
        settings = _settings(made, networks, folder)
        crew = threading.Thread(target=show.play, args=(settings, folder), name="demo")
        crew.start()
        try:
            with served(board, door.socket):
                wait()
        finally:
            stop.set()
            crew.join()
    _bid_farewell(echo, "Ended: nothing is left behind.")


def _bid_farewell(echo: Echo, line: str) -> None:
    """Say it where anybody hears it: the terminal may be gone, and that is why it ends."""
    with suppress(OSError):
        echo(line)


# -- Where things are ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _DemoLedger:
    socket: socket.socket
    port: int


@contextmanager
def _opened(made: Sequence[StandIn], port: int) -> Iterator[tuple[Sandbox, _DemoLedger]]:
    """Open the page's door and the networks'. Raises SettingsError where a port is taken."""
    rules = {each.network.value: each.rules for each in made}
    ports = {name: port + number for number, name in enumerate(rules, 1)} if port else {}
    with listen(port) as opened:
        try:
            networks = Sandbox(rules, ports=ports)
            networks.__enter__()
        except OSError as error:
            message = f"{error.filename or 'a port'} cannot be used: {error.strerror}"
            fix = f"Give another --port; the {len(rules)} after it are used as well."
            raise SettingsError(message, fix) from error
        try:
            yield networks, _DemoLedger(opened, opened.getsockname()[1])
        finally:
            networks.__exit__(None, None, None)


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def _settings(made: Sequence[StandIn], networks: Sandbox, folder: Path) -> Settings:
    """The demo's settings, from nothing but this: `folder` is empty, so no .env is read."""
    environ = dict(_HURRIED)
    if find_spec("resvg_py"):  # the extra that draws pictures
        environ["BOT_PICTURE"] = "on"
    for each in made:
        environ |= each.environ(networks.url(each.network))
    return load(environ, folder)


# -- The bot at work -------------------------------------------------------------------------------


class Clock:
    """A wall clock and a monotonic one that can skip time together, and waiting that can end."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._skipped = 0.0

    def now(self) -> datetime:
        """The time, UTC, as this clock has it."""
        return datetime.now(UTC) + timedelta(seconds=self._skipped)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Wait, until the demo ends at the latest."""
        self._stop.wait(seconds)

    def skip_to(self, moment: datetime) -> None:
        """Go on as if it were `moment`; never back."""
        self._skipped += max(0.0, (moment - self.now()).total_seconds())


@dataclass(slots=True)
class Show:
    """The demo's course: one sample after the other, each when it is asked for.

    Each account is served in a thread of its own, and what it does is told in words.
    """

    clocks: dict[Network, Clock]
    stop: threading.Event
    changes: int = 0
    _said: dict[str, Saying] = field(default_factory=dict)
    _left: list[Digest] = field(default_factory=list)
    _at_work: bool = True
    _pressed: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def said(self, network: Network) -> Saying | None:
        """What the bot last said of its work on a network."""
        return self._said.get(network)

    def offer(self) -> str:
        """What the page's button offers: the next sample, once this one is out."""
        if self._at_work or not self._left:
            return ""
        return f"Publish {self._left[0].title} as well"

    def press(self) -> None:
        """Somebody wants the next sample."""
        if self.offer():
            self._pressed.set()

    def play(self, settings: Settings, folder: Path) -> None:
        """Publish the newest sample, and each other one when it is asked for, until the end.

        What goes wrong with the ledger, such as a full disk, is said on the page.
        """
        try:
            self._play(settings, folder)
        except BotError as error:
            for account in settings.accounts:
                self._say(account.name, f"Failed: {error}", Tone.BAD)

    def _play(self, settings: Settings, folder: Path) -> None:
        from bot.ledger.store import Ledger

        self._left = samples()
        with Ledger.open(folder / "bot.db") as ledger:
            while not self.stop.is_set() and self._left:
                self._publish(settings, ledger, self._left.pop(0))
                self._change(at_work=False)
                while not self.stop.is_set() and not self._pressed.wait(0.1):
                    pass
                self._pressed.clear()
                self._change(at_work=True)

    def _publish(self, settings: Settings, ledger: Ledger, digest: Digest) -> None:
        threads = plan.threads(settings, digest, settings.accounts, None, ledger, _unsaid)
        crew = [
            threading.Thread(target=self._serve, args=(settings, ledger, digest, thread))
            for thread in threads
        ]
        for each in crew:
            each.start()
        for each in crew:
            each.join()

    def _serve(self, settings: Settings, ledger: Ledger, digest: Digest, thread: Thread) -> None:
        """Run it again for as long as it asks for that, as a worker would."""
        from bot.delivery.accounts import Publisher
        from bot.delivery.publish import PublishOptions
        from bot.delivery.types import End, RunTools

        clock, name = self.clocks[thread.account.network], thread.account.name
        around = RunTools(clock.now, clock.monotonic, clock.sleep, self.stop.is_set, self._tell)
        service = Publisher(settings, ledger, around)
        options = PublishOptions(
            unsent=True
        )  # nothing of it can be out: the networks are new as well
        while not self.stop.is_set():
            (served,) = service.publish(digest, [thread], options)
            options = PublishOptions()
            self._say(name, *outcome(served))
            if served.end is not End.LATER:
                return
            self.stop.wait(_REST)
            clock.skip_to(served.until or clock.now())

    def _tell(self, event: Event) -> None:
        self._say(event.account, *in_words(event))

    def _say(self, account: str, text: str, tone: Tone) -> None:
        self._said[account] = (text, tone)
        self._change()

    def _change(self, *, at_work: bool | None = None) -> None:
        with self._turn:
            self._at_work = self._at_work if at_work is None else at_work
            self.changes += 1


def _unsaid(reason: str) -> None:
    """A picture that cannot be drawn is not what the demo is about."""
    del reason


def samples() -> list[Digest]:
    """The digests in the package, newest first."""
    from bot.digests.source import read_file

    paths = sorted(plan.SAMPLES.glob("*.md"), reverse=True)
    readings = (read_file(path) for path in paths)
    return [reading.digest for reading in readings if reading.digest]


_TONES = {
    "sending": Tone.PLAIN,
    "sent": Tone.GOOD,
    "found": Tone.GOOD,
    "held": Tone.BAD,
    "refused": Tone.BAD,
}
_WORDS = {
    "sending": "Sending {}.",
    "sent": "Sent {}.",
    "found": "Found {}: it is out, and is not sent again.",
    "unknown": "Nobody knows whether {} is out: looking for it.",
    "not seen yet": "Looked for {}: not there so far.",
}


def in_words(event: Event) -> Saying:
    """What happened to a post, in a sentence."""
    tone = _TONES.get(event.what, Tone.WAIT)
    if event.position is not None and event.what in _WORDS:
        post = f"post {event.position + 1} of {event.last + 1}"
        return _WORDS[event.what].format(post), tone
    said = event.what.capitalize()
    return f"{said}: {event.detail}" if event.detail else f"{said}.", tone


def outcome(served: AccountResult) -> Saying:
    """What became of a run, in a sentence."""
    from bot.delivery.types import End

    posts = served.thread.posts if served.thread else ()
    out = sum(post.state is State.SENT for post in posts)
    if served.end is End.DONE:
        return f"Done: {out} of {len(posts)} posts, each exactly once.", Tone.GOOD
    if served.end is End.LATER:
        return f"Waiting, and coming back: {served.reason}", Tone.WAIT
    return f"{served.end.value.capitalize()}: {served.reason}", Tone.BAD
