"""Check a value by its kind, https://atproto.com/specs/lexicon.

A check stops at the first error, with the message of @atproto/lex-schema. Unknown fields are
allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.formatter.limits import bluesky_length
from bot.sandbox.bluesky.cbor import MOST, Data
from bot.sandbox.bluesky.cids import Cid
from bot.sandbox.bluesky.data import blob_of, step
from bot.sandbox.bluesky.formats import CALLED, FORMATS
from bot.sandbox.bluesky.kinds import (
    AnyOf,
    Anything,
    BlobKind,
    Fields,
    Flag,
    Kind,
    Many,
    Named,
    Text,
    Whole,
)

_TYPE = "$type"
_SHOWN = 256
_FEW = 2


class Invalid(Exception):
    """Raised for a value of the wrong kind. `where` is the path in the value, such as `$.text`."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"{reason} at {where}")
        self.reason = reason
        self.where = where


@dataclass(frozen=True, slots=True)
class Schema:
    """The definitions of named kinds, and the check of values."""

    definitions: Mapping[str, Kind] = field(default_factory=dict)

    def check(self, value: Data, kind: Kind, where: str = "$") -> None:
        """Raise Invalid unless the value is of this kind."""
        match kind:
            case Text():
                _check_text(value, kind, where)
            case Whole():
                _check_whole(value, kind, where)
            case BlobKind():
                _check_file(value, kind, where)
            case Flag():
                _expect(isinstance(value, bool), "boolean", value, where)
            case Anything():
                _expect(isinstance(value, Mapping), "object", value, where)
            case _:
                self._check_within(value, kind, where)

    def _check_within(self, value: Data, kind: Many | Fields | Named | AnyOf, where: str) -> None:
        match kind:
            case Many():
                self._check_list(value, kind, where)
            case Fields():
                self._check_fields(value, kind, where)
            case Named():
                self._check_named(value, kind.name, where)
            case _:
                self._check_union(value, kind, where)

    def _check_list(self, value: Data, kind: Many, where: str) -> None:
        items = _list(value)
        if items is None:
            raise _mistyped("array", value, where)
        _check_most("array", len(items), kind.most, where)
        for index, each in enumerate(items):
            self.check(each, kind.each, step(where, index))

    def _check_fields(self, value: Data, kind: Fields, where: str) -> None:
        if not isinstance(value, Mapping):
            raise _mistyped("object", value, where)
        for name, each in kind.kinds.items():
            if name in value:
                if value[name] is not None or name not in kind.nullable:
                    self.check(value[name], each, step(where, name))
            elif name in kind.required:
                raise Invalid(f'Missing required key "{name}"', where)

    def _check_named(self, value: Data, name: str, where: str) -> None:
        if isinstance(value, Mapping) and value.get(_TYPE, name) != name:
            raise Invalid(f'Expected "{name}" (got {_word(value[_TYPE])})', step(where, _TYPE))
        self.check(value, self.definitions[name], where)

    def _check_union(self, value: Data, kind: AnyOf, where: str) -> None:
        if not isinstance(value, Mapping) or _TYPE not in value:
            wanted = 'an object which includes the "$type" property'
            raise _mistyped(wanted, value, where)
        name = value[_TYPE]
        if isinstance(name, str) and name in kind.names:
            self._check_named(value, name, where)
        elif kind.closed:
            raise Invalid(f"Expected {_one_of(kind.names)} (got {_word(name)})", f"{where}.{_TYPE}")
        else:
            _expect(isinstance(name, str), "string", name, f"{where}.{_TYPE}")


def _check_text(value: Data, kind: Text, where: str) -> None:
    if not isinstance(value, str):
        raise _mistyped("string", value, where)
    _check_most("string", len(value.encode()), kind.most, where)
    if kind.graphemes is not None:
        _check_most("grapheme", bluesky_length(value), kind.graphemes, where)
    if kind.format and not FORMATS[kind.format](value):
        called = CALLED.get(kind.format, kind.format)
        raise Invalid(f"Invalid {called} (got {_word(value)})", where)


def _check_whole(value: Data, kind: Whole, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MOST:
        raise _mistyped("integer", value, where)
    if value < kind.least:
        raise Invalid(f"integer too small (minimum {kind.least}, got {value})", where)
    _check_most("integer", value, kind.most, where)


def _check_file(value: Data, kind: BlobKind, where: str) -> None:
    found = blob_of(value)
    if found is None:
        raise _mistyped("blob", value, where)
    _, mime, size = found
    kinds = {mime, f"{mime.partition('/')[0]}/*"}
    if kind.accept and not kinds & set(kind.accept):
        raise Invalid(
            f"Expected {_one_of(kind.accept)} (got {_word(mime)})", step(where, "mimeType")
        )
    _check_most("blob", size, kind.most, where)


def _check_most(what: str, count: int, most: int | None, where: str) -> None:
    if most is not None and count > most:
        raise Invalid(f"{what} too big (maximum {most}, got {count})", where)


def _expect(fits: bool, kind: str, value: Data, where: str) -> None:  # noqa: FBT001 - a condition
    if not fits:
        raise _mistyped(kind, value, where)


def _mistyped(kind: str, value: Data, where: str) -> Invalid:
    return Invalid(f"Expected {kind} value type (got {_word(value)})", where)


def _list(value: Data) -> Sequence[Data] | None:
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return value if listed and isinstance(value, Sequence) else None


def _one_of(names: Sequence[str]) -> str:
    words = [_word(name) for name in names]
    if len(words) == 1:
        return words[0]
    return f"one of {', '.join(words[:-1])} or {words[-1]}"


def _word(value: Data) -> str:
    """Return a value as messages show it, in shortened JSON."""
    if isinstance(value, Cid):
        return "cid"
    if isinstance(value, bytes):
        return "object"
    if isinstance(value, str):
        cut = value if len(value) < _SHOWN else f"{value[: _SHOWN - 1]}…"
        return json.dumps(cut, ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{{_some([f'{json.dumps(key)}: ...' for key in value])}}}"
    if isinstance(value, Sequence):
        return f"[{_some([_word(each) for each in value])}]"
    return json.dumps(value)


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:_FEW]) + (", ..." if len(words) > _FEW else "")
