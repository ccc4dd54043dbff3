"""Mastodon, and the servers that speak its API, as they answer: the rules, pure."""
