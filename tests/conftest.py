"""How the whole suite runs."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# before any of them is imported, so that a failed assert in a helper shows its values
pytest.register_assert_rewrite("tests.helpers")

from tests.helpers.health_checks import SUITE  # noqa: E402 - it is a helper

# A slow or busy machine is no failure.
settings.register_profile("suite", deadline=None, suppress_health_check=SUITE)
settings.load_profile("suite")


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than there are processors, since some tests wait for processes."""
    return (os.cpu_count() or 1) + 1
