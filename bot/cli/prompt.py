"""Talk to a person: write to standard error, read from standard input.

Standard output carries the result of a command, and may be a .env file. click's own prompt writes
a blank to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bot.cli.common import echo


def say(*lines: str) -> None:
    """Print lines to standard error."""
    for line in lines:
        echo(line, err=True)


def ask(question: str) -> str:
    """Ask the person for a line. Raises EOFError at the end of the input."""
    echo(question, nl=False, err=True)
    try:
        line = sys.stdin.readline() if sys.stdin else ""
    except UnicodeDecodeError:
        return ""
    if not line:
        raise EOFError
    return line.strip()


def ask_unseen(question: str) -> str:
    """Ask for a line that is not shown while it is typed. Raises EOFError at the end of the input.

    `getpass` is not used, because it asks the terminal even if the answer is piped in.
    """
    with _no_echo():
        return ask(question)


@contextmanager
def _no_echo() -> Iterator[None]:
    """Turn the terminal's echo off, if there is a terminal."""
    import termios

    try:
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
    except (AttributeError, ValueError, OSError, termios.error):
        yield
        return
    quiet = [*before]
    quiet[3] = before[3] & ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        echo(err=True)  # the terminal did not show the end of the line either
