"""`bot sandbox`: the networks on this machine, with a page."""

from __future__ import annotations

import click

from bot.cli.common import echo
from bot.cli.signals import until_signal

at_port = click.option(
    "--port",
    type=click.IntRange(0, 65_000),
    default=0,
    help="Where the page is; the networks take the three ports after it. Any by default.",
)


@click.command(short_help="Start the networks on your own machine, with a page.")
@at_port
def sandbox(port: int) -> int:
    """Start stand-ins for the networks on this machine, and a page that shows what arrives.

    Set what is printed, and run bot post elsewhere: the real program, whose posts no reader sees.
    On the page the networks can be made to fail. Ctrl-C ends it, and all of it is gone.

    Reads no settings, neither from the environment nor from .env.
    """
    from bot.demo import demo

    with until_signal() as wait:
        demo.sandbox(port, wait, echo)
    return 0
