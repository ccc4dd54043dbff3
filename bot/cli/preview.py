"""`bot preview`: write the threads as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.common import (
    ProcessContext,
    account_options,
    echo,
    read_digest,
    safe,
    settings_of,
    warn,
)
from bot.cli.serving import now, open_ledger_readonly
from bot.errors import SettingsError
from bot.model import Network

if TYPE_CHECKING:
    from bot.digests.result import SourceResult
    from bot.ledger.rows import StoredThread
    from bot.model import Account
    from bot.output.page.views import PageView
    from bot.settings import Settings


@click.command(short_help="Write the threads as a page that shows how they will look.")
@click.argument("digest", required=False)
@click.option("--output", metavar="FILE.html", help="File for the page, or - to print it.")
@account_options
@click.option("--top", type=click.IntRange(min=0), help="Papers in a thread, 0 for all.")
@click.pass_obj
def preview(  # noqa: PLR0913 - an option each
    context: ProcessContext,
    *,
    digest: str | None,
    output: str | None,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    top: int | None,
) -> int:
    """Write a page that shows the threads as readers will see them. Send nothing.

    DIGEST is a date (2021-06-22), a slug, a file or a URL. Without it, the newest digest of
    BOT_DIGESTS is used. If BOT_DIGESTS is not set, the samples in the package are used.

    The page is one file that loads nothing. An earlier page of bot preview is replaced. Any other
    file is left as it is.
    """
    from bot import plan
    from bot.settings import offered

    if not output:
        fix = "Add --output FILE.html, or --output - to print the page."
        raise SettingsError("bot preview needs a file for the page", fix)
    settings = settings_of(context)
    accounts = offered(settings, networks, names)
    _, reading = read_digest(settings, digest, context.folder)
    if reason := plan.reason_to_wait(reading, settings, now()):
        echo(reason, err=True)
        return 0
    _write(_page(settings, reading, accounts, top), output, context.folder)
    return 0


def _page(
    settings: Settings, reading: SourceResult, accounts: Sequence[Account], top: int | None
) -> PageView:
    from bot import plan
    from bot.output.page import plans

    digest = reading.digest
    assert digest is not None  # noqa: S101 - without a digest the command has ended
    with open_ledger_readonly(settings) as ledger:
        threads = plan.threads(settings, digest, accounts, top, ledger, warn)
        names = [thread.account.name for thread in threads]
        if ledger is None:
            return plans.page(digest, reading.source, threads, {}, made=now())
        stored = {name: ledger.thread(name, digest.slug) for name in names}

        def kept(thread: StoredThread, position: int) -> bytes:
            return ledger.picture(thread.number, position)

        return plans.page(digest, reading.source, threads, stored, made=now(), kept=kept)


def _write(page: PageView, output: str, folder: Path) -> None:
    from bot.output.page import files, render
    from bot.output.page.plans import counted

    html = safe(render.html(page))
    if output == "-":
        click.echo(html.encode(), nl=False)
        return
    files.write(folder / output, html)
    threads = counted(len(page.threads), "thread")
    posts = counted(sum(len(thread.posts) for thread in page.threads), "post")
    echo(f"{output}: {threads}, {posts}. Open it in a browser.")
