"""Build the exact posts of a thread from a digest and an account."""
