"""A small PNG with its alternative text."""

from __future__ import annotations

PNG = b"\x89PNG\r\n\x1a\n\x00picture\r\n--not-the-boundary\r\n\xff"
ALT = "A chart: 1. Émile's paper – 7,779 retweets"
