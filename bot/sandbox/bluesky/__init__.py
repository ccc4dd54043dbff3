"""Simulate a personal data server (PDS) of Bluesky, which answers XRPC. Pure."""
