"""Delivers threads: decides the next step, recognises published posts, sends and deletes posts."""
