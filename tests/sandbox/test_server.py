from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox import faults
from bot.sandbox.faults import Fault
from bot.sandbox.listener import Listener
from bot.sandbox.mastodon.behaviour import SNAC2
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord, Stage
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Request
from bot.sandbox.x.rules import XRules
from tests.helpers.health_checks import SHARED_FIXTURE
from tests.helpers.sandbox_clients import (
    MastodonClient,
    StillClock,
    XClient,
    mastodon_client,
    x_client,
)

TIMEOUT = 30.0
GET = b"GET /api/v1/instance HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def it() -> Iterator[XClient]:
    with x_client() as started:
        yield started


@pytest.fixture
def other() -> Iterator[MastodonClient]:
    alike = replace(SNAC2, hangs_up=False)  # it counts no requests, and keeps its connections
    with mastodon_client(alike) as started:
        yield started


def talk(sandbox: Sandbox, *parts: bytes) -> bytes:
    """Send bytes to the server, say that there are no more, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port_of(sandbox))) as client:
        for part in parts:
            client.sendall(part)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def port_of(sandbox: Sandbox, network: str = "mastodon") -> int:
    return int(sandbox.url(network).rpartition(":")[2])


@contextmanager
def no_file_left() -> Iterator[None]:
    """This process can open no file, until the end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    try:
        highest = os.dup(0)
        held.append(highest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_while_no_file_can_be_opened_clients_wait() -> None:
    served = threading.Event()
    listener = Listener(0, lambda *_: served.set())
    with socket.socket() as client:
        with no_file_left():
            client.connect(("127.0.0.1", listener.port))
        assert served.wait(TIMEOUT)
    listener.close()


# -- the log ---------------------------------------------------------------------------------------


def test_the_log_tells_what_became_of_each_request(it: XClient) -> None:
    post = it.post("a")
    it.client.get_me()
    it.call("POST", "/2/tweets", json={"text": "a"})
    it.client.delete_tweet(post)
    log = it.sandbox.requests
    assert [each.number for each in log] == [1, 2, 3, 4]
    assert [(each.method, each.path) for each in log] == [
        ("POST", "/2/tweets"),
        ("GET", "/2/users/me"),
        ("POST", "/2/tweets"),
        ("DELETE", f"/2/tweets/{post}"),
    ]
    assert [each.status for each in log] == [201, 200, 403, 200]
    assert [each.committed for each in log] == [True, False, False, True]
    assert {each.stage for each in log} == {Stage.DONE}
    assert {(each.fault, each.network, each.connection) for each in log} == {("none", "twitter", 1)}
    assert b'"text"' in log[0].body


def test_each_network_counts_for_itself() -> None:
    clock = StillClock()
    rules = {"a": MastodonRules(clock), "b": MastodonRules(clock)}
    with Sandbox(rules) as sandbox:
        for network in ("a", "b", "a"):
            with requests.get(sandbox.url(network) + "/api/v2/instance", timeout=30) as answer:
                assert answer.status_code == 200
        assert [(each.network, each.number) for each in sandbox.requests] == [
            ("a", 1),
            ("b", 1),
            ("a", 2),
        ]
        assert (sandbox.connections("a"), sandbox.connections("b")) == (2, 1)


def test_one_may_wait_for_the_log(it: XClient) -> None:
    assert not it.sandbox.wait(lambda log: len(log) == 1, timeout=0)
    thread = threading.Thread(target=it.post, args=("a",))
    thread.start()
    assert it.sandbox.wait(lambda log: len(log) == 1)
    thread.join()


# -- the script ------------------------------------------------------------------------------------


def test_a_fault_meets_the_request_it_is_meant_for(it: XClient) -> None:
    it.sandbox.script(faults.server_error(503), network="mastodon", times=None)
    it.sandbox.script(faults.server_error(500), network="twitter", at=2)
    it.sandbox.script(faults.server_error(502), when=lambda each: each.method == "GET", times=2)
    answers = [
        it.call(method, "/2/tweets", json={"text": str(number)}).status_code
        for number, method in enumerate(["POST", "POST", "GET", "POST", "GET", "GET"])
    ]
    assert answers == [201, 500, 502, 201, 502, 404]


def test_earlier_lines_come_first_and_a_question_before_them(it: XClient) -> None:
    asked: list[RequestRecord] = []

    def decide(record: RequestRecord) -> Fault | None:
        asked.append(record)
        return faults.server_error(504) if record.number == 3 else None

    it.sandbox.script(faults.server_error(500))
    it.sandbox.script(faults.server_error(502), times=None)
    it.sandbox.decide(decide)
    assert [it.call("GET", "/2/users/me").status_code for _ in range(4)] == [500, 502, 504, 502]
    it.sandbox.fix()
    assert it.call("GET", "/2/users/me").status_code == 200
    assert [record.number for record in asked] == [1, 2, 3, 4]
    assert asked[0].stage is Stage.ARRIVED


# -- time ------------------------------------------------------------------------------------------


def test_answers_take_their_time_by_the_sleep_passed_in() -> None:
    slept: list[float] = []
    rules = {"mastodon": MastodonRules(StillClock())}
    with Sandbox(rules, latency=0.1, sleep=slept.append) as sandbox, requests.Session() as session:
        sandbox.script(faults.slow(2.5), at=2)
        for _ in range(3):
            session.get(sandbox.url("mastodon"), timeout=30)
    assert slept == [0.1, 2.6, 0.1]


def test_a_held_request_goes_on_when_it_is_released(it: XClient) -> None:
    for fault in (faults.HUNG_BEFORE, faults.HUNG_AFTER):
        it.sandbox.script(fault)
        found: list[str] = []
        thread = threading.Thread(
            target=lambda name, to: to.append(it.post(name)), args=(fault.name, found)
        )
        thread.start()
        assert it.sandbox.wait(lambda log: log[-1].stage is Stage.HELD if log else False)
        held = it.sandbox.requests[-1]
        assert (held.status, held.committed) == (None, fault is faults.HUNG_AFTER)
        it.sandbox.release()
        thread.join()
        assert found == [it.rules.live()[-1].id]
        assert it.sandbox.requests[-1].status == 201


# -- connections -----------------------------------------------------------------------------------


def test_a_connection_is_kept_until_somebody_closes_it(it: XClient) -> None:
    for _ in range(3):
        it.client.get_me()
    assert it.sandbox.connections("twitter") == 1
    it.sandbox.script(faults.CLOSED_IDLE)
    it.client.get_me()
    it.client.get_me()
    assert it.sandbox.connections("twitter") == 2
    it.client.session.headers["Connection"] = "close"
    it.client.get_me()
    it.client.get_me()
    assert it.sandbox.connections("twitter") == 3
    assert [each.connection for each in it.sandbox.requests] == [1, 1, 1, 1, 2, 2, 3]


def test_a_network_can_go_away_and_come_back(it: XClient) -> None:
    it.post("a")
    with it.sandbox.down("twitter"):
        for _ in range(2):
            with pytest.raises(requests.ConnectionError, match="refused"):
                it.post("b")
    it.post("c")
    assert it.texts() == ["a", "c"]
    assert it.sandbox.connections("twitter") == 2


def test_a_port_can_be_chosen_and_may_be_taken() -> None:
    rules = {"a": MastodonRules(StillClock()), "b": MastodonRules(StillClock())}
    with Sandbox(rules) as sandbox:
        port = port_of(sandbox, "a")
        with pytest.raises(OSError, match="in use"), Sandbox(rules, ports={"b": port}):
            pytest.fail("the port was taken")
    with Sandbox(rules, ports={"a": port}) as again:
        assert again.url("a") == f"http://127.0.0.1:{port}"


def test_nothing_is_left_behind() -> None:
    before = set(threading.enumerate())
    rules = {"twitter": XRules(StillClock()), "mastodon": MastodonRules(StillClock())}
    with ExitStack() as clients, Sandbox(rules) as sandbox:
        sandbox.script(faults.HUNG_BEFORE)
        hung, idle, _ = [
            clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            for port in map(partial(port_of, sandbox), ("twitter", "mastodon", "mastodon"))
        ]
        hung.sendall(GET)
        assert sandbox.wait(lambda log: bool(log) and log[0].stage is Stage.HELD)
        idle.sendall(GET)
        assert idle.recv(1)
        assert len(threading.enumerate()) > len(before) + 2
        stopped = clients.pop_all()
    assert set(threading.enumerate()) == before
    with stopped:
        assert hung.recv(1) == b""


def test_a_client_that_does_not_wait_for_its_answer_harms_nobody(other: MastodonClient) -> None:
    other.sandbox.script(faults.HUNG_AFTER)
    with socket.create_connection(("127.0.0.1", port_of(other.sandbox))) as client:
        client.sendall(GET)
        assert other.sandbox.wait(lambda log: bool(log) and log[0].stage is Stage.HELD)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert other.sandbox.wait(lambda log: log[0].stage is Stage.DONE)
    assert other.post("a")


# -- HTTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: h",
        b"GET / HTTP/1.1\r\nHost: h\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nshort",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    ],
)
def test_what_is_no_whole_request_is_not_answered(other: MastodonClient, sent: bytes) -> None:
    # What the server has not read when it closes makes the kernel send a reset.
    with suppress(OSError):
        assert talk(other.sandbox, sent) == b""
    assert other.sandbox.requests == ()


def test_requests_follow_each_other_on_a_connection(other: MastodonClient) -> None:
    one = talk(other.sandbox, GET[:20], GET[20:])
    assert one.startswith(b"HTTP/1.1 200 OK\r\n")
    assert one.count(b"HTTP/1.1") == 1
    assert talk(other.sandbox, GET, GET) == one + one


@pytest.mark.parametrize("change", [(b"1.1", b"1.0"), (b": h", b": h\r\nConnection: close")])
def test_a_client_that_wants_one_answer_gets_one_and_the_end(
    other: MastodonClient, change: tuple[bytes, bytes]
) -> None:
    with socket.create_connection(("127.0.0.1", port_of(other.sandbox))) as client:
        client.sendall(GET.replace(*change))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"\r\nconnection: close\r\n\r\n" in answer.lower()


@settings(suppress_health_check=SHARED_FIXTURE)
@given(after=st.integers(0, 3000))
def test_an_answer_can_be_cut_at_any_byte(other: MastodonClient, after: int) -> None:
    whole = talk(other.sandbox, GET)
    head = len(whole.partition(b"\r\n\r\n")[0]) + 4
    other.sandbox.script(faults.cut_head(after))
    assert talk(other.sandbox, GET) == whole[:after]
    other.sandbox.script(faults.cut_body(after))
    assert talk(other.sandbox, GET) == whole[: head + after]


def test_head_gets_the_headers_alone(other: MastodonClient) -> None:
    whole, head = (talk(other.sandbox, GET.replace(b"GET", verb)) for verb in (b"GET", b"HEAD"))
    assert b"content-length: " in whole
    assert head.startswith(b"HTTP/1.1 404 ")
    assert head.endswith(b"\r\n\r\n")


def test_a_request_shows_its_parts() -> None:
    request = Request("GET", "/a", "b=c&b=&d=%C3%A9", {"x": "y"}, b'{"e":1}')
    assert request.params() == (("b", "c"), ("b", ""), ("d", "é"))
    assert (request.header("x"), request.header("z"), request.form()) == ("y", "", ())
    assert request.fields() == {"e": 1}
    assert Request("GET", "/", body=b"[1]").fields() is None
    assert Request("GET", "/", body=b"\xff").fields() is None


def test_a_fault_says_no_answer_where_there_is_none() -> None:
    fault = Fault("lost")
    assert fault.answer(Request("GET", "/"), None, StillClock()()).status == 504
