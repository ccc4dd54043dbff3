"""Stores the bytes of pictures from the plan of a post until the post is published."""

from __future__ import annotations

from bot.ledger.base import Base


class Pictures(Base):
    """The part of the ledger about pictures."""

    def picture(self, number: int, position: int) -> bytes:
        """Return the bytes of a post's picture; empty where it has none, or they are deleted."""
        rows = self._fetch(
            "SELECT data FROM pictures WHERE thread = :number AND position = :position",
            number=number,
            position=position,
        )
        return bytes(rows[0][0]) if rows else b""
