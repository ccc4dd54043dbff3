"""Paths of the checkout, the samples, and the corpus of real digests, which a clone lacks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "bot" / "samples"
SHARED = ROOT.parent / "shared"
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a ledger there waits for no disk

corpus_only = pytest.mark.skipif(
    not (SHARED / "corpus").is_dir(), reason="the corpus of real digests is not beside this clone"
)


def corpus() -> list[Path]:
    return sorted((SHARED / "corpus").glob("*/*.md"))


def memory_disk() -> Path | None:
    """The folder of a disk in memory; None where the machine has none."""
    return MEMORY_DISK if MEMORY_DISK.is_dir() and os.access(MEMORY_DISK, os.W_OK) else None
