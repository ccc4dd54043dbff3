"""The calls that read: records, files, handles, profiles and the server's description. Pure.

A server asks Bluesky's AppView for what it does not know itself, if it has one.
"""

from __future__ import annotations

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.behaviour import Standing
from bot.sandbox.bluesky.calls import Call
from bot.sandbox.bluesky.cids import Cid
from bot.sandbox.bluesky.data import shown
from bot.sandbox.bluesky.lexicons import POST, PROFILE
from bot.sandbox.bluesky.pds import SERVICE, Pds
from bot.sandbox.bluesky.records import StoredRecord
from bot.sandbox.wire import Json, Pairs, RefusedRequest, Response, reply

_USUAL = 50
_SAFE: Pairs = (
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; sandbox"),
)
_UNREADABLE = {Standing.TAKENDOWN: "takendown", Standing.DEACTIVATED: "deactivated"}


def get_record(pds: Pds, call: Call) -> Response:
    """Return one record, or one version of it if `cid` is given. Reads see writes at once."""
    repo = pds.readable(call.text("repo"))
    if repo is None and not pds.behaviour.appview:
        return answers.NO_UPSTREAM
    uri = f"at://{repo or call.text('repo')}/{call.text('collection')}/{call.text('rkey')}"
    record = pds.records.seen(uri) if repo else None
    if record is None or call.text("cid") not in ("", str(record.cid)):
        raise RefusedRequest(answers.no_record(uri))
    return reply(200, _record(record))


def list_records(pds: Pds, call: Call) -> Response:
    """Return a page of a collection, newest key first. `cursor` is the last key of a page."""
    repo = pds.readable(call.text("repo"))
    if repo is None:
        raise RefusedRequest(answers.no_repo(call.text("repo")))
    found = pds.records.collection(repo, call.text("collection"))
    cursor, limit = call.text("cursor"), int(str(call.values.get("limit", _USUAL)))
    if call.flag("reverse"):
        page = [each for each in found if each.rkey > cursor][:limit]
    else:
        page = [each for each in found[::-1] if not cursor or each.rkey < cursor][:limit]
    records: list[Json] = [_record(each) for each in page]
    answer: dict[str, Json] = {"records": records}
    return reply(200, answer | ({"cursor": page[-1].rkey} if page else {}))


def get_blob(pds: Pds, call: Call) -> Response:
    """Return a file that a record refers to."""
    did, cid = call.text("did"), Cid.parse(call.text("cid"))
    if did != pds.account:
        raise RefusedRequest(
            answers.error(400, "RepoNotFound", f"Could not find repo for DID: {did}")
        )
    if how := _UNREADABLE.get(pds.behaviour.standing):
        name = f"Repo{how.title()}"
        raise RefusedRequest(answers.error(400, name, f"Repo has been {how}: {did}"))
    blob = pds.blobs.get(cid)
    if blob is None or not blob.kept:
        raise RefusedRequest(answers.invalid("Blob not found"))
    named = ("content-disposition", f'attachment; filename="{cid}"')
    return Response(200, blob.data, (("content-type", blob.mime), named, *_SAFE))


def resolve_handle(pds: Pds, call: Call) -> Response:
    """Return the DID of a handle. Only the account's own handle is known."""
    did = pds.readable(call.text("handle").lower())
    if did is None:
        raise RefusedRequest(answers.error(400, "HandleNotFound", "Unable to resolve handle"))
    return reply(200, {"did": did})


def describe_server(_: Pds, __: Call) -> Response:
    """Return the server's description of itself."""
    description: dict[str, Json] = {
        "did": SERVICE,
        "availableUserDomains": [".example.org"],
        "inviteCodeRequired": True,
        "links": {},
        "contact": {},
    }
    return reply(200, description)


def get_profile(pds: Pds, call: Call) -> Response:
    """Return an account as the AppView shows it: profile, labels, number of posts."""
    if not pds.behaviour.appview:
        return answers.NO_UPSTREAM
    if pds.repo(call.text("actor")) != pds.account:
        raise RefusedRequest(answers.invalid("Profile not found"))
    if pds.behaviour.standing is Standing.TAKENDOWN:
        raise RefusedRequest(answers.error(400, "AccountTakedown", "Account has been suspended"))
    if pds.behaviour.standing is Standing.DEACTIVATED:
        raise RefusedRequest(answers.error(400, "AccountDeactivated", "Account is deactivated"))
    posts = len(pds.records.collection(pds.account, POST))
    profile = pds.records.seen(f"at://{pds.account}/{PROFILE}/self")
    answer: dict[str, Json] = {
        "did": pds.account,
        "handle": pds.handle,
        "followersCount": 0,
        "followsCount": 0,
        "postsCount": posts,
        "labels": _labels(profile) if profile else [],
    }
    names = ("displayName", "description") if profile else ()
    value = profile.value if profile else {}
    return reply(200, answer | {name: shown(value[name]) for name in names if name in value})


def _labels(profile: StoredRecord) -> list[Json]:
    """Return the labels that a profile gives itself, in the form of labels from others."""
    own = profile.value.get("labels")
    values = own.get("values") if isinstance(own, dict) else None
    labels: list[Json] = [
        {
            "src": profile.repo,
            "uri": profile.uri,
            "cid": str(profile.cid),
            "val": shown(each["val"]),
            "cts": f"{profile.made:%Y-%m-%dT%H:%M:%S}.000Z",
        }
        for each in (values if isinstance(values, list) else ())
        if isinstance(each, dict) and "val" in each
    ]
    return labels


def _record(record: StoredRecord) -> dict[str, Json]:
    return {"uri": record.uri, "cid": str(record.cid), "value": shown(record.value)}
