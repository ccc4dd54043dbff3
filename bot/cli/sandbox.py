"""`bot sandbox`: start simulated networks on this machine, with a page."""

from __future__ import annotations

import click

from bot.cli.common import echo
from bot.cli.signals import until_signal

at_port = click.option(
    "--port",
    type=click.IntRange(0, 65_000),
    default=0,
    help="Port of the page. The networks use the next three ports. Default: any free port.",
)


@click.command(short_help="Start simulated networks for your own bot to post to.")
@at_port
def sandbox(port: int) -> int:
    """Start simulated networks on this machine, and a page that shows the posts.

    Copy the printed settings into another terminal and run bot post there. It is the real program,
    but no reader sees its posts. On the page you can make the networks fail. Ctrl-C ends the
    sandbox and deletes everything in it.

    Reads no settings, neither from the environment nor from .env.
    """
    from bot.demo import demo

    with until_signal() as wait:
        demo.sandbox(port, wait, echo)
    return 0
