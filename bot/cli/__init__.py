"""The command line: parse the arguments, call the other folders, print the result.

Exit statuses are a contract (docs/programs.md): 0 done or nothing to do, 1 something failed or is
held, 2 wrong usage or settings, 75 not finished, and running the command again continues.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import NoReturn

import click

from bot import __version__
from bot.cli.check import check
from bot.cli.common import FAILED, LATER, ProcessContext, status_of
from bot.cli.demo import demo
from bot.cli.digest import digest
from bot.cli.login import login
from bot.cli.post import post
from bot.cli.preview import preview
from bot.cli.retract import retract
from bot.cli.run import run as run_worker
from bot.cli.sandbox import sandbox
from bot.cli.settle import settle
from bot.cli.status import status
from bot.errors import BotError
from bot.terminal import visible

__all__ = ["ProcessContext", "cli", "main", "run"]


def main() -> NoReturn:
    """Run the command line of this process, and exit with its status."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a process may have no streams
        # a character that the terminal cannot show is printed as an escape, without a traceback
        stream.reconfigure(errors="backslashreplace")
    asks = bool(sys.stdin and sys.stdout and sys.stdin.isatty() and sys.stdout.isatty())
    try:
        status = run(sys.argv[1:], ProcessContext(os.environ, Path.cwd(), asks))
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        click.echo(f"Error: cannot write the output ({error.strerror})", err=True)
        if sys.stdout:  # Python flushes it once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    sys.exit(status)


def run(arguments: Sequence[str], context: ProcessContext) -> int:
    """Run one command and return its exit status. Errors that a user can cause are printed."""
    color = False if context.environ.get("NO_COLOR") else None
    try:
        status = cli.main(list(arguments), "bot", standalone_mode=False, obj=context, color=color)
    except click.ClickException as error:
        usage = StringIO()
        error.show(usage)
        click.echo(visible(context.redact(usage.getvalue())), err=True, nl=False)
        return error.exit_code
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        return LATER
    except BotError as error:
        message = visible(context.redact(str(error)))
        click.echo(f"{click.style('Error:', fg='red')} {message}", err=True)
        return status_of(error)
    return status if isinstance(status, int) else 0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bot")
def cli() -> None:
    """Republish daily digests of papers as social threads, every post exactly once.

    Settings come from the environment, from .env and from bot.toml in this folder. To see the
    posts first, without any account:

        bot post --dry-run
    """


for command in (
    *(demo, digest, login, post, preview, run_worker, sandbox, status, check, retract, settle),
):
    cli.add_command(command)
