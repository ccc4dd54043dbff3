"""Checks a record of a Bluesky post as a server does, by the lexicon."""

from __future__ import annotations

import json

from bot.sandbox.bluesky.lexicons import check_post


def check_record(made: dict[str, object]) -> None:
    """Refuse what the stand-in refuses, as a real server does."""
    check_post(json.loads(json.dumps(made, ensure_ascii=False)))
