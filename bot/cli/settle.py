"""`bot settle`: record a person's decision about a post that is unknown or held."""

from __future__ import annotations

import click

from bot.cli.common import (
    ProcessContext,
    account_options,
    echo,
    ready_accounts,
    settings_of,
    status_of_results,
)
from bot.cli.serving import now, open_publisher
from bot.errors import BotError, SettingsError
from bot.model import Network, State
from bot.terminal import argument


@click.command(short_help="Say whether an unknown or held post is published.")
@click.argument("digest")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--sent", "post_id", metavar="ID", help="It is published, with this id.")
@click.option("--unsent", is_flag=True, help="It is not published. The next run sends it.")
@account_options
@click.pass_obj
def settle(  # noqa: PLR0913 - an option each
    context: ProcessContext,
    *,
    digest: str,
    number: int,
    post_id: str | None,
    unsent: bool,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
) -> int:
    """Say whether an unknown or held post is published, if the program cannot find out.

    DIGEST is a slug or a date. NUMBER is the post's number in bot status, from 1.
    """
    from bot.delivery.types import End
    from bot.ledger.find import find_thread
    from bot.posters.post_id import id_of

    if unsent == bool(post_id):
        raise click.UsageError("Give either --sent ID or --unsent.")
    settings = settings_of(context)
    empty = SettingsError(
        f"the ledger {settings.database} holds no thread, so there is nothing to settle",
        "Run bot post. It finds the published posts on the network.",
    )
    if not settings.database.exists():
        raise empty
    with open_publisher(settings, progress=False) as publisher:
        ledger = publisher.ledger
        if not ledger.threads(most=1):
            raise empty
        thread = find_thread(ledger, digest, networks, names)
        with ledger.sending(thread.account, now()):
            thread = ledger.refresh(thread.number)
            if number > len(thread.posts):
                raise BotError(
                    f"there is no post {number} in {thread.digest}",
                    f"Give a number from 1 to {len(thread.posts)}.",
                )
            state = thread.posts[number - 1].state
            if state not in (State.UNKNOWN, State.HELD):
                raise BotError(
                    f"post {number} of {thread.digest} is {state}, so there is nothing to settle",
                    "To delete a thread: bot retract.",
                )
            if unsent:
                ledger.settle(thread.number, number - 1, None, "", now())
        if post_id:
            owner = ledger.get_fact(thread.account, "id") or ""
            sent_id = post_id = id_of(thread.network, post_id, owner)
            (account,) = ready_accounts(settings, (), (thread.account,))
            result = publisher.serve(
                account, lambda one: one.settle(thread.number, number - 1, sent_id)
            )
            if result.end is not End.DONE:
                echo(f"{thread.account}: {result.reason}", err=True)
                return status_of_results([result])
    decision = f"sent, with the id {post_id}" if post_id else "not sent, and planned again"
    echo(f"Post {number} of {thread.digest} on {thread.account} is recorded as {decision}.")
    echo(f"Continue with: bot post {argument(thread.digest)}")
    return 0
