"""`bot demo`: a sample thread, published to the networks on this machine."""

from __future__ import annotations

import click

from bot.cli.common import echo
from bot.cli.sandbox import at_port
from bot.cli.signals import until_signal


@click.command(short_help="See a thread published on your own machine; no account needed.")
@at_port
def demo(port: int) -> int:
    """Publish a sample thread to stand-ins for X, Mastodon and Bluesky, before your eyes.

    They are on this machine, and nothing leaves it; no account is needed. Open the address that is
    printed, and let the networks fail there: the bot gets through it. Ctrl-C ends it, and nothing
    is left behind.

    Reads no settings, neither from the environment nor from .env.
    """
    from bot.demo.demo import demo as run

    with until_signal() as wait:
        run(port, wait, echo)
    return 0
