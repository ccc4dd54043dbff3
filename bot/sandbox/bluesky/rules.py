"""Bluesky's rules: answer XRPC as a PDS, https://docs.bsky.app/docs/api/at-protocol-xrpc-api.

They open sessions, put, create, delete, read and list records, and store files. A post's id is its
address, `at://did:.../app.bsky.feed.post/3k...`.
"""

from __future__ import annotations

import math
from base64 import b32encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour, Standing
from bot.sandbox.bluesky.lexicons import POST, PROFILE, TID, Invalid, check_post
from bot.sandbox.bluesky.records import Blobs, StoredRecord, cid_of, stored, tids, value_of
from bot.sandbox.bluesky.sessions import Sessions, Tokens, Use
from bot.sandbox.rate_limits import RateLimit, RateWindow, RateWindows
from bot.sandbox.service import NetworkService, Stored
from bot.sandbox.wire import Json, Pairs, RefusedRequest, Request, Response, reply, usual_headers

ACCOUNT = "did:plc:sandboxsandboxsandbox234"
HANDLE = "sandbox.example.org"
APP_PASSWORD = "sand-boxs-andb-oxes"  # noqa: S105 - opens nothing but the sandbox
_PATH = "/xrpc/"
_CLOCK = 7
_PAGE, _LARGEST_PAGE = 50, 100
_MOST_JSON = 1_000_000
_FEW_MINUTES, _HOUR, _DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request. `values` are its parameters or the fields of its body.

    `session` is the id in a refresh token.
    """

    request: Request
    now: datetime
    values: Mapping[str, object]
    session: str

    def text(self, name: str) -> str:
        """Return the value of a string, empty if it is missing."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Method:
    """One call: the function that carries it out, its HTTP method, its token, and needed values.

    `points` is what it costs of the limits for changes.
    """

    run: Callable[[BlueskyRules, Call], Response]
    verb: str
    token: Use | None
    needs: str = ""
    points: int = 0

    def values(self, request: Request) -> Mapping[str, object]:
        """Return the parameters or the fields of the body. Raises RefusedRequest for bad ones."""
        values: Mapping[str, object] = {key: text for key, text in request.params() if text}
        if self.verb == "POST" and self.needs:
            if not request.header("content-type").startswith("application/json"):
                message = "Request encoding (Content-Type) required but not provided"
                raise RefusedRequest(answers.invalid(message))
            if len(request.body) > _MOST_JSON:
                raise RefusedRequest(answers.TOO_LARGE)
            fields = request.fields()
            if fields is None:
                raise RefusedRequest(answers.error(400, "SyntaxError", "The body is not JSON"))
            values = fields
        for need in self.needs.split():
            if values.get(need) is None:
                raise RefusedRequest(answers.invalid(f'Missing required key "{need}" at $'))
        return values


class BlueskyRules(NetworkService):
    """A PDS, seen with one account's app password. Other accounts may have records here too.

    `behaviour` and `password` may be changed at any time. The repository of the account has no
    Merkle tree and no signature.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        behaviour: BlueskyBehaviour = BSKY_SOCIAL,
        handle: str = HANDLE,
        app_password: str = APP_PASSWORD,
        account: str = ACCOUNT,
    ) -> None:
        super().__init__(clock, tids(_CLOCK), account)
        self.behaviour = behaviour
        self.handle = handle
        self.password = app_password
        self.sessions = Sessions(account)
        self.blobs = Blobs()
        self._windows = RateWindows()
        self._versions: list[StoredRecord] = []
        self._current: dict[str, int] = {}
        self._hidden: set[str] = set()

    # -- changes by people -----------------------------------------------------------------------

    def every(self) -> tuple[Stored, ...]:
        """Return every post ever made, with the deleted and overwritten ones, oldest first."""
        self._catch_up()
        return tuple(stored(each) for each in self._versions if each.collection == POST)

    def record(self, post_id: str) -> StoredRecord | None:
        """Return the record of a post by its address or its key, or None."""
        self._catch_up()
        return self._get(self._uri(post_id))

    def place(self, collection: str, rkey: str, value: Mapping[str, Json]) -> StoredRecord:
        """Write a record of the account as another app would, without checks."""
        return self._write(f"at://{self.account}/{collection}/{rkey}", value, self._catch_up())

    def hide(self, post_id: str) -> None:
        """Take a post down as a moderator does. It cannot be read, and its key stays in use."""
        self._catch_up()
        self._hidden.add(self._uri(post_id))

    def revoke(self) -> None:
        """Revoke the app password as its owner does. Logins and refreshes fail afterwards."""
        self._catch_up()
        self.password = ""
        self.sessions.close_all()

    def _find(self, post_id: str | None) -> Stored | None:
        record = self._get(self._uri(post_id or ""))
        return stored(record) if record else None

    def _store(self, draft: Stored) -> Stored:
        repo = draft.author
        if not repo.startswith("did:"):  # another account, named by a test
            digest = b32encode(sha256(repo.encode()).digest()).decode().lower()
            repo = f"did:plc:{digest[:24]}"
        uri = f"at://{repo}/{POST}/{self._ids(draft.created)}"
        value = value_of(draft, self._get(draft.reply_to or ""))
        return stored(self._write(uri, value, draft.created))

    def _delete(self, post: Stored, now: datetime) -> Stored:
        self._write(post.id, None, now)
        return next(each for each in reversed(self.every()) if each.id == post.id)

    def _uri(self, post_id: str) -> str:
        return post_id if "/" in post_id else f"at://{self.account}/{POST}/{post_id}"

    # -- the repository --------------------------------------------------------------------------

    def _get(self, uri: str) -> StoredRecord | None:
        index = self._current.get(uri)
        return None if index is None else self._versions[index]

    def _write(self, uri: str, value: Mapping[str, Json] | None, now: datetime) -> StoredRecord:
        """Create or replace a record, or delete it (None). Return the last version.

        Raises RefusedRequest for a file that does not exist.
        """
        self.blobs.drop(now, self.behaviour.blobs_last)
        self.blobs.check(value)
        index = self._current.pop(uri, None)
        if index is not None:
            self._versions[index] = replace(self._versions[index], gone=now)
        if value is not None:
            self._current[uri] = len(self._versions)
            self._versions.append(StoredRecord(uri, cid_of(value), value, now))
        old = None if index is None else self._versions[index].value
        live = (self._versions[each].value for each in self._current.values())
        self.blobs.settle(value, old, live)
        self._changes += uri.split("/")[3] == POST
        return self._versions[-1 if index is None or value is not None else index]

    # -- requests of clients ---------------------------------------------------------------------

    def defer(self, request: Request, seconds: float) -> None:
        """Check the request now, and carry it out `seconds` from now if it is valid."""
        try:
            self._call(request, self._catch_up(), late=False)
        except RefusedRequest:
            return
        super().defer(request, seconds)

    def _serve_late(self, request: Request, due: datetime) -> None:
        self._respond(request, due, late=True)

    def _serve(self, request: Request, now: datetime) -> Response:
        return self._respond(request, now, late=False)

    def _respond(self, request: Request, now: datetime, *, late: bool) -> Response:
        headers: Pairs = ()
        try:
            method, call = self._call(request, now, late=late)
            headers = self._spend(method, call)
            answer = method.run(self, call)
        except RefusedRequest as refused:
            answer = refused.response
        return answer.having(*usual_headers(now, *answers.USUAL), *headers)

    def _call(self, request: Request, now: datetime, *, late: bool) -> tuple[Method, Call]:
        """Return the request as a checked call. A PDS counts a request only after these checks.

        The token of a `late` request was checked when it arrived, and may have expired since.
        """
        if not request.path.startswith(_PATH):
            raise RefusedRequest(answers.NO_PAGE)
        name = request.path.removeprefix(_PATH)
        if (method := METHODS.get(name)) is None:
            raise RefusedRequest(answers.NO_METHOD)
        if request.method != method.verb:
            message = f"Incorrect HTTP method ({request.method}) expected {method.verb}"
            raise RefusedRequest(answers.invalid(message))
        session = ""
        if method.token:
            late = late or name.endswith(".deleteSession")
            session = self.sessions.read(request, method.token, now, late=late)
        return method, Call(request, now, method.values(request), session)

    def _spend(self, method: Method, call: Call) -> Pairs:
        """Count what a call costs, and return the headers of the limit with the least left.

        Raises RefusedRequest if a limit is exceeded, with the headers of that limit. Every limit is
        charged even then.
        """
        limits = self.behaviour.limits
        if limits is None:
            return ()
        costs: list[tuple[str, int, timedelta, int]] = []
        if method.points:
            costs.append(("repo-write-hour", limits.hour, _HOUR, method.points))
            costs.append(("repo-write-day", limits.day, _DAY, method.points))
        if method.run is BlueskyRules.create_session:
            name = call.text("identifier")
            costs.append((f"login-day-{name}", limits.logins_day, _DAY, 1))
            costs.append((f"login-{name}", limits.logins, _FEW_MINUTES, 1))
        if method.run is BlueskyRules.upload_blob:
            costs.append(("upload", limits.uploads, _DAY, 1))
        costs.append(("requests", limits.requests, _FEW_MINUTES, 1))
        windows: list[RateWindow] = []
        exceeded: list[RateWindow] = []
        for name, most, length, points in costs:
            limit = RateLimit(name, most, length)
            over = self._windows.look(limit, call.now).remaining < points
            for _ in range(points):
                window = self._windows.take(limit, call.now)
            (exceeded if over else windows).append(window)
        window = exceeded[0] if exceeded else min(windows, key=lambda each: each.remaining)
        seconds = window.limit.length // timedelta(seconds=1)
        headers = (
            ("RateLimit-Limit", str(window.limit.most)),
            ("RateLimit-Reset", str(int(window.reset.timestamp()))),
            ("RateLimit-Remaining", str(window.remaining)),
            ("RateLimit-Policy", f"{window.limit.most};w={seconds}"),
        )
        if exceeded:
            wait = str(math.ceil((window.reset - call.now).total_seconds()))
            raise RefusedRequest(answers.TOO_MANY.having(*headers, ("Retry-After", wait)))
        return headers

    # -- sessions --------------------------------------------------------------------------------

    def create_session(self, call: Call) -> Response:
        """Open a session with a handle or DID and an app password.

        An account that is taken down cannot log in with an app password. A deactivated one can.
        """
        known = call.text("identifier").lower() in (self.account, self.handle)
        right = self.password and call.text("password") == self.password
        if not (known and right) or self.behaviour.standing is Standing.TAKENDOWN:
            raise RefusedRequest(answers.NO_LOGIN)
        return self._session_of(call, self.sessions.open(call.now, self.behaviour))

    def refresh_session(self, call: Call) -> Response:
        """Return new tokens for a refresh token, which is then valid only for a grace period."""
        self._check_standing(Standing.TAKENDOWN)
        tokens = self.sessions.rotate(call.session, call.now, self.behaviour)
        if tokens is None:
            raise RefusedRequest(answers.REVOKED)
        return self._session_of(call, tokens)

    def get_session(self, call: Call) -> Response:
        """Return the account of a token."""
        if self.behaviour.standing is Standing.TAKENDOWN:
            message = f"Could not find user info for account: {self.account}"
            raise RefusedRequest(answers.invalid(message))
        return self._session_of(call)

    def delete_session(self, call: Call) -> Response:
        """Close a session. Its access token stays valid until it expires."""
        self.sessions.close(call.session)
        return Response(200)

    def _session_of(self, call: Call, tokens: Tokens | None = None) -> Response:
        standing = self.behaviour.standing
        session: dict[str, Json] = {"did": self.account, "handle": self.handle}
        if tokens:
            session |= {"accessJwt": tokens.access, "refreshJwt": tokens.refresh}
        if self.behaviour.did_doc:
            service = {
                "id": "#atproto_pds",
                "type": "AtprotoPersonalDataServer",
                "serviceEndpoint": f"http://{call.request.header('host')}",
            }
            session["didDoc"] = {"id": self.account, "service": [service]}
        session["active"] = standing is Standing.ACTIVE
        return reply(200, session | ({} if session["active"] else {"status": standing.value}))

    def _check_standing(self, *refused: Standing) -> None:
        if self.behaviour.standing in refused:
            down = self.behaviour.standing is Standing.TAKENDOWN
            raise RefusedRequest(answers.TAKEN_DOWN if down else answers.DEACTIVATED)

    # -- writing ---------------------------------------------------------------------------------

    def put_record(self, call: Call) -> Response:
        """Create or replace a record. An equal record changes nothing.

        `swapRecord` is the version that must exist, or null if none may exist.
        """
        uri = self._writable(call, call.text("rkey"))
        value = self._checked(call, uri)
        current = self._get(uri)
        if current and current.cid == cid_of(value):
            return reply(200, {"uri": uri, "cid": current.cid})
        at = current.cid if current else None
        if call.values.get("swapRecord", at) != at:
            raise RefusedRequest(answers.bad_swap("Record", at))
        return self._committed(self._write(uri, value, call.now))

    def create_record(self, call: Call) -> Response:
        """Create a record. A key that is in use gives a 500, as at the real server."""
        uri = self._writable(call, call.text("rkey") or self._ids(call.now))
        value = self._checked(call, uri)
        if self._get(uri):
            raise RefusedRequest(answers.BROKEN)
        return self._committed(self._write(uri, value, call.now))

    def delete_record(self, call: Call) -> Response:
        """Delete a record. A record that does not exist is no error."""
        uri = self._writable(call, call.text("rkey"))
        if self._get(uri) is None:
            return reply(200, {})
        self._write(uri, None, call.now)
        return reply(200, {"commit": self._commit(call.now)})

    def upload_blob(self, call: Call) -> Response:
        """Store a file. Its type is that of its first bytes, or the type in the request."""
        self._check_standing(Standing.TAKENDOWN)
        if len(call.request.body) > self.behaviour.most_blob:
            raise RefusedRequest(answers.TOO_LARGE)
        self.blobs.drop(call.now, self.behaviour.blobs_last)
        declared = call.request.header("content-type").partition(";")[0].strip()
        blob = self.blobs.upload(call.request.body, declared, call.now)
        return reply(200, {"blob": blob.reference()})

    def _writable(self, call: Call, key: str) -> str:
        """Return the address of a record. Raises RefusedRequest if the token may not write it."""
        repo = self._repo(call.text("repo"))
        if repo is None:
            raise RefusedRequest(answers.NO_ACCOUNT)
        if repo != self.account:
            raise RefusedRequest(answers.NOT_YOURS)
        self._check_standing(Standing.TAKENDOWN, Standing.DEACTIVATED)
        return f"at://{repo}/{call.text('collection')}/{key}"

    def _repo(self, name: str) -> str | None:
        """Return the DID of an account here, by its handle or DID, or None."""
        if name.lower() in (self.account, self.handle):
            return self.account
        return name if any(each.repo == name for each in self._versions) else None

    def _checked(self, call: Call, uri: str) -> Mapping[str, Json]:
        """Return the record of a call. Raises RefusedRequest if it does not follow its lexicon."""
        record = call.values["record"]
        _, _, _, collection, key = uri.split("/", 4)
        if not isinstance(record, dict) or record.get("$type", collection) != collection:
            raise RefusedRequest(answers.invalid(f"Invalid $type: expected {collection}"))
        if collection == POST and not TID.fullmatch(key):
            reason = f'Invalid TID string (got "{key}")'
            raise RefusedRequest(answers.invalid(f"Invalid record key for {POST}: {reason} at $"))
        if collection == PROFILE and key != "self":
            reason = f'Expected "self" (got "{key}")'
            raise RefusedRequest(answers.invalid(f"Invalid record key for {PROFILE}: {reason}"))
        try:
            if collection == POST:
                check_post(record, "$.record")
        except Invalid as error:
            raise RefusedRequest(answers.invalid(f"Invalid {POST} record: {error}")) from None
        return {**record, "$type": collection}

    def _committed(self, record: StoredRecord) -> Response:
        commit = self._commit(record.made)
        return reply(200, {"uri": record.uri, "cid": record.cid, "commit": commit})

    def _commit(self, now: datetime) -> Json:
        rev = self._ids(now)
        return {"cid": cid_of(rev), "rev": rev}

    # -- reading ---------------------------------------------------------------------------------

    def get_record(self, call: Call) -> Response:
        """Return one record. Reads see writes at once."""
        repo = self._readable(call)
        uri = f"at://{repo or call.text('repo')}/{call.text('collection')}/{call.text('rkey')}"
        record = self._get(uri) if repo and uri not in self._hidden else None
        if record is None:
            raise RefusedRequest(answers.no_record(uri))
        return reply(200, {"uri": record.uri, "cid": record.cid, "value": record.value})

    def list_records(self, call: Call) -> Response:
        """Return a page of a collection, newest key first. `cursor` is the last key of a page."""
        repo, limit = self._readable(call), call.text("limit") or str(_PAGE)
        if repo is None:
            raise RefusedRequest(answers.no_repo(call.text("repo")))
        if not (limit.isdecimal() and 1 <= int(limit) <= _LARGEST_PAGE):
            raise RefusedRequest(answers.invalid(f"Invalid limit (got {limit})"))
        prefix, cursor = f"at://{repo}/{call.text('collection')}/", call.text("cursor")
        found = [
            self._versions[self._current[uri]]
            for uri in sorted(self._current, reverse=True)
            if uri.startswith(prefix) and uri not in self._hidden
            if not cursor or uri < prefix + cursor
        ][: int(limit)]
        records: list[Json] = [
            {"uri": each.uri, "cid": each.cid, "value": each.value} for each in found
        ]
        answer: dict[str, Json] = {"records": records}
        return reply(200, answer | ({"cursor": found[-1].rkey} if found else {}))

    def _readable(self, call: Call) -> str | None:
        """Return the DID of an account whose records may be read, or None."""
        did = self._repo(call.text("repo"))
        active = self.behaviour.standing is Standing.ACTIVE or did != self.account
        return did if active else None


_SERVER, _REPO, _KEY = "com.atproto.server.", "com.atproto.repo.", "repo collection rkey"
METHODS: Mapping[str, Method] = {
    f"{_SERVER}createSession": Method(
        BlueskyRules.create_session, "POST", None, "identifier password"
    ),
    f"{_SERVER}refreshSession": Method(BlueskyRules.refresh_session, "POST", Use.REFRESH),
    f"{_SERVER}deleteSession": Method(BlueskyRules.delete_session, "POST", Use.REFRESH),
    f"{_SERVER}getSession": Method(BlueskyRules.get_session, "GET", Use.ACCESS),
    f"{_REPO}createRecord": Method(
        BlueskyRules.create_record, "POST", Use.ACCESS, "repo collection record", points=3
    ),
    f"{_REPO}putRecord": Method(
        BlueskyRules.put_record, "POST", Use.ACCESS, f"{_KEY} record", points=2
    ),
    f"{_REPO}deleteRecord": Method(BlueskyRules.delete_record, "POST", Use.ACCESS, _KEY, points=1),
    f"{_REPO}uploadBlob": Method(BlueskyRules.upload_blob, "POST", Use.ACCESS),
    f"{_REPO}getRecord": Method(BlueskyRules.get_record, "GET", None, _KEY),
    f"{_REPO}listRecords": Method(BlueskyRules.list_records, "GET", None, "repo collection"),
}
"""The calls that this server knows."""
