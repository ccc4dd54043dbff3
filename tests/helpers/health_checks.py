"""Hypothesis's health checks that some tests turn off besides those of the suite's profile."""

from __future__ import annotations

from hypothesis import HealthCheck

# A test that names its own checks does not get those of the profile.
SUITE = (HealthCheck.too_slow,)
SHARED_FIXTURE = (*SUITE, HealthCheck.function_scoped_fixture)
"""For a test whose examples all use one fixture, such as a server, and leave it as it was."""
