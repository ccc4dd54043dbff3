"""Republish daily digests of papers as social threads, every post exactly once."""

__version__ = "0.1.0"
