"""What a thread and a post are, whatever their words: the same from any worker and any ledger."""

from __future__ import annotations

import hashlib
import json

from bot.model import Digest, Network


def key(account: str, digest: str, generation: int, part: str) -> str:
    """The key of a post: 32 hexadecimal characters, a function of what it is and of nothing else.

    Never of text, clock, address or position: the same post has the same key after its template
    changed, on another machine, and with an empty ledger.
    """
    named = "\x1f".join((account, digest, str(generation), part))
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def fingerprint(digest: Digest) -> str:
    """What tells one state of a digest from another: its title and papers, not the count's time."""
    papers = [
        (paper.rank, paper.arxiv_id, paper.title, paper.authors, paper.abstract)
        for paper in digest.papers
    ]
    told = json.dumps([digest.title, papers], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def reads_for_free(network: Network) -> bool:
    """Whether reading back what was sent costs nothing, so that every thread is checked whole."""
    return network is not Network.TWITTER
