"""Bluesky's rules over HTTP, call by call, as @atproto/pds 0.5.35 was seen to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bot.sandbox.bluesky.behaviour import DEV_ENV, OWN_PDS, SERVERS, BlueskyBehaviour
from bot.sandbox.bluesky.cids import Cid
from bot.sandbox.bluesky.lexicons import POST, PROFILE
from bot.sandbox.bluesky.posts import did_of
from bot.sandbox.bluesky.records import Action, Write
from bot.sandbox.bluesky.rules import ACCOUNT, HANDLE, BlueskyRules
from bot.sandbox.wire import Request
from tests.helpers.bluesky_calls import (
    HELLO,
    KEY,
    OTHER,
    OTHER_CID,
    PNG,
    REPO,
    SERVER,
    WRITE,
    apply_writes,
    blob_at,
    create,
    delete,
    error_of,
    get,
    invalid,
    upload,
)
from tests.helpers.sandbox_clients import BlueskyClient, StillClock, bluesky_client

Start = Callable[..., BlueskyClient]
CID = "bafyreicxtgdm5pju5a3hz7tcjypk6vowe3makfnq62o7tlc24tewhihl3a"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with a behaviour, and stops it after the test."""
    with ExitStack() as stack:
        yield lambda *behaviour: stack.enter_context(bluesky_client(*behaviour))


@pytest.fixture
def it(start: Start) -> BlueskyClient:
    return start()


# -- put -------------------------------------------------------------------------------------------


def test_a_put_makes_a_record_and_the_same_again_changes_nothing(it: BlueskyClient) -> None:
    first = it.put(KEY, HELLO, swapRecord=None).json()
    uri = f"at://{ACCOUNT}/{POST}/{KEY}"
    assert (first["uri"], first["cid"], first["validationStatus"]) == (uri, CID, "valid")
    assert set(first["commit"]) == {"cid", "rev"}
    for more in ({"swapRecord": None}, {}, {"swapRecord": OTHER_CID}, {"swapCommit": OTHER_CID}):
        again = it.put(KEY, HELLO, **more).json()
        assert again == {key: first[key] for key in ("uri", "cid", "validationStatus")}
    assert it.texts() == ["hello"]
    assert [record.committed for record in it.sandbox.requests] == [True] + [False] * 4


def test_a_put_overwrites_unless_told_not_to(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    other = {**HELLO, "text": "other"}
    for swap in (None, OTHER_CID):
        answer = it.put(KEY, other, swapRecord=swap)
        assert error_of(answer) == (400, "InvalidSwap", f"Record was at {CID}")
    assert it.texts() == ["hello"]
    assert it.put(KEY, other, swapRecord=CID).ok
    third = it.put(KEY, {**HELLO, "text": "third"}).json()
    assert third["cid"] == str(Cid.parse(third["cid"])) != CID
    assert it.texts() == ["third"]
    assert [post.text for post in it.rules.every()] == ["hello", "other", "third"]
    assert len({post.id for post in it.rules.every()}) == 1
    assert it.rules.settle() == 3


def test_a_put_may_insist_on_what_is_there(it: BlueskyClient) -> None:
    answer = it.put(KEY, HELLO, swapRecord=OTHER_CID)
    assert error_of(answer) == (400, "InvalidSwap", "Record was at null")
    first = it.put(KEY, HELLO).json()["commit"]["cid"]
    answer = it.put(OTHER, HELLO, swapCommit=OTHER_CID)
    assert error_of(answer) == (400, "InvalidSwap", f"Commit was at {first}")
    assert it.put(OTHER, HELLO, swapCommit=first).ok
    assert error_of(it.put(OTHER, HELLO, swapRecord="x")) == invalid(
        'Invalid CID string (got "x") at $.swapRecord'
    )


def test_a_post_has_a_key_of_one_form(it: BlueskyClient) -> None:
    for key in ("abc", "zzzzzzzzzzzzz"):
        reason = f'Invalid record key for {POST}: Invalid TID string (got "{key}") at $'
        assert error_of(it.put(key, HELLO)) == invalid(reason)
    for key in ("bad!", "", "."):
        assert error_of(it.put(key, HELLO)) == invalid(
            f'Invalid record key (got "{key}") at $.rkey'
        )
    assert it.texts() == []


def test_a_record_is_held_against_its_lexicon(it: BlueskyClient) -> None:
    long = {**HELLO, "text": "a" * 301}
    reason = "grapheme too big (maximum 300, got 301) at $.record.text"
    assert error_of(it.put(KEY, long)) == invalid(f"Invalid {POST} record: {reason}")
    liked = {**HELLO, "$type": "app.bsky.feed.like"}
    reason = f"Invalid $type: expected {POST}, got app.bsky.feed.like"
    assert error_of(it.put(KEY, liked)) == invalid(reason)
    assert it.put(KEY, {key: HELLO[key] for key in ("text", "createdAt")}).json()["cid"] == CID
    unchecked = it.put(OTHER, long, validate=False).json()
    assert "validationStatus" not in unchecked
    assert error_of(it.put(OTHER, {**HELLO, "n": 2**53}))[:2] == (500, "InternalServerError")


def test_a_record_of_another_kind_is_taken_as_it_comes(it: BlueskyClient) -> None:
    name = f"{REPO}putRecord"
    body = {"repo": HANDLE, "collection": "com.example.foo", "rkey": "foo", "record": {"a": 1}}
    assert it.call(name, body).json()["validationStatus"] == "unknown"
    answer = it.call(name, {**body, "validate": True})
    assert error_of(answer) == invalid("Unknown lexicon type: com.example.foo")
    assert (it.texts(), it.rules.settle()) == ([], 0)


def test_only_ones_own_repository_is_written_to(it: BlueskyClient) -> None:
    stranger = it.rules.write("theirs", author="2")
    for name, expected in (
        ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", (403, "AccountNotFound", "Account not found")),
        (stranger.author, (401, "AuthenticationRequired", "Authentication Required")),
    ):
        assert error_of(it.put(KEY, HELLO, repo=name)) == expected
    assert it.texts() == ["theirs"]


# -- create, delete, several at once ---------------------------------------------------------------


def test_a_create_chooses_the_key_or_is_given_one(it: BlueskyClient) -> None:
    made = create(it).json()
    assert len(made["uri"].rpartition("/")[2]) == 13
    assert create(it, rkey=KEY).json()["uri"].endswith(f"/{KEY}")
    for record in (HELLO, {**HELLO, "text": "other"}):
        answer = create(it, record, rkey=KEY)
        assert error_of(answer) == (500, "InternalServerError", "Internal Server Error")
    assert it.texts() == ["hello", "hello"]
    answer = create(it, swapCommit=OTHER_CID)
    assert error_of(answer)[1] == "InvalidSwap"
    profile = create(it, {"$type": PROFILE}, collection=PROFILE)
    assert 'Expected "self"' in error_of(profile)[2]


def test_a_deletion_is_done_once_and_told_twice(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    assert error_of(delete(it, swapRecord=OTHER_CID)) == (
        400,
        "InvalidSwap",
        f"Record was at {CID}",
    )
    assert error_of(delete(it, swapCommit=OTHER_CID))[1] == "InvalidSwap"
    assert error_of(delete(it, swapRecord=None))[2].endswith("at $.swapRecord")
    assert set(delete(it, swapRecord=CID).json()["commit"]) == {"cid", "rev"}
    assert delete(it).json() == {}
    assert delete(it, "abc").json() == {}
    assert it.texts() == []
    assert it.rules.every()[0].deleted == it.clock.now
    assert it.put(KEY, HELLO, swapRecord=None).json()["cid"] == CID
    assert [post.deleted is None for post in it.rules.every()] == [False, True]


def test_several_writes_are_one_commit(it: BlueskyClient) -> None:
    made = apply_writes(it, ("create", KEY, "a"), ("create", "", "b")).json()
    assert [each["$type"] for each in made["results"]] == [f"{WRITE}#createResult"] * 2
    assert [each["validationStatus"] for each in made["results"]] == ["valid"] * 2
    changed = apply_writes(
        it,
        ("update", KEY, "c"),
        ("create", OTHER, "d"),
        ("delete", OTHER, None),
        swapCommit=made["commit"]["cid"],
    )
    assert changed.json()["results"][2] == {"$type": f"{WRITE}#deleteResult"}
    assert changed.json()["commit"]["rev"] > made["commit"]["rev"]
    assert it.texts() == ["b", "c"]
    assert apply_writes(it).json()["results"] == []
    assert error_of(apply_writes(it, swapCommit=OTHER_CID))[1] == "InvalidSwap"


@pytest.mark.parametrize(
    "writes",
    [
        [("create", OTHER, "b"), ("create", KEY, "a")],
        [("create", OTHER, "b"), ("update", "3jui7kd54zzzz", "a")],
        [("create", OTHER, "b"), ("delete", "3jui7kd54zzzz", None)],
    ],
)
def test_of_several_writes_all_are_done_or_none(
    it: BlueskyClient, writes: list[tuple[str, str, str | None]]
) -> None:
    it.put(KEY, HELLO)
    assert error_of(apply_writes(it, *writes))[:2] == (500, "InternalServerError")
    assert it.texts() == ["hello"]


def test_several_writes_are_checked_each(it: BlueskyClient) -> None:
    answer = apply_writes(it, ("create", KEY, "a"), ("create", OTHER, "b" * 301))
    assert error_of(answer)[2].endswith("at $.writes[1].record.text")
    unknown = it.call(WRITE, {"repo": ACCOUNT, "writes": [{"$type": "x.y.z"}]})
    assert error_of(unknown) == invalid(
        f'Expected one of "{WRITE}#create", "{WRITE}#update" or "{WRITE}#delete" (got "x.y.z")'
        " at $.writes[0].$type"
    )
    many = [("delete", KEY, None)] * 201
    assert error_of(apply_writes(it, *many)) == invalid("Too many writes. Max: 200")
    assert error_of(apply_writes(it, *many[1:]))[0] == 500  # nothing is there to delete
    assert it.texts() == []


# -- reading ---------------------------------------------------------------------------------------


def test_a_record_is_read_at_once_by_anybody(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    for repo, token in ((ACCOUNT, ""), (HANDLE, None), (HANDLE.upper(), "nonsense")):
        asked = {"repo": repo, "collection": POST, "rkey": KEY}
        assert it.call(f"{REPO}getRecord", asked, token=token).json() == {
            "uri": f"at://{ACCOUNT}/{POST}/{KEY}",
            "cid": CID,
            "value": HELLO,
        }
    assert get(it, cid=CID).ok


def test_a_record_that_is_not_there_is_a_400(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    for key, cid in ((OTHER, ""), (KEY, OTHER_CID)):
        message = f"Could not locate record: at://{ACCOUNT}/{POST}/{key}"
        assert error_of(get(it, key, cid=cid)) == (400, "RecordNotFound", message)
    assert error_of(get(it, repo="nobody.example.org"))[1] == "RecordNotFound"


def test_a_hidden_post_is_read_by_nobody_and_its_key_stays_taken(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    it.rules.hide(KEY)
    assert error_of(get(it))[1] == "RecordNotFound"
    listed = it.call(f"{REPO}listRecords", {"repo": ACCOUNT, "collection": POST})
    assert listed.json() == {"records": []}
    assert it.put(KEY, HELLO, swapRecord=None).json()["cid"] == CID
    assert error_of(it.put(KEY, {**HELLO, "text": "b"}, swapRecord=None))[1] == "InvalidSwap"
    assert it.texts() == ["hello"]


def test_a_server_knows_its_handles_and_itself(it: BlueskyClient) -> None:
    name = "com.atproto.identity.resolveHandle"
    assert it.call(name, {"handle": HANDLE.title()}, token="").json() == {"did": ACCOUNT}
    nobody = it.call(name, {"handle": "nobody.example.org"})
    assert error_of(nobody) == (400, "HandleNotFound", "Unable to resolve handle")
    bad = it.call(name, {"handle": "no body"})
    assert error_of(bad) == invalid(f'Invalid {name} params: Invalid handle (got "no body")')
    assert it.call(f"{SERVER}describeServer", token="").json()["did"].startswith("did:web:")


def test_a_profile_is_the_appviews(start: Start) -> None:
    it, name = start(), "app.bsky.actor.getProfile"
    answer = it.call(name, {"actor": HANDLE})
    assert answer.status_code == 200
    bare = answer.json()
    assert (bare["did"], bare["postsCount"], bare["labels"]) == (ACCOUNT, 0, [])
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "bot"}]}
    profile = {"$type": PROFILE, "displayName": "Hot Papers", "labels": labels}
    body = {"repo": ACCOUNT, "collection": PROFILE, "rkey": "self", "record": profile}
    put = it.call(f"{REPO}putRecord", body).json()
    it.post("a")
    shown = it.call(name, {"actor": ACCOUNT}).json()
    assert (shown["displayName"], shown["postsCount"]) == ("Hot Papers", 1)
    label = shown["labels"][0]
    assert (label["val"], label["src"], label["cid"]) == ("bot", ACCOUNT, put["cid"])
    assert "description" not in shown
    assert error_of(it.call(name, {"actor": "nobody.example.org"})) == invalid("Profile not found")
    alone = start(DEV_ENV).call(name, {"actor": HANDLE})
    assert error_of(alone) == (502, "UpstreamFailure", "Upstream service unreachable")


@pytest.mark.parametrize("labels", [None, {"values": 1}, {"values": [1, {"val": "bot"}, {}]}])
def test_labels_of_an_odd_form_are_left_out(it: BlueskyClient, labels: object) -> None:
    it.rules.place(PROFILE, "self", {"$type": PROFILE, "labels": labels})  # type: ignore[dict-item]
    shown = it.call("app.bsky.actor.getProfile", {"actor": HANDLE}).json()
    assert [label["val"] for label in shown["labels"]] == (["bot"] if "bot" in str(labels) else [])


# -- files -----------------------------------------------------------------------------------------


def pictured(blob: object) -> dict[str, object]:
    images = [{"image": blob, "alt": "a"}]
    return {**HELLO, "embed": {"$type": "app.bsky.embed.images", "images": images}}


def linked(blob: dict[str, object]) -> str:
    ref = blob["ref"]
    assert isinstance(ref, dict)
    return str(ref["$link"])


def test_a_file_is_uploaded_referred_to_and_read(it: BlueskyClient) -> None:
    blob = upload(it, mime="application/octet-stream")
    assert list(blob.items())[2:] == [("mimeType", "image/png"), ("size", len(PNG))]
    cid = linked(blob)
    assert error_of(blob_at(it, cid)) == invalid("Blob not found")
    assert it.put(KEY, pictured(blob)).ok
    answer = blob_at(it, cid)
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    assert it.rules.live()[0].media == (cid,)
    assert [(str(each.cid), each.kept) for each in it.rules.pds.blobs.every()] == [(cid, True)]
    assert error_of(blob_at(it, cid, "did:plc:abc"))[:2] == (400, "RepoNotFound")


def test_a_record_must_tell_the_truth_of_a_file_that_is_new(it: BlueskyClient) -> None:
    blob = upload(it)
    for changes, error, message in (
        (
            {"size": 1},
            "InvalidSize",
            f"Size does not match stored blob. Expected: {len(PNG)}, Got: 1",
        ),
        (
            {"mimeType": "image/gif"},
            "InvalidMimeType",
            "Mimetype does not match stored blob. Expected: image/png, Got: image/gif",
        ),
        (
            {"ref": {"$link": "bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe"}},
            "BlobNotFound",
            "Could not find blob: bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe",
        ),
    ):
        status, name, said_of = error_of(it.put(KEY, pictured({**blob, **changes})))
        assert (status, name, said_of.removeprefix("Referenced ")) == (400, error, message)
    assert it.texts() == []
    assert it.put(KEY, pictured(blob)).ok
    assert it.put(OTHER, pictured({**blob, "size": 1})).ok  # no longer looked at


def test_a_file_goes_with_the_last_record_that_refers_to_it(it: BlueskyClient) -> None:
    cid = linked(blob := upload(it))
    for key in (KEY, OTHER):
        assert it.put(key, pictured(blob)).ok
    delete(it, KEY)
    assert blob_at(it, cid).ok
    it.put(OTHER, HELLO)
    assert error_of(blob_at(it, cid)) == invalid("Blob not found")
    assert error_of(it.put(KEY, pictured(blob)))[1] == "BlobNotFound"
    upload(it)
    assert it.put(KEY, pictured(blob)).ok


def test_a_file_waits_for_a_record_only_so_long(start: Start) -> None:
    it, patient = start(), start(OWN_PDS)
    for server in (it, patient):
        blob = upload(server)
        server.clock.advance(hours=6, seconds=-1)
        server.login()
        upload(server)  # its time begins anew
        server.clock.advance(seconds=1)
        upload(server, b"other", "text/plain")
        assert server.put(KEY, pictured(blob)).ok
        server.clock.advance(hours=6)
        server.login()
        upload(server, b"third", "text/plain")
    assert [each.data for each in it.rules.pds.blobs.every()] == [PNG, b"third"]
    assert len(patient.rules.pds.blobs.every()) == 3


def test_a_file_keeps_the_type_it_first_came_with(it: BlueskyClient) -> None:
    first, second = (upload(it, b"<a>", mime) for mime in ("text/plain; x=y", "text/html"))
    assert (first["mimeType"], second["mimeType"]) == ("text/plain", "text/html")
    assert [each.mime for each in it.rules.pds.blobs.every()] == ["text/plain"]
    assert it.rules.pds.blobs.every()[0].reference()["mimeType"] == "text/plain"


def test_a_file_may_be_too_large_and_needs_a_type(it: BlueskyClient) -> None:
    most = 5 * 1024 * 1024
    assert upload(it, b"x" * most)["size"] == most
    large = it.send(f"{REPO}uploadBlob", b"x" * (most + 1), "image/png")
    assert error_of(large)[:2] == (413, "PayloadTooLarge")
    assert error_of(it.send(f"{REPO}uploadBlob", b"x"))[2].startswith("Request encoding")
    assert upload(it, b"", "*/*")["size"] == 0


def test_a_file_is_not_referred_to_in_the_old_way(it: BlueskyClient) -> None:
    cid = "bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe"
    answer = it.put(KEY, {**HELLO, "x": [{"cid": cid, "mimeType": "image/png"}]})
    assert error_of(answer) == invalid(f"Legacy blobs are not allowed ({cid})")


# -- what people do --------------------------------------------------------------------------------


def test_a_person_writes_answers_and_deletes(it: BlueskyClient) -> None:
    root = it.rules.write("root")
    child = it.rules.write("child", reply_to=root.id)
    grandchild = it.rules.write("grandchild", author="2", reply_to=child.id)
    assert (root.author, root.key) == (ACCOUNT, root.id.rpartition("/")[2])
    value = get(it, root.key or "").json()["value"]
    assert value == {"$type": POST, "text": "root", "createdAt": "2026-03-01T12:00:00.250Z"}
    assert (child.reply_to, grandchild.reply_to) == (root.id, child.id)
    record = it.rules.record(root.key or "")
    assert record is not None
    ref = {"uri": root.id, "cid": str(record.cid)}
    assert get(it, child.key or "").json()["value"]["reply"] == {"root": ref, "parent": ref}
    theirs = it.rules.record(grandchild.id)
    assert theirs is not None
    assert theirs.value["reply"]["root"] == ref  # type: ignore[index,call-overload]
    assert grandchild.author == did_of("2") == theirs.repo
    asked = {"repo": theirs.repo, "collection": POST}
    assert len(it.call(f"{REPO}listRecords", asked).json()["records"]) == 1
    before = it.rules.pds.records.head(ACCOUNT)
    gone = it.rules.remove(root.id)
    assert (gone.id, gone.deleted) == (root.id, it.clock.now)
    assert it.rules.pds.records.head(ACCOUNT).rev > before.rev
    assert it.texts() == ["child", "grandchild"]
    orphan = it.rules.write("orphan", reply_to=root.id)
    assert orphan.reply_to == root.id
    assert it.rules.record(root.id) is None
    with pytest.raises(KeyError):
        it.rules.remove(root.id)
    it.rules.remove(child.key or "")


def test_a_person_may_write_anything_through_another_app(it: BlueskyClient) -> None:
    it.rules.place(POST, KEY, {"$type": POST, "text": 1, "langs": [], "reply": {"parent": {}}})
    it.rules.place(POST, OTHER, {"$type": POST, "text": "a", "langs": ["de", "en"], "reply": 1})
    first, second = it.rules.live()
    assert (first.text, first.language, first.reply_to) == ("", None, None)
    assert (second.text, second.language, second.key) == ("a", "de", OTHER)
    it.rules.place(POST, KEY, HELLO)
    assert it.texts() == ["a", "hello"]


def test_a_strangers_name_may_be_a_did() -> None:
    assert did_of("did:plc:abc") == "did:plc:abc"
    assert len(did_of("2")) == len(ACCOUNT)


def test_an_account_may_have_another_name() -> None:
    rules = BlueskyRules(
        StillClock(), handle="hot.example.org", app_password="p", account="did:plc:b"
    )
    path = "/xrpc/com.atproto.server.createSession"
    body = b'{"identifier": "hot.example.org", "password": "p"}'
    request = Request("POST", path, headers={"content-type": "application/json"}, body=body)
    value = rules.answer(request).value()
    assert isinstance(value, dict)
    assert (value["handle"], value["did"]) == ("hot.example.org", "did:plc:b")
    assert rules.write("a").author == "did:plc:b"


def test_a_late_put_changes_nothing_that_is_done(it: BlueskyClient) -> None:
    body = {"repo": ACCOUNT, "collection": POST, "rkey": KEY, "record": HELLO, "swapRecord": None}
    headers = {"authorization": f"Bearer {it.tokens['access']}", "content-type": "application/json"}
    path = f"/xrpc/{REPO}putRecord"
    request = Request("POST", path, headers=headers, body=json.dumps(body).encode())
    it.rules.defer(request, 60)
    assert (it.rules.waiting(), it.texts()) == (1, [])
    assert it.put(KEY, HELLO, swapRecord=None).ok
    it.clock.advance(seconds=60)
    assert (it.texts(), it.rules.settle()) == (["hello"], 1)
    it.rules.remove(KEY)
    it.rules.defer(request, 2 * 3600)  # its token is over its date by then
    it.clock.advance(hours=2)
    assert [post.deleted is None for post in it.rules.every()] == [False, True]
    it.rules.defer(request, 60)  # and this one's when it came
    assert it.rules.waiting() == 0


def test_a_write_that_deletes_leaves_no_value() -> None:
    assert Write(Action.DELETE, "at://did:plc:a/b.c.d/e").value is None


# -- every server ----------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", SERVERS)
def test_a_thread_is_put_read_and_deleted_on_every_server(
    start: Start, behaviour: BlueskyBehaviour
) -> None:
    it = start(behaviour)
    assert it.login().ok
    root = it.post("root")
    child = it.post("child", root)
    last = it.post("last", child)
    asked = {"repo": ACCOUNT, "collection": POST}
    for name, values in (
        ("com.atproto.server.getSession", {}),
        ("com.atproto.server.describeServer", {}),
        ("com.atproto.identity.resolveHandle", {"handle": HANDLE}),
        (f"{REPO}getRecord", {**asked, "rkey": last["uri"].rpartition("/")[2]}),
    ):
        assert it.call(name, values).json()
    listed = it.call(f"{REPO}listRecords", asked).json()
    assert [each["uri"] for each in listed["records"]] == [last["uri"], child["uri"], root["uri"]]
    assert listed["cursor"] == root["uri"].rpartition("/")[2]
    assert [post.reply_to for post in it.rules.live()] == [None, root["uri"], child["uri"]]
    for each in (last, child, root):
        assert delete(it, each["uri"].rpartition("/")[2]).ok
    assert it.call(f"{REPO}listRecords", asked).json() == {"records": []}
    assert len(it.rules.every()) == 3
    assert {record.status for record in it.sandbox.requests} == {200}


def test_a_page_is_of_fifty_where_nothing_is_said_of_it(it: BlueskyClient) -> None:
    for number in range(51):
        it.rules.write(str(number))
    asked = {"repo": ACCOUNT, "collection": POST}
    assert len(it.call(f"{REPO}listRecords", asked).json()["records"]) == 50
    assert len(it.call(f"{REPO}listRecords", {**asked, "limit": 100}).json()["records"]) == 51
