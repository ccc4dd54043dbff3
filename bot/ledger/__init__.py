"""Remembers: what was planned, tried and sent, in SQLite."""
