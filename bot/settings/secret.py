"""Keep tokens, keys and passwords out of all output."""

from __future__ import annotations

from typing import Never


class Secret:
    """Secret text: every way to print it shows `***`, and only `reveal` returns it.

    It is not a `str`, so no code can join, slice or serialise it by accident; pickling raises
    TypeError.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __getstate__(self) -> Never:
        raise TypeError("a secret cannot be pickled")
