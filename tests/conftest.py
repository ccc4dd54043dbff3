"""How the whole suite runs."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

# before any of them is imported, so that a failed assert in a helper shows its values
pytest.register_assert_rewrite("tests.helpers")

from tests.helpers.health_checks import SUITE  # noqa: E402 - it is a helper
from tests.helpers.paths import memory_disk  # noqa: E402 - it is a helper

# A slow or busy machine is no failure.
settings.register_profile("suite", deadline=None, suppress_health_check=SUITE)
settings.load_profile("suite")
# for `make check`: the tests that name no number of examples have a fifth of them
settings.register_profile("fast", settings.get_profile("suite"), max_examples=20)


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than there are processors, since some tests wait for processes."""
    return (os.cpu_count() or 1) + 1


ENOUGH = 2_000_000_000


def pytest_configure() -> None:
    """Put temporary folders into memory: a ledger waits for its disk at every commit.

    It commits as it does on a disk; a killed process loses nothing of either. TMPDIR is left as it
    is where it is set, and so is a small disk, as containers have.
    """
    disk = memory_disk()
    if disk and "TMPDIR" not in os.environ and shutil.disk_usage(disk).free > ENOUGH:
        os.environ["TMPDIR"] = str(disk)
        tempfile.tempdir = None  # asks the environment again


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker is left alone with it at the end.

    Each of pytest-xdist's workers gets a share of the tests that lie side by side, and first those
    at its beginning; so each share begins with its part of the slow tests.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("slow")]
    fast = [item for item in items if not item.get_closest_marker("slow")]
    items[:] = [
        item for worker in range(workers) for part in (slow, fast) for item in part[worker::workers]
    ]
