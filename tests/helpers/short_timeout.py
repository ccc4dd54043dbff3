"""Lets a poster give up soon on the requests that a test leaves unanswered, and on no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.posters import api_session as http

SHORT = 0.3


def always() -> bool:
    return True


@contextmanager
def short_timeout(applies: Callable[[], bool] = always) -> Iterator[None]:
    """Within the block a request is given up after 0.3 seconds if `applies` says so as it starts.

    All other requests keep the time that their poster was opened with: a slow machine may need more
    than 0.3 seconds for an answer, and must not fail a test by that.
    """
    start, own = http._Adapter.start, dict[http._Adapter, float]()

    def hurried(adapter: http._Adapter) -> None:
        usual = own.setdefault(adapter, getattr(adapter, "_timeout", SHORT))
        adapter._timeout = SHORT if applies() else usual
        start(adapter)

    http._Adapter.start = hurried  # type: ignore[method-assign, assignment] # put back below
    try:
        yield
    finally:
        http._Adapter.start = start  # type: ignore[method-assign]
        for adapter, usual in own.items():
            adapter._timeout = usual
