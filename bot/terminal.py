"""Make text from outside safe for a terminal, a shell and a file of settings. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar, cast

T = TypeVar("T")

# Control characters except tab and line feed, C1, characters that change the direction of text or
# break a line, invisible ones that could hide in a name, and surrogates, which no output encodes.
_COMMANDING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
_LAYOUT = {ord("\t"): r"\t", ord("\n"): r"\n"}
_BARE = re.compile(r"[A-Za-z0-9_.,:/@%+=^-]+")
_KEPT_BY_SHELL = re.compile(r"[^\"$`\\!]*")
_ALIKE_IN_QUOTES = re.compile(r"(?:[^'\\]|\\(?![\\'])(?!\Z))*")


def visible(text: str) -> str:
    """Return `text` with escapes for characters that control a terminal or mislead a reader."""
    return _COMMANDING.sub(lambda found: ascii(found[0])[1:-1], text)


def visible_json(text: str) -> str:
    """Return JSON of the same meaning, with JSON's escapes for these characters."""
    return _COMMANDING.sub(lambda found: json.dumps(found[0])[1:-1], text)


def visible_name(name: str) -> str:
    """Return a slug on one line, as it is printed and can be typed (see `bot.ledger.find`)."""
    return visible(name).translate(_LAYOUT)


def argument(name: str) -> str:
    """Return a slug as the last argument of a shell command that is printed to be copied."""
    quoted = shlex.quote(visible_name(name))
    return f"-- {quoted}" if name.startswith("-") else quoted


def setting(name: str, value: str) -> str:
    """Return the line of `.env` that sets a variable, in quotes only where it needs them.

    A shell reads the same value from it, unless the value holds both a single quote and a character
    that a shell replaces in double quotes; no line gives both readers such a value.
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
    """Return `value` with `change` applied to each text in it, in data classes, lists and dicts."""
    changed: object = value
    match value:
        case Enum() | type():
            pass
        case str():
            changed = change(value)
        case list() | tuple():
            changed = type(value)(each_text(each, change) for each in value)
        case Mapping():
            changed = {
                each_text(name, change): each_text(each, change) for name, each in value.items()
            }
        case _ if is_dataclass(value):
            new = {
                each.name: each_text(getattr(value, each.name), change) for each in fields(value)
            }
            changed = replace(cast("Any", value), **new)
        case _:
            pass
    return cast("T", changed)
