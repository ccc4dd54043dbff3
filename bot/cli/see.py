"""`bot preview`: the threads as a page. `bot sandbox`, `bot demo`: networks of your own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

import click

from bot.cli.common import ProcessContext, choosing, echo, safe, settings_of, warn
from bot.cli.serving import looked_up, now
from bot.errors import SettingsError
from bot.model import Network

if TYPE_CHECKING:
    from bot.digests.reading import SourceResult
    from bot.ledger.rows import StoredThread
    from bot.model import Account
    from bot.settings import Settings
    from bot.show.page.views import PageView


_HANG_UP = getattr(signal, "SIGHUP", None)  # there is none on Windows
_ENDING = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, _HANG_UP)))


_at_port = click.option(
    "--port",
    type=click.IntRange(0, 65_000),
    default=0,
    help="Where the page is; the networks take the three ports after it. Any by default.",
)


@click.command(short_help="Write the threads as a page that shows how they will look.")
@click.argument("digest", required=False)
@click.option("--output", metavar="FILE.html", help="Where the page is written; - prints it.")
@choosing
@click.option("--top", type=click.IntRange(min=0), help="Papers in a thread; 0 for all.")
@click.pass_obj
def preview(  # noqa: PLR0913 - an option each
    surroundings: ProcessContext,
    *,
    digest: str | None,
    output: str | None,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    top: int | None,
) -> int:
    """Write one page that shows the threads as readers will see them; send nothing.

    DIGEST is a date (2021-06-22), a slug, a file or a URL; without it, the latest at the source is
    taken. The source is BOT_DIGESTS; without it, the samples in the package.

    The page is one file that loads nothing. A page written before is replaced, any other file is
    left alone.
    """
    from bot import app  # noqa: PLC0415 - loads at first use
    from bot.settings import offered  # noqa: PLC0415 - loads at first use

    if not output:
        mend = "Add --output FILE.html, or --output - to print it."
        raise SettingsError("the page needs a file to be written to", mend)
    settings = settings_of(surroundings)
    accounts = offered(settings, networks, names)
    reading = app.read(settings, digest, surroundings.folder)
    for warning in (*settings.warnings, *reading.warnings):
        warn(warning)
    if reading.digest is None:
        if reading.problem:
            raise reading.problem
        return 0
    if reason := app.reason_to_wait(reading, settings, now()):
        echo(reason, err=True)
        return 0
    _write(_page(settings, reading, accounts, top), output, surroundings.folder)
    return 0


def _page(
    settings: Settings, reading: SourceResult, accounts: Sequence[Account], top: int | None
) -> PageView:
    from bot import app  # noqa: PLC0415 - loads at first use
    from bot.show.page import plans  # noqa: PLC0415 - loads at first use

    digest = reading.digest
    assert digest is not None  # noqa: S101 - a digest that cannot be had ended the command
    with looked_up(settings) as ledger:
        threads = app.threads(settings, digest, accounts, top, ledger, warn)
        names = [thread.account.name for thread in threads]
        if ledger is None:
            return plans.page(digest, reading.source, threads, {}, made=now())
        stored = {name: ledger.thread(name, digest.slug) for name in names}

        def kept(thread: StoredThread, position: int) -> bytes:
            return ledger.picture(thread.number, position)

        return plans.page(digest, reading.source, threads, stored, made=now(), kept=kept)


def _write(page: PageView, output: str, folder: Path) -> None:
    from bot.show.page import files, render  # noqa: PLC0415 - loads at first use
    from bot.show.page.plans import counted  # noqa: PLC0415 - loads at first use

    html = safe(render.html(page))
    if output == "-":
        click.echo(html.encode(), nl=False)
        return
    files.write(folder / output, html)
    threads = counted(len(page.threads), "thread")
    posts = counted(sum(len(thread.posts) for thread in page.threads), "post")
    echo(f"{output}: {threads}, {posts}. Open it in a browser.")


@click.command(short_help="Start the networks on your own machine, with a page.")
@_at_port
def sandbox(port: int) -> int:
    """Start stand-ins for the networks on this machine, and a page that shows what arrives.

    Set what is printed, and run bot post elsewhere: the real program, whose posts no reader sees.
    On the page the networks can be made to fail. Ctrl-C ends it, and all of it is gone.

    Reads no settings, neither from the environment nor from .env.
    """
    from bot import demo  # noqa: PLC0415 - loads at first use

    with interruptible() as wait:
        demo.sandbox(port, wait, echo)
    return 0


@click.command(short_help="See a thread published on your own machine; no account needed.")
@_at_port
def demo(port: int) -> int:
    """Publish a sample thread to stand-ins for X, Mastodon and Bluesky, before your eyes.

    They are on this machine, and nothing leaves it; no account is needed. Open the address that is
    printed, and let the networks fail there: the bot gets through it. Ctrl-C ends it, and nothing
    is left behind.

    Reads no settings, neither from the environment nor from .env.
    """
    from bot.demo import demo as run  # noqa: PLC0415 - loads at first use

    with interruptible() as wait:
        run(port, wait, echo)
    return 0


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give what waits for Ctrl-C, SIGTERM or SIGHUP; the third of them ends the process at once.

    A terminal that is closed sends SIGHUP; who said `nohup` does not want it to be heard.

    The handler does nothing that takes a lock: another signal may come while it runs, and
    `threading.Event.set` would then wait for itself for ever.
    """
    asked: SimpleQueue[int] = SimpleQueue()
    seen: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        seen.append(number)
        asked.put(number)
        if len(seen) > 1:  # one Ctrl-C may arrive twice, through a shell and `timeout`
            signal.signal(number, signal.SIG_DFL)

    def wait() -> None:
        asked.get()

    before = {number: signal.getsignal(number) for number in _ENDING}
    if before.get(_HANG_UP) is signal.SIG_IGN:
        del before[_HANG_UP]
    for number in before:
        signal.signal(number, ask)
    try:
        yield wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
