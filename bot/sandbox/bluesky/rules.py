"""Bluesky's rules: answer XRPC as a PDS, https://docs.bsky.app/docs/api/at-protocol-xrpc-api.

They open sessions, put, create, delete, read and list records, and store files. Of Bluesky itself
they only know the profile. A post's id is its address, `at://did:.../app.bsky.feed.post/3k...`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from bot.sandbox.bluesky import answers, logins, reading, writing
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour, Standing
from bot.sandbox.bluesky.calls import METHODS, Auth, Call, body, mime_of, params
from bot.sandbox.bluesky.cbor import Data, cid_of
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.limits import Meter, costs
from bot.sandbox.bluesky.pds import SERVICE, Pds
from bot.sandbox.bluesky.posts import did_of, stored, value_of
from bot.sandbox.bluesky.records import Action, StoredRecord, Write
from bot.sandbox.bluesky.sessions import Sessions, Use, bearer
from bot.sandbox.bluesky.tids import tids
from bot.sandbox.service import NetworkService, Stored
from bot.sandbox.wire import Pairs, RefusedRequest, Request, Response

ACCOUNT = "did:plc:sandboxsandboxsandbox234"
HANDLE = "sandbox.example.org"
APP_PASSWORD = "sand-boxs-andb-oxes"  # noqa: S105 - opens nothing but the sandbox
_PATH = "/xrpc/"
_UPLOAD = "com.atproto.repo.uploadBlob"

Handler = Callable[[Pds, Call], Response]

_HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "com.atproto.server.createSession": logins.create_session,
        "com.atproto.server.refreshSession": logins.refresh_session,
        "com.atproto.server.deleteSession": logins.delete_session,
        "com.atproto.server.getSession": logins.get_session,
        "com.atproto.server.describeServer": reading.describe_server,
        "com.atproto.repo.createRecord": writing.create_record,
        "com.atproto.repo.putRecord": writing.put_record,
        "com.atproto.repo.deleteRecord": writing.delete_record,
        "com.atproto.repo.applyWrites": writing.apply_writes,
        _UPLOAD: writing.upload_blob,
        "com.atproto.repo.getRecord": reading.get_record,
        "com.atproto.repo.listRecords": reading.list_records,
        "com.atproto.sync.getBlob": reading.get_blob,
        "com.atproto.identity.resolveHandle": reading.resolve_handle,
        "app.bsky.actor.getProfile": reading.get_profile,
    }
)


class BlueskyRules(NetworkService):
    """A PDS, seen with one account's app password.

    `pds` holds the data: `pds.records`, `pds.blobs` and `pds.sessions`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        behaviour: BlueskyBehaviour = BSKY_SOCIAL,
        handle: str = HANDLE,
        app_password: str = APP_PASSWORD,
        account: str = ACCOUNT,
    ) -> None:
        super().__init__(clock, tids(), account)
        self.handle = handle
        self.pds = Pds(behaviour, account, handle, app_password, Sessions(account, SERVICE))
        self._meter = Meter()

    @property
    def behaviour(self) -> BlueskyBehaviour:
        """How the server behaves. It may be changed at any time."""
        return self.pds.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: BlueskyBehaviour) -> None:
        self.pds.behaviour = behaviour

    # -- changes by people -----------------------------------------------------------------------

    def every(self) -> tuple[Stored, ...]:
        """Return every post ever made, with the deleted and overwritten ones, oldest first."""
        self._catch_up()
        return tuple(stored(each) for each in self.pds.records.every() if each.collection == POST)

    def record(self, post_id: str) -> StoredRecord | None:
        """Return the record of a post by its address or its key, or None."""
        self._catch_up()
        return self.pds.records.get(self._uri(post_id))

    def place(self, collection: str, rkey: str, value: Mapping[str, Data]) -> StoredRecord:
        """Write a record of the account as another app would, without checks."""
        now = self._catch_up()
        return self._put(f"at://{self.account}/{collection}/{rkey}", value, now)

    def hide(self, post_id: str) -> None:
        """Take a post down as a moderator does. It cannot be read, and its key stays in use."""
        self._catch_up()
        self.pds.records.hidden.add(self._uri(post_id))

    def revoke(self) -> None:
        """Revoke the app password as its owner does. Logins and refreshes fail afterwards."""
        self._catch_up()
        self.pds.password = ""
        self.pds.sessions.close_all()

    def settle(self) -> int:
        """Carry out due requests, and return how often a post was made or deleted so far."""
        self._catch_up()
        return self.pds.changes

    def _find(self, post_id: str | None) -> Stored | None:
        record = self.pds.records.get(self._uri(post_id or ""))
        return stored(record) if record else None

    def _store(self, draft: Stored) -> Stored:
        repo = did_of(draft.author)
        parent = self.pds.records.get(draft.reply_to or "")
        uri = f"at://{repo}/{POST}/{self.pds.keys(draft.created)}"
        return stored(self._put(uri, value_of(draft, parent), draft.created))

    def _delete(self, post: Stored, now: datetime) -> Stored:
        self.pds.delete(post.id, now)
        return next(each for each in reversed(self.every()) if each.id == post.id)

    def _put(self, uri: str, value: Mapping[str, Data], now: datetime) -> StoredRecord:
        action = Action.UPDATE if self.pds.records.get(uri) else Action.CREATE
        write = Write(action, uri, value, cid_of(value))
        self.pds.commit(uri.split("/")[2], [write], now)
        return self.pds.records.every()[-1]

    def _uri(self, post_id: str) -> str:
        return post_id if "/" in post_id else f"at://{self.account}/{POST}/{post_id}"

    # -- requests of clients ---------------------------------------------------------------------

    def defer(self, request: Request, seconds: float) -> None:
        """Check the request now, and carry it out `seconds` from now if it is valid."""
        try:
            self._call(request, self._catch_up())
        except RefusedRequest:
            return
        super().defer(request, seconds)

    def _serve_late(self, request: Request, due: datetime) -> None:
        self._respond(request, due, late=True)

    def _serve(self, request: Request, now: datetime) -> Response:
        return self._respond(request, now)

    def _respond(self, request: Request, now: datetime, *, late: bool = False) -> Response:
        headers: Pairs = ()
        try:
            call = self._call(request, now, late=late)
            headers = self._spend(call)
            answer = self._answer(call)
        except RefusedRequest as refused:
            answer = refused.response
        return answer.having(*answers.usual_headers(now), *headers)

    def _call(self, request: Request, now: datetime, *, late: bool = False) -> Call:
        """Return the request as a checked call. A PDS counts a request only after these checks.

        The token of a `late` request was checked when it arrived, and may have expired since.
        """
        if not request.path.startswith(_PATH):
            raise RefusedRequest(answers.NO_PAGE)
        name = request.path.removeprefix(_PATH)
        method = METHODS.get(name)
        if method is None:
            return Call(name, request, now)
        if request.method != method.verb:
            message = f"Incorrect HTTP method ({request.method}) expected {method.verb}"
            raise RefusedRequest(answers.invalid(message))
        values = params(request, name, method)
        session = self._authorize(request, method.auth, name, now, late=late)
        if method.verb == "POST":
            values = body(request, method, self.behaviour.most_json, self.behaviour.most_blob)
        return Call(name, request, now, values, session, mime_of(request))

    def _authorize(
        self, request: Request, auth: Auth, name: str, now: datetime, *, late: bool
    ) -> str:
        """Return the id in a refresh token, or "". Raises RefusedRequest for a wrong token."""
        if auth is Auth.NONE:
            return ""
        use = Use.ACCESS if auth is Auth.ACCESS else Use.REFRESH
        late = late or auth is Auth.REFRESH_LATE
        session = self.pds.sessions.read(bearer(request), use, now, late=late)
        if name == _UPLOAD:
            self.pds.check_standing(Standing.DEACTIVATED)
        return session

    def _answer(self, call: Call) -> Response:
        handler = _HANDLERS.get(call.name)
        if handler:
            return handler(self.pds, call)
        self._authorize(call.request, Auth.ACCESS, call.name, call.now, late=False)
        return answers.NO_METHOD if self.behaviour.appview else answers.NO_UPSTREAM

    def _spend(self, call: Call) -> Pairs:
        limits = self.behaviour.limits
        if limits is None:
            return ()
        return self._meter.spend(costs(call, limits), call.now)
