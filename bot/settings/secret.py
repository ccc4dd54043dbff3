"""Text that must not be seen: tokens, keys, passwords."""

from __future__ import annotations

from typing import Never


class Secret:
    """Text that shows itself as `***`, however it is printed; only `reveal` gives it.

    It is no `str`, so nothing can join, slice or serialise it by accident; pickling is refused.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, for the one call that needs it."""
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
        raise TypeError("a secret is not written down")
