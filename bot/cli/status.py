"""`bot status`: show what the ledger knows about accounts and threads."""

from __future__ import annotations

import click

from bot.cli.common import (
    ProcessContext,
    account_options,
    as_json,
    safe_lines,
    settings_of,
    show,
    show_json,
)
from bot.cli.serving import now, open_ledger_readonly
from bot.model import Network


@click.command(short_help="Show accounts and threads, and what you must decide.")
@click.argument("digest", required=False)
@account_options
@as_json
@click.pass_obj
def status(
    context: ProcessContext,
    *,
    digest: str | None,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show accounts and threads, and which posts are planned, unknown or held, and why.

    With DIGEST, a date or a slug, it shows every post of that digest.
    """
    from bot.output import status as shown
    from bot.output.report import report, worker

    settings = settings_of(context)
    with open_ledger_readonly(settings) as ledger:
        accounts, threads = report(settings, ledger, now(), digest, networks, names)
        worker_status = worker(ledger)
    if as_json:
        show_json(shown.data(accounts, threads))
    else:
        every_post = digest is not None
        show(
            safe_lines(
                shown.lines, accounts, threads, now(), whole=every_post, worker=worker_status
            )
        )
    return 0
