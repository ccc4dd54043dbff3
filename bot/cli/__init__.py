"""The command line: parse, build, call, print. What is done is done elsewhere.

Exit statuses are a contract (README, "For programs"): 0 done or nothing to do, 1 something failed
or a digest is malformed, 2 wrong usage or settings, 75 not finished but will be by running again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from bot import __version__
from bot.errors import BotError, SettingsError, Unreachable
from bot.model import Network

if TYPE_CHECKING:
    from bot.checks import Finding
    from bot.digests.reading import Reading

FAILED = 1
USAGE = 2
LATER = 75


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the program takes from the process it runs in; tests pass their own."""

    environ: Mapping[str, str]
    folder: Path


def main() -> NoReturn:
    """Run the command line of this process, and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show a character gets an escape in its place, not a traceback
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = run(sys.argv[1:], Surroundings(os.environ, Path.cwd()))
        sys.stdout.flush()
    except OSError as error:
        click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is tried at exit
        status = FAILED
    sys.exit(status)


def run(arguments: Sequence[str], surroundings: Surroundings) -> int:
    """Run one command and return its exit status; every error a user can cause is printed."""
    color = False if surroundings.environ.get("NO_COLOR") else None
    try:
        status = cli.main(
            list(arguments), "bot", standalone_mode=False, obj=surroundings, color=color
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        return LATER
    except BotError as error:
        click.echo(f"{click.style('Error:', fg='red')} {error}", err=True)
        return _status(error)
    return status if isinstance(status, int) else 0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bot")
def cli() -> None:
    """Republish daily digests of papers as social threads, every post exactly once.

    Settings come from the environment, from .env and from bot.toml in this folder. See what would
    go out, with no account at all:

        bot post --dry-run
    """


@cli.command()
@click.argument("digest", required=False)
@click.option("--dry-run", is_flag=True, help="Print every post of the plan; send nothing.")
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=click.Choice(Network, case_sensitive=False),
    help="Only accounts on this network; may be repeated.",
)
@click.option("--account", "names", multiple=True, help="Only this account; may be repeated.")
@click.option("--top", type=click.IntRange(min=0), help="Papers in a thread; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("-v", "--verbose", is_flag=True, help="Say more of each post.")
@click.pass_obj
def post(  # noqa: PLR0913 - an option each
    surroundings: Surroundings,
    *,
    digest: str | None,
    dry_run: bool,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    top: int | None,
    as_json: bool,
    verbose: bool,
) -> int:
    """Plan the threads of one digest, and deliver them.

    DIGEST is a date (2021-06-22), a slug, a file or a URL; without it, the latest at the source is
    taken. The source is BOT_DIGESTS; without it, a dry run takes the samples in the package.
    """
    from bot import app  # noqa: PLC0415 - loads at first use
    from bot.settings import load, offered  # noqa: PLC0415 - loads at first use

    if not dry_run:
        raise SettingsError("this version only plans", "Add --dry-run to see the plan.")
    settings = load(surroundings.environ, surroundings.folder)
    accounts = offered(settings, networks, names)
    reading = app.read(settings, digest, surroundings.folder)
    for warning in (*settings.warnings, *reading.warnings):
        click.echo(f"{click.style('Warning:', fg='yellow')} {warning}", err=True)
    if reading.digest is None:
        return _without_digest(reading, as_json=as_json)
    reason = app.reason_to_wait(reading, settings)
    if reason:
        click.echo(reason, err=True)
    threads = () if reason else app.threads(settings, reading.digest, accounts, top)
    if as_json:
        from bot.show import data  # noqa: PLC0415 - loads at first use

        _print_json(data.plan(reading.digest, reading.source, threads))
    elif threads:
        from bot.show import lines  # noqa: PLC0415 - loads at first use

        _print(
            lines.dry_run(reading.digest, reading.source, threads, width=_width(), verbose=verbose)
        )
    return 0


@cli.command()
@click.option("--offline", is_flag=True, help="Ask no other machine.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, for programs.")
@click.pass_obj
def check(surroundings: Surroundings, *, offline: bool, as_json: bool) -> int:
    """Check settings, accounts, templates and the source, and say how to mend what is wrong."""
    from bot.show import data, lines  # noqa: PLC0415 - loads at first use

    found = []
    for finding in _findings(surroundings, offline=offline):
        found.append(finding)
        if not as_json:
            _print(lines.finding(finding.level, finding.subject, finding.message, finding.mend))
    if as_json:
        _print_json(data.findings(found))
    statuses = {_status(finding.error) for finding in found if finding.error}
    return next((status for status in (USAGE, FAILED, LATER) if status in statuses), 0)


def _findings(surroundings: Surroundings, *, offline: bool) -> Iterator[Finding]:
    from bot import checks  # noqa: PLC0415 - loads at first use
    from bot.settings import load  # noqa: PLC0415 - loads at first use

    try:
        settings = load(surroundings.environ, surroundings.folder)
    except SettingsError as error:
        yield from checks.broken(error)
    else:
        yield from checks.check(settings, offline=offline)


def _without_digest(reading: Reading, *, as_json: bool) -> int:
    """Say why there is no digest; what went wrong is raised."""
    if as_json:
        from bot.show import data  # noqa: PLC0415 - loads at first use

        _print_json(data.plan(None, reading.source, ()))
    if reading.problem:
        raise reading.problem
    return 0


def _status(error: BotError) -> int:
    if isinstance(error, SettingsError):
        return USAGE
    return LATER if isinstance(error, Unreachable) else FAILED


def _width() -> int:
    """Columns of the terminal; 0 where there is none, and lines are left whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
