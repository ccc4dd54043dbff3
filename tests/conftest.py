"""How the whole suite runs."""

from __future__ import annotations

import os

import pytest

# before any of them is imported, so that a failed assert in a helper shows its values
pytest.register_assert_rewrite("tests.helpers")


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than there are processors, since some tests wait for processes."""
    return (os.cpu_count() or 1) + 1
