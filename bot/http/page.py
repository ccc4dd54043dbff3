"""A page that is fetched: how large it may be, and what a server says of its version."""

from __future__ import annotations

from dataclasses import dataclass

SIZE_CAP = 1_000_000
"""Bytes of a digest: fourteen times the largest that is known. Nothing larger is read."""
FEED_CAP = 20_000_000
"""Bytes of a feed, decoded. A feed is read as it comes, and little of it is kept."""


@dataclass(frozen=True, slots=True)
class CacheValidators:
    """What a server said of the version it sent (RFC 9110, section 8.8); sent back to it next time.

    Both stand here as they came and are empty where the server said nothing; without either they
    are false, and nothing can be unchanged.
    """

    etag: str = ""
    last_modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)
