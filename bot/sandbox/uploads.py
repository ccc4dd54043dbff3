"""A file that was uploaded to a network, and the check of its media type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

# How files of each type begin.
_BEGINNINGS: Mapping[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}


@dataclass(frozen=True, slots=True)
class Medium:
    """A file as a network stores it. `alt` is its description, empty without one."""

    id: str
    data: bytes = field(repr=False)
    type: str
    uploaded: datetime
    alt: str = ""


def type_of(data: bytes) -> str:
    """Return the media type of an image by its first bytes, or an empty text."""
    return next((kind for kind, begins in _BEGINNINGS.items() if data.startswith(begins)), "")
