"""`bot retract` and `bot settle`: taking a thread back, and deciding what only a person can."""

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
from bot.cli.serving import now, serving
from bot.errors import BotError, SettingsError
from bot.model import Network, State
from bot.terminal import argument, setting


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
    from bot import app  # noqa: PLC0415 - loads at first use
    from bot.digests.urls import slug_of  # noqa: PLC0415 - loads at first use
    from bot.show import progress  # noqa: PLC0415 - loads at first use

    settings = settings_of(surroundings)
    accounts = ready_accounts(settings, networks, names)
    with serving(settings, told=True) as service:
        slug, found = app.known(settings, service.ledger, digest, surroundings.folder)
        stored = [service.ledger.thread(account.name, slug) for account in accounts]
        if dry_run or (surroundings.asks and not yes):
            show(worded(progress.retractable, accounts, stored))
        if dry_run:
            return 0
        if surroundings.asks and not yes and not confirm(f"Delete the thread of {slug}?"):
            echo("Nothing was deleted.")
            return 0
        threads = app.threads(settings, found, accounts, None, None) if found else ()
        served = service.retract(found, slug, accounts, threads)
    show(worded(progress.outcome, served))
    # old ledgers hold slugs of any characters; as it is read today, the digest has this one
    today = slug_of(slug)
    if any(one.thread for one in served) and today and today not in settings.skip:
        echo("To keep it away for good, on a wiped disk too, set:")
        echo(setting("BOT_SKIP", ",".join((*settings.skip, today))))
    return status_of_served(served)


@click.command(short_help="Decide what became of an unknown or held post.")
@click.argument("digest")
@click.argument("position", type=click.IntRange(min=0))
@click.option("--sent", "post_id", metavar="ID", help="It is out, under this id.")
@click.option("--unsent", is_flag=True, help="It is not out: send it.")
@choosing
@click.pass_obj
def settle(  # noqa: PLR0913 - an option each
    surroundings: ProcessContext,
    *,
    digest: str,
    position: int,
    post_id: str | None,
    unsent: bool,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
) -> int:
    """Decide what became of a post that is unknown or held, where the program cannot.

    DIGEST is a slug or a date, POSITION the post's number in bot status, from 0.
    """
    from bot import app  # noqa: PLC0415 - loads at first use
    from bot.delivery.terms import End  # noqa: PLC0415 - loads at first use
    from bot.posters.ids import id_of  # noqa: PLC0415 - loads at first use

    if unsent == bool(post_id):
        raise click.UsageError("Say one of --sent ID and --unsent.")
    settings = settings_of(surroundings)
    nothing = SettingsError(
        f"there is no thread in the ledger {settings.database}: there is nothing to settle",
        "Run bot post: it finds on the network what is out.",
    )
    if not settings.database.exists():
        raise nothing
    with serving(settings, told=False) as service:
        ledger = service.ledger
        if not ledger.threads(most=1):
            raise nothing
        thread = app.one_thread(ledger, digest, networks, names)
        with ledger.sending(thread.account, now()):
            thread = ledger.refresh(thread.number)
            if position >= len(thread.posts):
                raise BotError(f"{thread.digest} has posts 0 to {len(thread.posts) - 1}")
            state = thread.posts[position].state
            if state not in (State.UNKNOWN, State.HELD):
                raise BotError(
                    f"post {position} of {thread.digest} is {state}: there is nothing to settle",
                    "To take a thread back: bot retract.",
                )
            if unsent:
                ledger.settle(thread.number, position, None, "", now())
        if post_id:
            owner = ledger.fact(thread.account, "id") or ""
            known_as = post_id = id_of(thread.network, post_id, owner)
            (account,) = ready_accounts(settings, (), (thread.account,))
            served = service.serve(
                account, lambda desk: desk.settle(thread.number, position, known_as)
            )
            if served.end is not End.DONE:
                echo(f"{thread.account}: {served.reason}", err=True)
                return status_of_served([served])
    decided = f"sent as {post_id}" if post_id else "not out, and planned"
    echo(f"Post {position} of {thread.digest} on {thread.account} is {decided}.")
    echo(f"Go on with: bot post {argument(thread.digest)}")
    return 0
