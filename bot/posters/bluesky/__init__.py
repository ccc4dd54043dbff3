"""Bluesky: its API (XRPC) over plain HTTP."""
