"""Compares the stand-ins' answers with recordings and API descriptions of real services."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tests.helpers.paths import SHARED

API = SHARED / "api"


def load(path: Path) -> dict[str, object]:
    text = path.read_text(encoding="utf-8")
    found: object = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def value_at(value: object, *keys: str | int) -> object:
    for key in keys:
        if isinstance(key, int):
            assert isinstance(value, list)
            value = value[key]
        else:
            assert isinstance(value, dict)
            value = value[key]
    return value


def differences(ours: object, theirs: object, where: str = "") -> Iterator[str]:
    """What of our answer the recorded one does not have, or has as another kind of value."""
    if ours is None or theirs is None:
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours.keys() - theirs.keys():
            yield f"{where}.{name} is not there"
        for name in ours.keys() & theirs.keys():
            yield from differences(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        for mine in ours[:1]:
            for yours in theirs[:1]:
                yield from differences(mine, yours, f"{where}[]")
    elif type(ours) is not type(theirs):
        yield f"{where} is {type(ours).__name__} and not {type(theirs).__name__}"


def recorded(name: str, number: int = 0) -> tuple[object, Mapping[str, list[str]]]:
    page = load(API / "recorded" / "mastodonpy" / f"test_{name}.yaml")
    response = value_at(page, "interactions", number, "response")
    headers = value_at(response, "headers")
    assert isinstance(headers, dict)
    return json.loads(str(value_at(response, "body", "string"))), headers


KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def schema_errors(value: object, schema: object, page: object, where: str = "") -> Iterator[str]:
    """Where a value is not what its schema says: kinds, members that are required, lists."""
    assert isinstance(schema, dict)
    while "$ref" in schema:
        found = value_at(page, *schema["$ref"].removeprefix("#/").split("/"))
        assert isinstance(found, dict)
        schema = found
    kinds = schema.get("type", [])
    allowed = [kinds] if isinstance(kinds, str) else kinds
    if allowed and not any(isinstance(value, KINDS[kind]) for kind in allowed):
        yield f"{where} is {value!r} and not {allowed}"
    if isinstance(value, dict):
        yield from (
            f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value
        )
        for name, inner in schema.get("properties", {}).items():
            if value.get(name) is not None:
                yield from schema_errors(value[name], inner, page, f"{where}.{name}")
    if isinstance(value, list):
        for each in value:
            yield from schema_errors(each, schema.get("items", {}), page, f"{where}[]")
