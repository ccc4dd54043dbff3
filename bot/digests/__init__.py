"""Reads: finds the latest digest at a source, and turns its text into the model."""
