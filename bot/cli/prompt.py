"""Talking to a person before a screen: standard error to speak, standard input to listen.

Standard output is for what a command is asked for, and may be somebody's .env. click's own prompt
writes a blank to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bot.cli.common import echo


def say(*lines: str) -> None:
    """Tell the person something."""
    for line in lines:
        echo(line, err=True)


def ask(question: str) -> str:
    """Ask the person for a line. Raises EOFError where none is to come."""
    echo(question, nl=False, err=True)
    try:
        line = sys.stdin.readline() if sys.stdin else ""
    except UnicodeDecodeError:
        return ""
    if not line:
        raise EOFError
    return line.strip()


def ask_unseen(question: str) -> str:
    """Ask for a line that is not shown while it is typed. Raises EOFError where none is to come.

    Not with `getpass`: it asks the terminal even where the answer is piped in.
    """
    with _no_echo():
        return ask(question)


@contextmanager
def _no_echo() -> Iterator[None]:
    """Let the terminal show nothing of what is typed; without a terminal nothing is shown."""
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
        echo(err=True)  # the line's end was not shown either
