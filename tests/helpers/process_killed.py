"""The exception that stands for the end of the process in tests that run `bot` in their own."""

from __future__ import annotations


class ProcessKilled(BaseException):
    """The process is killed here. No `except Exception` of the program catches it."""
