"""A real Bluesky server for tests, on this machine: what `.ci/pds run` starts.

    pytestmark = real_pds_only

    @pytest.fixture(scope="module")
    def pds() -> Iterator[RealPds]:
        with serving() as server:
            yield server

    def test_it(pds: RealPds) -> None:
        account = pds.new_account()  # with nothing in it: other tests may use the server as well

BOT_TEST_PDS may hold the line of JSON of a server that runs already. Where neither that nor an
install is there, such tests are skipped, and say so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.helpers.paths import ROOT

POSTS = "app.bsky.feed.post"
SCRIPT = ROOT / ".ci" / "pds"
TIMEOUT = 30.0
_GIVEN = os.environ.get("BOT_TEST_PDS", "")

real_pds_only = [
    pytest.mark.pds,
    pytest.mark.skipif(
        not (_GIVEN or (ROOT / "build" / "pds" / "installed").is_file()),
        reason="no real Bluesky server here: .ci/pds install gets one",
    ),
]

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the server. The app password is what a bot logs in with."""

    did: str
    handle: str
    password: str
    app_password: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gives: two JSON Web Tokens, good for 2 hours and for 90 days."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class RealPds:
    """A server that answers at `url` (no slash at its end), and the account it began with."""

    url: str
    account: Account
    limits: bool
    jwt_secret: str
    admin_password: str

    def get(self, method: str, token: str = "", **parameters: str | int) -> requests.Response:
        """Ask a query, whatever it answers."""
        return requests.get(
            self._address(method), params=parameters, headers=_bearer(token), timeout=TIMEOUT
        )

    def post(
        self, method: str, body: Mapping[str, object] | None = None, token: str = ""
    ) -> requests.Response:
        """Call a procedure, whatever it answers. None is no body, and not an empty object."""
        return requests.post(
            self._address(method), json=body, headers=_bearer(token), timeout=TIMEOUT
        )

    def log_in(self, account: Account, password: str = "") -> Session:
        """Begin a session with the app password, or with the one that is given."""
        told = {"identifier": account.did, "password": password or account.app_password}
        return _session(json_of(self.post("com.atproto.server.createSession", told)))

    def new_account(self) -> Account:
        """Make an account that no other test knows."""
        handle, password = f"t{secrets.token_hex(6)}.test", secrets.token_hex(16)
        told = {"handle": handle, "email": f"{handle}@example.test", "password": password}
        made = json_of(self.post("com.atproto.server.createAccount", told))
        token = _session(made).access
        app = self.post("com.atproto.server.createAppPassword", {"name": "bot"}, token)
        return Account(str(made["did"]), handle, password, str(json_of(app)["password"]))

    def take_down(self, account: Account, *, down: bool = True) -> None:
        """Do to the account what a moderator does, or undo it."""
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": account.did}
        answer = requests.post(
            self._address("com.atproto.admin.updateSubjectStatus"),
            json={"subject": subject, "takedown": {"applied": down}},
            auth=("admin", self.admin_password),
            timeout=TIMEOUT,
        )
        json_of(answer)

    def records(self, account: Account, collection: str = POSTS) -> dict[str, JsonObject]:
        """Read back all the account has: by record key, each with its uri, cid and value."""
        found: dict[str, JsonObject] = {}
        page: JsonObject = {"cursor": ""}
        while "cursor" in page:
            where: dict[str, str] = {"repo": account.did, "collection": collection}
            if page["cursor"]:
                where["cursor"] = str(page["cursor"])
            page = json_of(self.get("com.atproto.repo.listRecords", limit=100, **where))
            for record in _objects(page["records"]):
                found[str(record["uri"]).rpartition("/")[2]] = record
        return found

    def outdated(self, token: str) -> str:
        """Make of a token what it is once its time is over, signed by the server."""
        head, claims, _ = token.split(".")
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        span = told["exp"] - told["iat"] + 60
        past = {**told, "iat": told["iat"] - span, "exp": told["exp"] - span}
        signed = f"{head}.{_base64(json.dumps(past).encode())}"
        seal = hmac.digest(self.jwt_secret.encode(), signed.encode(), hashlib.sha256)
        return f"{signed}.{_base64(seal)}"

    def _address(self, method: str) -> str:
        return f"{self.url}/xrpc/{method}"


@contextmanager
def running_pds(*, limits: bool = False) -> Iterator[RealPds]:
    """Give the server of BOT_TEST_PDS, or start one and end it. `limits` turns rate limits on.

    A server of one's own begins with no request counted. Skips the test that asks where the script
    says that this machine can't have the server.
    """
    given = _read(_GIVEN) if _GIVEN else None
    if given and given.limits == limits:
        yield given
    else:
        with started_pds(*(["--limits"] if limits else [])) as process:
            yield _read(_line(process))


@contextmanager
def started_pds(*options: str, folder: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run `.ci/pds run`; its input is closed at the end, which ends it. `folder` is its TMPDIR."""
    process = subprocess.Popen(
        [SCRIPT, "run", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ({"TMPDIR": str(folder)} if folder else {}),
    )
    with process:  # closes its pipes, and waits
        yield process


def json_of(response: requests.Response) -> JsonObject:
    """Give the object of an answer that must be 200."""
    assert response.status_code == requests.codes.ok, f"{response.status_code}: {response.text}"
    found = response.json()
    assert isinstance(found, dict)
    return found


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    if line := process.stdout.readline():
        return line
    said = process.stderr.read().strip()
    if process.wait() == 3:  # what the script ends with where the machine lacks something
        pytest.skip(said)
    pytest.fail(f".ci/pds run: {said}")


def _read(line: str) -> RealPds:
    told = json.loads(line)
    account = Account(told["did"], told["handle"], told["password"], told["app_password"])
    return RealPds(told["url"], account, told["limits"], told["jwt_secret"], told["admin_password"])


def _session(answer: JsonObject) -> Session:
    return Session(str(answer["accessJwt"]), str(answer["refreshJwt"]))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _objects(value: object) -> Iterator[JsonObject]:
    assert isinstance(value, list)
    for each in value:
        assert isinstance(each, dict)
        yield each
