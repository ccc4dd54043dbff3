"""The real Bluesky server of `.ci/pds` is really there, and does what the other tests rely on."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.helpers.real_pds import (
    POSTS,
    Account,
    RealPds,
    json_of,
    real_pds_only,
    running_pds,
    started_pds,
)

pytestmark = real_pds_only
KEY = "3m62prvgg2322"


@pytest.fixture(scope="module")
def pds() -> Iterator[RealPds]:
    with running_pds() as server:
        yield server


def posts(account: Account, count: int) -> dict[str, object]:
    """What applyWrites is told, so that it makes so many posts under keys of its own."""
    create = {
        "$type": "com.atproto.repo.applyWrites#create",
        "collection": POSTS,
        "value": {"$type": POSTS, "text": "", "createdAt": "2026-11-20T10:00:00Z"},
    }
    return {"repo": account.did, "writes": [create] * count}


def test_a_post_is_put_listed_and_deleted(pds: RealPds) -> None:
    account = pds.new_account()
    token = pds.log_in(account).access
    record = {"$type": POSTS, "text": "Hello", "createdAt": "2026-11-20T10:00:00.000Z"}
    where = {"repo": account.did, "collection": POSTS, "rkey": KEY}
    told = {**where, "record": record, "swapRecord": None}
    made = json_of(pds.post("com.atproto.repo.putRecord", told, token))
    uri = f"at://{account.did}/{POSTS}/{KEY}"
    assert (made["uri"], "commit" in made) == (uri, True)
    assert pds.records(account) == {KEY: {"uri": uri, "cid": made["cid"], "value": record}}
    again = json_of(pds.post("com.atproto.repo.putRecord", told, token))
    assert (again["cid"], "commit" in again) == (made["cid"], False)
    other = {**told, "record": {**record, "text": "Other"}}
    refused = pds.post("com.atproto.repo.putRecord", other, token)
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidSwap")
    json_of(pds.post("com.atproto.repo.deleteRecord", where, token))
    assert pds.records(account) == {}


def test_more_records_than_a_page_are_all_read_back(pds: RealPds) -> None:
    account = pds.new_account()
    token = pds.log_in(account).access
    json_of(pds.post("com.atproto.repo.applyWrites", posts(account, 101), token))
    assert len(pds.records(account)) == 101


def test_every_account_is_its_own(pds: RealPds) -> None:
    one, two = pds.new_account(), pds.new_account()
    assert len({one.did, two.did, pds.account.did}) == 3
    session = pds.log_in(one)
    answer = json_of(pds.get("com.atproto.server.getSession", session.access))
    assert (answer["did"], answer["handle"]) == (one.did, one.handle)
    assert pds.log_in(pds.account) != session
    assert pds.log_in(one, one.password).access != session.access


def test_the_session_says_where_the_account_lives(pds: RealPds) -> None:
    answer = json_of(pds.get("com.atproto.server.getSession", pds.log_in(pds.account).access))
    document = answer["didDoc"]
    assert isinstance(document, dict)
    assert document["service"][0]["serviceEndpoint"].endswith(f":{urlsplit(pds.url).port}")


def test_a_token_can_be_made_one_whose_time_is_over(pds: RealPds) -> None:
    session = pds.log_in(pds.new_account())
    answer = pds.get("com.atproto.server.getSession", pds.outdated(session.access))
    assert (answer.status_code, answer.json()["error"]) == (400, "ExpiredToken")
    answer = pds.post("com.atproto.server.refreshSession", token=pds.outdated(session.refresh))
    assert (answer.status_code, answer.json()["message"]) == (400, "Token has expired")
    json_of(pds.post("com.atproto.server.refreshSession", token=session.refresh))


def test_an_account_can_be_taken_down_and_put_up_again(pds: RealPds) -> None:
    account = pds.new_account()
    token = pds.log_in(account).access
    told = {"repo": account.did, "collection": POSTS, "rkey": KEY}
    pds.take_down(account)
    answer = pds.post("com.atproto.repo.deleteRecord", told, token)
    assert (answer.status_code, answer.json()["error"]) == (401, "AccountTakedown")
    pds.take_down(account, down=False)
    json_of(pds.post("com.atproto.repo.deleteRecord", told, pds.log_in(account).access))


def test_what_needs_the_application_view_fails_at_once(pds: RealPds) -> None:
    account = pds.new_account()
    token = pds.log_in(account).access
    answer = pds.get("app.bsky.actor.getProfile", token, actor=account.did)
    assert (answer.status_code, answer.json()["error"]) == (502, "UpstreamFailure")


def test_rate_limits_can_be_had(pds: RealPds) -> None:
    answer = pds.get("com.atproto.server.describeServer")
    assert "RateLimit-Limit" not in answer.headers
    with running_pds(limits=True) as limited:
        answer = limited.get("com.atproto.server.describeServer")
        assert answer.headers["RateLimit-Policy"] == "3000;w=300"
        token = limited.log_in(limited.account).access
        writes = posts(limited.account, 200)  # 600 of the 5,000 points of an hour
        answers = [limited.post("com.atproto.repo.applyWrites", writes, token) for _ in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    assert 3500 < int(answers[-1].headers["Retry-After"]) <= 3600


def test_a_server_of_ones_own_leaves_nothing_behind(tmp_path: Path) -> None:
    with started_pds(folder=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert len(list(tmp_path.iterdir())) == 1
        told = json.loads(line)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(told["url"]).port)) != 0


@pytest.mark.parametrize(
    "end", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda end: str(end.name)
)
def test_a_signal_ends_it_too(tmp_path: Path, end: signal.Signals) -> None:
    with started_pds(folder=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(end)
        assert process.wait(60) == 0
    assert list(tmp_path.iterdir()) == []
