"""The one way out to the network: addresses, deadlines, sizes, redirects, and errors in words."""
