"""Delivers: decides what to do next, recognises our own posts, and carries a thread to its end."""
