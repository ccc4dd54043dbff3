"""Paths of the checkout, the samples, and the corpus of real digests, which a clone lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "bot" / "samples"
SHARED = ROOT.parent / "shared"

corpus_only = pytest.mark.skipif(
    not (SHARED / "corpus").is_dir(), reason="the corpus of real digests is not beside this clone"
)


def corpus() -> list[Path]:
    return sorted((SHARED / "corpus").glob("*/*.md"))
