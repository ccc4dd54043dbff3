"""Simulate X's API. Pure."""
