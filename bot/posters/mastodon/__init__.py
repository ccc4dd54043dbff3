"""Mastodon and the other servers with its API, through mastodon.py."""
