"""RSS and Atom feeds of digests."""
