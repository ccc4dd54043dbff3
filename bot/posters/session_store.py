"""Where a session is kept between two processes, for a network that one logs in to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionStore:
    """Reads and keeps an account's session, which is a secret; by itself it keeps nothing.

    `owner` tells whose session it is: one of another owner is none.
    """

    owner: str = ""
    read: Callable[[], str] = lambda: ""
    keep: Callable[[str], None] = lambda _: None
