"""The calls that change a repository: put, create, delete, apply several writes, upload. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.calls import Call
from bot.sandbox.bluesky.cbor import Data, cid_of
from bot.sandbox.bluesky.data import inside, legacy_of
from bot.sandbox.bluesky.formats import is_tid
from bot.sandbox.bluesky.lexicons import POST, PROFILE, SCHEMA
from bot.sandbox.bluesky.pds import Pds
from bot.sandbox.bluesky.records import Action, Conflict, RepositoryCommit, Write
from bot.sandbox.bluesky.schema import Invalid
from bot.sandbox.wire import Json, RefusedRequest, Response, reply

_MOST_WRITES = 200
_WRITES = "com.atproto.repo.applyWrites#"
_SELF = "self"
_LEFT_OUT = object()


def put_record(pds: Pds, call: Call) -> Response:
    """Create or replace a record. An equal record changes nothing.

    `swapRecord` is the version that must exist, or null if none may exist.
    """
    repo = pds.writable(call.text("repo"))
    uri = _uri(repo, call.text("collection"), call.text("rkey"))
    current = pds.records.get(uri)
    action = Action.UPDATE if current else Action.CREATE
    write = _write(action, uri, call.values["record"], call)
    if current and current.cid == write.cid:
        return reply(200, _written(write))
    at = current.cid if current else None
    _check_commit_swap(pds, repo, call)
    swap = call.values.get("swapRecord", _LEFT_OUT)
    if swap is not _LEFT_OUT and swap != (None if at is None else str(at)):
        raise RefusedRequest(answers.bad_swap("Record", at))
    return reply(200, _written(write, _commit(pds, repo, [write], call)))


def create_record(pds: Pds, call: Call) -> Response:
    """Create a record. A key that is in use gives a 500, as at the real server."""
    repo = pds.writable(call.text("repo"))
    uri = _new_uri(pds, repo, call.values, call)
    write = _write(Action.CREATE, uri, call.values["record"], call)
    _check_commit_swap(pds, repo, call)
    return reply(200, _written(write, _commit(pds, repo, [write], call)))


def delete_record(pds: Pds, call: Call) -> Response:
    """Delete a record. A record that does not exist is no error."""
    repo = pds.writable(call.text("repo"))
    uri = _uri(repo, call.text("collection"), call.text("rkey"))
    current = pds.records.get(uri)
    if current is None:
        return reply(200, {})
    _check_commit_swap(pds, repo, call)
    if call.values.get("swapRecord", str(current.cid)) != str(current.cid):
        raise RefusedRequest(answers.bad_swap("Record", current.cid))
    commit = _commit(pds, repo, [Write(Action.DELETE, uri)], call)
    return reply(200, {"commit": _meta(commit)})


def apply_writes(pds: Pds, call: Call) -> Response:
    """Carry out all of several writes, or none."""
    repo = pds.writable(call.text("repo"))
    asked = writes_of(call)
    if len(asked) > _MOST_WRITES:
        raise RefusedRequest(answers.invalid(f"Too many writes. Max: {_MOST_WRITES}"))
    writes = [
        _asked_write(pds, repo, each, call, f"$.writes[{index}].record")
        for index, each in enumerate(asked)
    ]
    _check_commit_swap(pds, repo, call)
    commit = _commit(pds, repo, writes, call)
    results: list[Json] = [
        {**_written(write), "$type": f"{_WRITES}{write.action}Result"} for write in writes
    ]
    return reply(200, {"commit": _meta(commit), "results": results})


def upload_blob(pds: Pds, call: Call) -> Response:
    """Store a file. Its type is that of its first bytes, or the type in the request."""
    pds.blobs.drop(call.now, pds.behaviour.blobs_last)
    blob = pds.blobs.upload(call.request.body, call.mime, call.now)
    link: Json = {"$link": str(blob.cid)}
    ref: Json = {"$type": "blob", "ref": link, "mimeType": blob.mime, "size": len(blob.data)}
    return reply(200, {"blob": ref})


def writes_of(call: Call) -> Sequence[Mapping[str, Data]]:
    """Return the writes of an applyWrites call, which were checked when the call was read."""
    writes = call.values["writes"]
    assert isinstance(writes, Sequence)  # noqa: S101 - checked when the call was read
    return [each for each in writes if isinstance(each, Mapping)]


def action_of(write: Mapping[str, Data]) -> Action:
    """Return the action of one write of applyWrites."""
    return Action(str(write["$type"]).removeprefix(_WRITES))


def _asked_write(pds: Pds, repo: str, asked: Mapping[str, Data], call: Call, where: str) -> Write:
    action = action_of(asked)
    if action is Action.DELETE:
        return Write(action, _uri(repo, str(asked["collection"]), str(asked["rkey"])))
    return _write(action, _new_uri(pds, repo, asked, call), asked["value"], call, where)


def _new_uri(pds: Pds, repo: str, asked: Mapping[str, Data], call: Call) -> str:
    """Return the address of a record. Without a key the server chooses one."""
    key = asked.get("rkey") or pds.keys(call.now)
    return _uri(repo, str(asked["collection"]), str(key))


def _uri(repo: str, collection: str, key: str) -> str:
    return f"at://{repo}/{collection}/{key}"


def _write(action: Action, uri: str, record: Data, call: Call, where: str = "$.record") -> Write:
    """Return a write of this record. Raises RefusedRequest if it does not follow its lexicon."""
    assert isinstance(record, Mapping)  # noqa: S101 - checked when the call was read
    _, _, _, collection, key = uri.split("/")
    kind = record.get("$type", collection)
    if kind != collection:
        message = f"Invalid $type: expected {collection}, got {kind}"
        raise RefusedRequest(answers.invalid(message))
    value = {**record, "$type": collection}
    status = _validated(value, collection, key, call.values.get("validate"), where)
    for cid in filter(None, map(legacy_of, inside(value))):
        raise RefusedRequest(answers.invalid(f"Legacy blobs are not allowed ({cid})"))
    try:
        return Write(action, uri, value, cid_of(value), status)
    except ValueError:  # an integer that the lexicon allows, but is too great for the encoder
        raise RefusedRequest(answers.BROKEN) from None


def _validated(value: Data, collection: str, key: str, wished: Data, where: str) -> str | None:
    """Return the result of validation: "valid", "unknown", or None if it is switched off."""
    if wished is False:
        return None
    if collection not in (POST, PROFILE):
        if wished:
            raise RefusedRequest(answers.invalid(f"Unknown lexicon type: {collection}"))
        return "unknown"
    if collection == POST and not is_tid(key):
        raise RefusedRequest(_bad_key(collection, f'Invalid TID string (got "{key}")'))
    if collection == PROFILE and key != _SELF:
        raise RefusedRequest(_bad_key(collection, f'Expected "{_SELF}" (got "{key}")'))
    try:
        SCHEMA.check(value, SCHEMA.definitions[collection], where)
    except Invalid as error:
        raise RefusedRequest(answers.invalid(f"Invalid {collection} record: {error}")) from None
    return "valid"


def _bad_key(collection: str, reason: str) -> Response:
    return answers.invalid(f"Invalid record key for {collection}: {reason} at $")


def _check_commit_swap(pds: Pds, repo: str, call: Call) -> None:
    head = pds.records.head(repo)
    if call.text("swapCommit") not in ("", str(head.cid)):
        raise RefusedRequest(answers.bad_swap("Commit", head.cid))


def _commit(pds: Pds, repo: str, writes: Sequence[Write], call: Call) -> RepositoryCommit:
    try:
        return pds.commit(repo, writes, call.now)
    except Conflict:
        raise RefusedRequest(answers.BROKEN) from None


def _written(write: Write, commit: RepositoryCommit | None = None) -> dict[str, Json]:
    if write.cid is None:
        return {}
    answer: dict[str, Json] = {"uri": write.uri, "cid": str(write.cid)}
    answer |= {"commit": _meta(commit)} if commit else {}
    return answer | ({"validationStatus": write.status} if write.status else {})


def _meta(commit: RepositoryCommit) -> dict[str, Json]:
    return {"cid": str(commit.cid), "rev": commit.rev}
