"""`bot demo`: publish a sample thread to simulated networks on this machine."""

from __future__ import annotations

import click

from bot.cli.common import echo
from bot.cli.sandbox import at_port
from bot.cli.signals import until_signal


@click.command(short_help="Watch a thread being published on your own machine.")
@at_port
def demo(port: int) -> int:
    """Publish a sample thread to simulated networks, and watch it on a page.

    X, Mastodon and Bluesky are simulated on this machine. Nothing leaves it, and no account is
    needed. Open the address that is printed. On that page you can make the networks fail, and
    watch the bot recover. Ctrl-C ends the demo and deletes its files.

    Reads no settings, neither from the environment nor from .env.
    """
    from bot.demo.demo import demo as run

    with until_signal() as wait:
        run(port, wait, echo)
    return 0
