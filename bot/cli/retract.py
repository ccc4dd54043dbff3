"""`bot retract`: delete a thread, last post first."""

from __future__ import annotations

import click

from bot.cli.common import (
    ProcessContext,
    account_options,
    confirm,
    echo,
    ready_accounts,
    safe_lines,
    settings_of,
    show,
    status_of_results,
)
from bot.cli.serving import open_publisher
from bot.model import Network
from bot.terminal import setting


@click.command(short_help="Delete a thread, last post first.")
@click.argument("digest")
@account_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
@click.option("--dry-run", is_flag=True, help="Print the known posts, and delete nothing.")
@click.pass_obj
def retract(  # noqa: PLR0913 - an option each
    context: ProcessContext,
    *,
    digest: str,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    yes: bool,
    dry_run: bool,
) -> int:
    """Delete the thread of DIGEST (a date, a slug, a file or a URL), last post first.

    The command reads the account first. It deletes only posts that the ledger knows, or that it
    recognises by key or by their complete text. On a terminal it asks before it deletes. If it
    stops, run it again: it continues where it stopped.
    """
    from bot import plan
    from bot.http.urls import slug_of
    from bot.output import progress

    settings = settings_of(context)
    accounts = ready_accounts(settings, networks, names)
    with open_publisher(settings, progress=True) as publisher:
        slug, found = plan.resolve_digest(settings, publisher.ledger, digest, context.folder)
        stored = [publisher.ledger.thread(account.name, slug) for account in accounts]
        if dry_run or (context.asks and not yes):
            show(safe_lines(progress.retractable, accounts, stored))
        if dry_run:
            return 0
        if context.asks and not yes and not confirm(f"Delete the thread of {slug}?"):
            echo("Nothing was deleted.")
            return 0
        threads = plan.threads(settings, found, accounts, None, None) if found else ()
        results = publisher.retract(found, slug, accounts, threads)
    show(safe_lines(progress.outcome, results, retracting=True))
    # old ledgers hold slugs of any characters; today the digest is read with this one
    today = slug_of(slug)
    if any(result.thread for result in results) and today and today not in settings.skip:
        echo("To keep this digest unpublished even if the ledger is lost, set:")
        echo(setting("BOT_SKIP", ",".join((*settings.skip, today))))
    return status_of_results(results)
