"""Simulate Mastodon, and other servers with its API. Pure."""
