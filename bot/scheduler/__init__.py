"""Keeps going: rings when a pass is due, makes it, says how it went, and raises its hand."""
