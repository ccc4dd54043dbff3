"""A file that was uploaded to a network, and how networks tell what it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

# How files of each type begin.
_BEGINNINGS: Mapping[str, tuple[bytes, ...]] = MappingProxyType(
    {
        "image/png": (b"\x89PNG\r\n\x1a\n",),
        "image/jpeg": (b"\xff\xd8\xff",),
        "image/gif": (b"GIF87a", b"GIF89a"),
        "image/webp": (b"RIFF",),
    }
)


@dataclass(frozen=True, slots=True)
class Medium:
    """A file as a network keeps it. `alt` says what it shows, empty where nobody said."""

    id: str
    data: bytes = field(repr=False)
    type: str
    uploaded: datetime
    alt: str = ""


def is_image(data: bytes, kind: str) -> bool:
    """Tell whether a file is what its media type says, and that is one that is known here."""
    return data.startswith(_BEGINNINGS.get(kind, ()))
