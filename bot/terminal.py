"""Text from outside that goes to a terminal, to a shell or to a file of settings. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar, cast

T = TypeVar("T")

# Controls but tab and line feed, C1, what turns the direction of text or breaks a line, what has
# no shape and may stand in a name unseen, and halves of characters, which no output can encode.
_COMMANDING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
_LAYOUT = {ord("\t"): r"\t", ord("\n"): r"\n"}
_BARE = re.compile(r"[A-Za-z0-9_.,:/@%+=^-]+")
_KEPT_BY_SHELL = re.compile(r"[^\"$`\\!]*")
_ALIKE_IN_QUOTES = re.compile(r"(?:[^'\\]|\\(?![\\'])(?!\Z))*")


def visible(text: str) -> str:
    """Return `text` with escapes for what would command a terminal or deceive."""
    return _COMMANDING.sub(lambda found: ascii(found[0])[1:-1], text)


def visible_json(text: str) -> str:
    """Return JSON that says the same, with its own escapes for these characters."""
    return _COMMANDING.sub(lambda found: json.dumps(found[0])[1:-1], text)


def visible_name(name: str) -> str:
    """Return a slug on one line, as it is printed and may be typed (see `bot.ledger.find`)."""
    return visible(name).translate(_LAYOUT)


def argument(name: str) -> str:
    """Return a slug as a shell's argument, the last of a command that is printed to be copied."""
    quoted = shlex.quote(visible_name(name))
    return f"-- {quoted}" if name.startswith("-") else quoted


def setting(name: str, value: str) -> str:
    """Return the line of `.env` that sets a variable, in quotes only where it needs them.

    A shell reads the same, but for a value with both a quote of its own and what a shell replaces
    in double quotes, which no line can say to both.
    """
    if _BARE.fullmatch(value):
        return f"{name}={value}"
    if _ALIKE_IN_QUOTES.fullmatch(value):
        return f"{name}='{value}'"
    if _KEPT_BY_SHELL.fullmatch(value):
        return f'{name}="{value}"'
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def each_text(value: T, change: Callable[[str], str]) -> T:
    """Return `value` with `change` made to every text in it, through data classes and lists."""
    made: object = value
    match value:
        case Enum() | type():
            pass
        case str():
            made = change(value)
        case list() | tuple():
            made = type(value)(each_text(each, change) for each in value)
        case Mapping():
            made = {
                each_text(name, change): each_text(each, change) for name, each in value.items()
            }
        case _ if is_dataclass(value):
            changed = {
                each.name: each_text(getattr(value, each.name), change) for each in fields(value)
            }
            made = replace(cast("Any", value), **changed)
        case _:
            pass
    return cast("T", made)
