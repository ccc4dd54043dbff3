"""`bot settle`: a person decides about a post that the program cannot decide about."""

from __future__ import annotations

import click

from bot.cli.common import (
    ProcessContext,
    choosing,
    echo,
    ready_accounts,
    settings_of,
    status_of_served,
)
from bot.cli.serving import now, serving
from bot.errors import BotError, SettingsError
from bot.model import Network, State
from bot.terminal import argument


@click.command(short_help="Decide what became of an unknown or held post.")
@click.argument("digest")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--sent", "post_id", metavar="ID", help="It is out, under this id.")
@click.option("--unsent", is_flag=True, help="It is not out: send it.")
@choosing
@click.pass_obj
def settle(  # noqa: PLR0913 - an option each
    surroundings: ProcessContext,
    *,
    digest: str,
    number: int,
    post_id: str | None,
    unsent: bool,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
) -> int:
    """Decide what became of a post that is unknown or held, where the program cannot.

    DIGEST is a slug or a date, NUMBER the post's number in bot status, from 1.
    """
    from bot.delivery.types import End
    from bot.ledger.find import find_thread
    from bot.posters.post_id import id_of

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
        thread = find_thread(ledger, digest, networks, names)
        with ledger.sending(thread.account, now()):
            thread = ledger.refresh(thread.number)
            if number > len(thread.posts):
                raise BotError(f"{thread.digest} has posts 1 to {len(thread.posts)}")
            state = thread.posts[number - 1].state
            if state not in (State.UNKNOWN, State.HELD):
                raise BotError(
                    f"post {number} of {thread.digest} is {state}: there is nothing to settle",
                    "To take a thread back: bot retract.",
                )
            if unsent:
                ledger.settle(thread.number, number - 1, None, "", now())
        if post_id:
            owner = ledger.get_fact(thread.account, "id") or ""
            known_as = post_id = id_of(thread.network, post_id, owner)
            (account,) = ready_accounts(settings, (), (thread.account,))
            served = service.serve(
                account, lambda publisher: publisher.settle(thread.number, number - 1, known_as)
            )
            if served.end is not End.DONE:
                echo(f"{thread.account}: {served.reason}", err=True)
                return status_of_served([served])
    decided = f"sent as {post_id}" if post_id else "not out, and planned"
    echo(f"Post {number} of {thread.digest} on {thread.account} is {decided}.")
    echo(f"Go on with: bot post {argument(thread.digest)}")
    return 0
