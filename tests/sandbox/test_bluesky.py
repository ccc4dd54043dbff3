"""Bluesky's rules over HTTP, call by call, as @atproto/pds 0.5.35 was seen to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bot.sandbox.bluesky.behaviour import OWN_PDS, SERVERS, BlueskyBehaviour
from bot.sandbox.bluesky.lexicons import POST, PROFILE
from bot.sandbox.bluesky.rules import ACCOUNT, HANDLE, BlueskyRules
from bot.sandbox.wire import Request
from tests.helpers.bluesky_calls import (
    HELLO,
    KEY,
    OTHER,
    OTHER_CID,
    PNG,
    REPO,
    create,
    delete,
    error_of,
    get,
    invalid,
    upload,
)
from tests.helpers.sandbox_clients import BlueskyClient, StillClock, bluesky_client

Start = Callable[..., BlueskyClient]
REF = {"uri": f"at://did:plc:abc/{POST}/{KEY}", "cid": OTHER_CID}
LINK = {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/"}


def facet(start: int, end: int, feature: dict[str, str]) -> dict[str, object]:
    return {"facets": [{"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}]}


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
    assert first["uri"] == f"at://{ACCOUNT}/{POST}/{KEY}"
    assert set(first["commit"]) == {"cid", "rev"}
    for more in ({"swapRecord": None}, {}, {"swapRecord": OTHER_CID}):
        again = it.put(KEY, HELLO, **more).json()
        assert again == {key: first[key] for key in ("uri", "cid")}
    assert it.texts() == ["hello"]
    assert [record.committed for record in it.sandbox.requests] == [True] + [False] * 3


def test_a_put_overwrites_only_the_version_it_names(it: BlueskyClient) -> None:
    cid = it.put(KEY, HELLO).json()["cid"]
    other = {**HELLO, "text": "other"}
    for swap in (None, OTHER_CID):
        answer = it.put(KEY, other, swapRecord=swap)
        assert error_of(answer) == (400, "InvalidSwap", f"Record was at {cid}")
    assert error_of(it.put(OTHER, other, swapRecord=OTHER_CID))[2] == "Record was at null"
    assert it.texts() == ["hello"]
    assert it.put(KEY, other, swapRecord=cid).ok
    assert it.put(KEY, {**HELLO, "text": "third"}).ok
    assert it.texts() == ["third"]
    assert [post.text for post in it.rules.every()] == ["hello", "other", "third"]
    assert len({post.id for post in it.rules.every()}) == 1
    assert it.rules.settle() == 3


def test_a_post_has_a_key_of_one_form(it: BlueskyClient) -> None:
    for key in ("abc", "zzzzzzzzzzzzz", "bad!"):
        reason = f'Invalid record key for {POST}: Invalid TID string (got "{key}") at $'
        assert error_of(it.put(key, HELLO)) == invalid(reason)
    assert it.texts() == []


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"text": "a" * 301}, "grapheme too big (maximum 300, got 301) at $.record.text"),
    (
        {"text": "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 121},
        "string too big (maximum 3000, got 3025) at $.record.text",
    ),
    ({"text": 5}, "Expected string value type at $.record.text"),
    ({"createdAt": "yesterday"}, 'Invalid datetime (got "yesterday") at $.record.createdAt'),
    ({"langs": ["en"] * 4}, "array too big (maximum 3, got 4) at $.record.langs"),
    ({"langs": ["e!"]}, 'Invalid language (got "e!") at $.record.langs[0]'),
    ({"reply": {"root": REF}}, 'Missing required key "parent" at $.record.reply'),
    (
        {"reply": {"root": REF, "parent": {**REF, "uri": "x"}}},
        'Invalid at-uri (got "x") at $.record.reply.parent.uri',
    ),
    (
        {"reply": {"root": REF, "parent": {**REF, "cid": "y"}}},
        'Invalid CID string (got "y") at $.record.reply.parent.cid',
    ),
    (
        facet(-1, 5, LINK),
        "integer too small (minimum 0, got -1) at $.record.facets[0].index.byteStart",
    ),
    (
        facet(0, 5, {**LINK, "uri": "not a uri"}),
        'Invalid uri (got "not a uri") at $.record.facets[0].features[0].uri',
    ),
    (
        facet(0, 5, {"$type": "app.bsky.richtext.facet#tag", "tag": "a" * 65}),
        "grapheme too big (maximum 64, got 65) at $.record.facets[0].features[0].tag",
    ),
    ({"embed": {}}, 'Missing required key "$type" at $.record.embed'),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED, ids=lambda each: str(each)[:60])
def test_a_post_that_does_not_follow_its_lexicon_is_refused(
    it: BlueskyClient, changes: dict[str, object], reason: str
) -> None:
    answer = it.put(KEY, {**HELLO, **changes})
    assert error_of(answer) == invalid(f"Invalid {POST} record: {reason}")


def test_a_record_of_another_kind_is_not_checked(it: BlueskyClient) -> None:
    body = {"repo": HANDLE, "collection": "com.example.foo", "rkey": "foo", "record": {"a": 1}}
    assert it.call(f"{REPO}putRecord", body).ok
    assert (it.texts(), it.rules.settle()) == ([], 0)
    liked = {**HELLO, "$type": "app.bsky.feed.like"}
    assert error_of(it.put(KEY, liked)) == invalid(f"Invalid $type: expected {POST}")


def test_only_ones_own_repository_is_written_to(it: BlueskyClient) -> None:
    stranger = it.rules.write("theirs", author="2")
    for name, expected in (
        ("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", (403, "AccountNotFound", "Account not found")),
        (stranger.author, (401, "AuthenticationRequired", "Authentication Required")),
    ):
        assert error_of(it.put(KEY, HELLO, repo=name)) == expected
    assert it.texts() == ["theirs"]


# -- create and delete ----------------------------------------------------------------------------


def test_a_create_chooses_the_key_or_is_given_one(it: BlueskyClient) -> None:
    made = create(it).json()
    assert len(made["uri"].rpartition("/")[2]) == 13
    assert create(it, rkey=KEY).json()["uri"].endswith(f"/{KEY}")
    for record in (HELLO, {**HELLO, "text": "other"}):
        answer = create(it, record, rkey=KEY)
        assert error_of(answer) == (500, "InternalServerError", "Internal Server Error")
    assert it.texts() == ["hello", "hello"]
    profile = create(it, {"$type": PROFILE}, collection=PROFILE)
    assert 'Expected "self"' in error_of(profile)[2]


def test_a_deletion_may_be_repeated(it: BlueskyClient) -> None:
    cid = it.put(KEY, HELLO).json()["cid"]
    assert set(delete(it).json()["commit"]) == {"cid", "rev"}
    assert delete(it).json() == {}
    assert it.texts() == []
    assert it.rules.every()[0].deleted == it.clock.now
    assert it.put(KEY, HELLO, swapRecord=None).json()["cid"] == cid
    assert [post.deleted is None for post in it.rules.every()] == [False, True]


# -- reading ---------------------------------------------------------------------------------------


def test_a_record_is_read_at_once_by_anybody(it: BlueskyClient) -> None:
    cid = it.put(KEY, HELLO).json()["cid"]
    for repo, token in ((ACCOUNT, ""), (HANDLE, None), (HANDLE.upper(), "nonsense")):
        asked = {"repo": repo, "collection": POST, "rkey": KEY}
        assert it.call(f"{REPO}getRecord", asked, token=token).json() == {
            "uri": f"at://{ACCOUNT}/{POST}/{KEY}",
            "cid": cid,
            "value": HELLO,
        }


def test_a_record_that_does_not_exist_is_a_400(it: BlueskyClient) -> None:
    message = f"Could not locate record: at://{ACCOUNT}/{POST}/{OTHER}"
    assert error_of(get(it, OTHER)) == (400, "RecordNotFound", message)
    assert error_of(get(it, repo="nobody.example.org"))[1] == "RecordNotFound"


def test_a_hidden_post_cannot_be_read_and_its_key_stays_in_use(it: BlueskyClient) -> None:
    cid = it.put(KEY, HELLO).json()["cid"]
    it.rules.hide(KEY)
    assert error_of(get(it))[1] == "RecordNotFound"
    listed = it.call(f"{REPO}listRecords", {"repo": ACCOUNT, "collection": POST})
    assert listed.json() == {"records": []}
    assert it.put(KEY, HELLO, swapRecord=None).json()["cid"] == cid
    assert error_of(it.put(KEY, {**HELLO, "text": "b"}, swapRecord=None))[1] == "InvalidSwap"
    assert it.texts() == ["hello"]


# -- files -----------------------------------------------------------------------------------------


def test_a_file_is_uploaded_and_goes_with_the_last_record_that_refers_to_it(
    it: BlueskyClient,
) -> None:
    blob = upload(it, mime="application/octet-stream")
    assert list(blob.items())[2:] == [("mimeType", "image/png"), ("size", len(PNG))]
    cid = linked(blob)
    for key in (KEY, OTHER):
        assert it.put(key, pictured(blob)).ok
    assert it.rules.live()[0].media == (cid,)
    assert [(each.cid, each.kept) for each in it.rules.blobs.every()] == [(cid, True)]
    delete(it, KEY)
    assert it.rules.blobs.get(cid)
    it.put(OTHER, HELLO)
    assert it.rules.blobs.get(cid) is None
    assert error_of(it.put(KEY, pictured(blob)))[1] == "BlobNotFound"
    upload(it)
    assert it.put(KEY, pictured(blob)).ok


def test_a_file_may_be_too_large(it: BlueskyClient) -> None:
    most = 5 * 1024 * 1024
    assert upload(it, b"x" * most)["size"] == most
    large = it.send(f"{REPO}uploadBlob", b"x" * (most + 1), "image/png")
    assert error_of(large)[:2] == (413, "PayloadTooLarge")


def pictured(blob: object) -> dict[str, object]:
    images = [{"image": blob, "alt": "a"}]
    return {**HELLO, "embed": {"$type": "app.bsky.embed.images", "images": images}}


def linked(blob: dict[str, object]) -> str:
    ref = blob["ref"]
    assert isinstance(ref, dict)
    return str(ref["$link"])


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
    assert [each.data for each in it.rules.blobs.every()] == [PNG, b"third"]
    assert len(patient.rules.blobs.every()) == 3


def test_a_file_keeps_the_type_it_first_came_with(it: BlueskyClient) -> None:
    first, second = (upload(it, b"<a>", mime) for mime in ("text/plain; x=y", "text/html"))
    assert (first["mimeType"], second["mimeType"]) == ("text/plain", "text/html")
    assert [each.mime for each in it.rules.blobs.every()] == ["text/plain"]
    assert it.rules.blobs.every()[0].reference()["mimeType"] == "text/plain"


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
    ref = {"uri": root.id, "cid": record.cid}
    assert get(it, child.key or "").json()["value"]["reply"] == {"root": ref, "parent": ref}
    theirs = it.rules.record(grandchild.id)
    assert theirs is not None
    assert theirs.value["reply"]["root"] == ref  # type: ignore[index,call-overload]
    assert grandchild.author == theirs.repo
    asked = {"repo": theirs.repo, "collection": POST}
    assert len(it.call(f"{REPO}listRecords", asked).json()["records"]) == 1
    gone = it.rules.remove(root.id)
    assert (gone.id, gone.deleted) == (root.id, it.clock.now)
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
