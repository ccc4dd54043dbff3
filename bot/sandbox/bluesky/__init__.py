"""Bluesky, a personal data server (PDS) as it answers XRPC: the rules, pure."""
