"""Calls to Bluesky's stand-in as the tests make them: records, blobs, and what was answered."""

from __future__ import annotations

from dataclasses import replace

import requests

from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour
from bot.sandbox.bluesky.lexicons import POST
from tests.helpers.sandbox_clients import BlueskyClient

SERVER, REPO = "com.atproto.server.", "com.atproto.repo."
KEY, OTHER = "3jui7kd54zh2y", "3jui7kd54zh2z"
HELLO = {"$type": POST, "text": "hello", "createdAt": "2026-03-01T12:00:00.000Z"}
OTHER_CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
PNG = b"\x89PNG\r\n\x1a\n0123456789"


def behaviour_with(**changes: object) -> BlueskyBehaviour:
    return replace(BSKY_SOCIAL, **changes)  # type: ignore[arg-type]


def error_of(answer: requests.Response) -> tuple[int, str, str]:
    """An error's status, name and message."""
    value = answer.json()
    assert set(value) == {"error", "message"}
    return answer.status_code, value["error"], value["message"]


def invalid(message: str) -> tuple[int, str, str]:
    return 400, "InvalidRequest", message


def get(it: BlueskyClient, key: str = KEY, **more: str) -> requests.Response:
    asked = {"repo": it.rules.account, "collection": POST, "rkey": key, **more}
    return it.call(f"{REPO}getRecord", asked)


def delete(it: BlueskyClient, key: str = KEY, **more: object) -> requests.Response:
    asked = {"repo": it.rules.account, "collection": POST, "rkey": key, **more}
    return it.call(f"{REPO}deleteRecord", asked)


def create(it: BlueskyClient, record: object = HELLO, **more: object) -> requests.Response:
    asked = {"repo": it.rules.account, "collection": POST, "record": record, **more}
    return it.call(f"{REPO}createRecord", asked)


def upload(it: BlueskyClient, data: bytes = PNG, mime: str = "image/png") -> dict[str, object]:
    answer = it.send(f"{REPO}uploadBlob", data, mime)
    assert answer.status_code == 200, answer.text
    blob: dict[str, object] = answer.json()["blob"]
    return blob
