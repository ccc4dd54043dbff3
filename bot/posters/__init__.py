"""Sends: one small file a network, each with its SDK in it and nowhere else."""
