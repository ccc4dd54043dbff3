"""`bot retract`: deletes a thread, last post first."""

from __future__ import annotations

import click

from bot.cli.common import (
    ProcessContext,
    choosing,
    confirm,
    echo,
    ready_accounts,
    settings_of,
    show,
    status_of_served,
    worded,
)
from bot.cli.serving import serving
from bot.model import Network
from bot.terminal import setting


@click.command(short_help="Delete a thread, last post first.")
@click.argument("digest")
@choosing
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
@click.option("--dry-run", is_flag=True, help="Say what is known to be out; delete nothing.")
@click.pass_obj
def retract(  # noqa: PLR0913 - an option each
    surroundings: ProcessContext,
    *,
    digest: str,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    yes: bool,
    dry_run: bool,
) -> int:
    """Delete the thread of DIGEST (a date, a slug, a file or a URL), last post first.

    The network is asked what is there; only posts that we sent or that are recognised whole are
    deleted. Run it again to go on where it stopped. On a terminal it asks first.
    """
    from bot import plan
    from bot.http.urls import slug_of
    from bot.output import progress

    settings = settings_of(surroundings)
    accounts = ready_accounts(settings, networks, names)
    with serving(settings, told=True) as service:
        slug, found = plan.resolve_digest(settings, service.ledger, digest, surroundings.folder)
        stored = [service.ledger.thread(account.name, slug) for account in accounts]
        if dry_run or (surroundings.asks and not yes):
            show(worded(progress.retractable, accounts, stored))
        if dry_run:
            return 0
        if surroundings.asks and not yes and not confirm(f"Delete the thread of {slug}?"):
            echo("Nothing was deleted.")
            return 0
        threads = plan.threads(settings, found, accounts, None, None) if found else ()
        served = service.retract(found, slug, accounts, threads)
    show(worded(progress.outcome, served))
    # old ledgers hold slugs of any characters; as it is read today, the digest has this one
    today = slug_of(slug)
    if any(one.thread for one in served) and today and today not in settings.skip:
        echo("To keep it away for good, on a wiped disk too, set:")
        echo(setting("BOT_SKIP", ",".join((*settings.skip, today))))
    return status_of_served(served)
