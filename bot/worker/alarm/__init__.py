"""Raising a hand: what a person should know, told once, and once when it is over."""
