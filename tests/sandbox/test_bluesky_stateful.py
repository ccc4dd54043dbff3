"""What must hold of a repository whatever is done to it: puts, deletions, and pages of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.posters.bluesky.tids import EPOCH, tid
from bot.sandbox.bluesky.behaviour import OWN_PDS
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.records import cid_of
from bot.sandbox.bluesky.rules import ACCOUNT, BlueskyRules
from bot.sandbox.wire import Request, Response
from tests.helpers.sandbox_clients import StillClock

REPO = "/xrpc/com.atproto.repo."
KEYS = [tid(EPOCH + timedelta(seconds=number), number) for number in range(12)]
TEXTS = ["a", "b", "c"]


class DirectCaller:
    """Calls without HTTP, as the owner of the account."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.rules = BlueskyRules(self.clock, OWN_PDS)
        tokens = self.rules.sessions.open(self.clock.now, OWN_PDS)
        self._headers = {
            "authorization": f"Bearer {tokens.access}",
            "content-type": "application/json",
        }

    def post(self, name: str, **fields: object) -> Response:
        body = json.dumps({"repo": ACCOUNT, "collection": POST, **fields}).encode()
        return self.rules.answer(Request("POST", REPO + name, "", self._headers, body))

    def get(self, name: str, **fields: object) -> Mapping[str, object]:
        query = urlencode({"repo": ACCOUNT, "collection": POST, **fields})
        value = self.rules.answer(Request("GET", REPO + name, query)).value()
        assert isinstance(value, dict)
        return value

    def page(self, **fields: object) -> tuple[list[str], object]:
        """The keys of a page, and the cursor to the next."""
        value = self.get("listRecords", **fields)
        records = value["records"]
        assert isinstance(records, list)
        return [each["uri"].rpartition("/")[2] for each in records], value.get("cursor")


def record(text: str) -> dict[str, str]:
    return {"$type": POST, "text": text, "createdAt": "2026-03-01T12:00:00.000Z"}


class Repository(RuleBasedStateMachine):
    """Puts, creates and deletions at a few keys, beside a plain dict that says what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = DirectCaller()
        self.there: dict[str, str] = {}
        self.made = 0
        self.changes = 0

    @rule(key=st.sampled_from(KEYS), text=st.sampled_from(TEXTS), swap=st.sampled_from("-nrw"))
    def put(self, key: str, text: str, swap: str) -> None:
        """Put with no swap, with null, with what is there, or with something else."""
        known = self.there.get(key)
        now = None if known is None else str(cid_of(record(known)))
        swaps = {"n": None, "r": now, "w": str(cid_of("else"))}
        more = {"swapRecord": swaps[swap]} if swap in swaps else {}
        answer = self.caller.post("putRecord", rkey=key, record=record(text), **more)
        fits = swap in "-r" or (swap == "n" and known is None) or known == text
        assert answer.status == (200 if fits else 400)
        if fits and known != text:
            self.there[key] = text
            self.made += 1
            self.changes += 1

    @rule(key=st.sampled_from(KEYS), text=st.sampled_from(TEXTS))
    def create(self, key: str, text: str) -> None:
        answer = self.caller.post("createRecord", rkey=key, record=record(text))
        assert answer.status == (500 if key in self.there else 200)
        if answer.status == 200:
            self.there[key] = text
            self.made += 1
            self.changes += 1

    @rule(key=st.sampled_from(KEYS), person=st.booleans())
    def delete(self, key: str, *, person: bool) -> None:
        if person and key in self.there:
            self.caller.rules.remove(key)
        else:
            assert self.caller.post("deleteRecord", rkey=key).status == 200
        self.changes += self.there.pop(key, None) is not None

    @precondition(lambda self: self.there)
    @rule(seconds=st.integers(0, 100))
    def wait(self, seconds: int) -> None:
        self.caller.clock.advance(seconds=seconds)

    @rule(limit=st.integers(1, 5))
    def list(self, limit: int) -> None:
        """Pages hold every record once, in order, and the last of them leads nowhere."""
        found: list[str] = []
        asked: dict[str, object] = {"limit": limit}
        page, cursor = self.caller.page(**asked)
        while page:
            assert len(page) <= limit
            assert cursor == page[-1]
            found += page
            page, cursor = self.caller.page(**asked, cursor=cursor)
        assert cursor is None
        assert found == sorted(self.there, reverse=True)

    @invariant()
    def what_is_there_is_what_was_put(self) -> None:
        live = self.caller.rules.live()
        assert {post.key: post.text for post in live} == self.there
        assert len(self.caller.rules.every()) == self.made
        assert self.caller.rules.settle() == self.changes
        for key, text in self.there.items():
            value = self.caller.get("getRecord", rkey=key)
            assert value["value"] == record(text)
            assert value["cid"] == str(cid_of(record(text)))


Repository.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestRepository = Repository.TestCase


@given(
    times=st.sets(st.integers(0, 10**15), max_size=12),
    cursor=st.text("234567abcxyz:.", max_size=14),
    limit=st.integers(1, 100),
)
def test_a_cursor_may_be_anything_and_only_bounds(
    *, times: set[int], cursor: str, limit: int
) -> None:
    caller = DirectCaller()
    keys = sorted(tid(EPOCH + timedelta(microseconds=each)) for each in times)
    for key in keys:
        caller.rules.place(POST, key, record(key))
    page, _ = caller.page(limit=limit, cursor=cursor)
    assert page == [key for key in keys[::-1] if not cursor or key < cursor][:limit]


@given(st.lists(st.sampled_from(KEYS), max_size=8), st.sampled_from(TEXTS))
def test_puts_that_create_may_be_repeated_in_any_order(keys: list[str], text: str) -> None:
    caller = DirectCaller()
    answers = [
        caller.post("putRecord", rkey=key, record=record(text), swapRecord=None) for key in keys
    ]
    assert all(answer.status == 200 for answer in answers)
    assert len(caller.rules.every()) == len(set(keys))
    assert sum(b'"commit"' in answer.body for answer in answers) == len(set(keys))
