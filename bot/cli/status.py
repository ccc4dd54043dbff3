"""`bot status`: what the ledger knows of accounts and threads."""

from __future__ import annotations

import click

from bot.cli.common import ProcessContext, as_json, choosing, settings_of, show, show_json, worded
from bot.cli.serving import now, open_ledger_readonly
from bot.model import Network


@click.command(short_help="Show accounts and threads, and what needs a hand.")
@click.argument("digest", required=False)
@choosing
@as_json
@click.pass_obj
def status(
    surroundings: ProcessContext,
    *,
    digest: str | None,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show accounts and threads, and what is pending, unknown or held and why.

    DIGEST, a date or a slug, shows every post of that one.
    """
    from bot.output import status as shown
    from bot.output.report import report, worker

    settings = settings_of(surroundings)
    with open_ledger_readonly(settings) as ledger:
        accounts, threads = report(settings, ledger, now(), digest, networks, names)
        noted = worker(ledger)
    if as_json:
        show_json(shown.data(accounts, threads))
    else:
        whole = digest is not None
        show(worded(shown.lines, accounts, threads, now(), whole=whole, worker=noted))
    return 0
