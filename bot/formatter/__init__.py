"""Pure: a digest and an account in, the exact posts of a thread out."""
