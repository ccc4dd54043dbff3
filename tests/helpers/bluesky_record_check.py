"""Checks a record of a Bluesky post as a server does, by the lexicon's schema."""

from __future__ import annotations

import json

from bot.posters.bluesky.records import POST
from bot.sandbox.bluesky.cbor import Data
from bot.sandbox.bluesky.data import read
from bot.sandbox.bluesky.lexicons import SCHEMA


def read_back(made: dict[str, object]) -> Data:
    return read(json.dumps(made, ensure_ascii=False).encode())


def check_record(made: dict[str, object]) -> None:
    """Refuse what the stand-in refuses, as a real server does."""
    SCHEMA.check(read_back(made), SCHEMA.definitions[POST])
