"""Clients of a sandbox: the networks' real SDKs and bare requests, and a still clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import requests
import tweepy  # type: ignore[import-untyped]
from mastodon import Mastodon
from requests.adapters import HTTPAdapter
from requests_oauthlib import OAuth1  # type: ignore[import-untyped]

from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.rules import APP_PASSWORD, METHODS, BlueskyRules
from bot.sandbox.mastodon.behaviour import MASTODON, MastodonBehaviour
from bot.sandbox.server import Sandbox
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.oauth1 import OAuthKeys
from tests.helpers.mastodon_logins import MastodonWithLogins
from tests.helpers.x_logins import XWithLogins

X_HOST = "https://api.twitter.com"
TIMEOUT = 30.0


class StillClock:
    """A time that stands still until it is moved; it begins in the middle of a second."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, *, seconds: float = 0.0, hours: float = 0.0) -> None:
        self.now += timedelta(seconds=seconds, hours=hours)


class Redirecting(HTTPAdapter):
    """Sends what is meant for one address to another, signed as it is, and waits so long."""

    def __init__(self, base: str, timeout: float = TIMEOUT) -> None:
        super().__init__(max_retries=0)
        self._base = base
        self._timeout = timeout

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        parts = urlsplit(str(request.url))
        query = f"?{parts.query}" if parts.query else ""
        request.url = f"{self._base}{parts.path}{query}"
        return super().send(request, timeout=self._timeout)


def oauth(keys: OAuthKeys) -> OAuth1:
    return OAuth1(
        keys.consumer_key, keys.consumer_secret, keys.access_token, keys.access_token_secret
    )


@dataclass
class XClient:
    """A sandbox with X in it, and two ways to talk to it: tweepy, and bare signed requests."""

    sandbox: Sandbox
    rules: XWithLogins
    clock: StillClock
    client: tweepy.Client

    def call(
        self, method: str, path: str, *, json: object = None, keys: OAuthKeys | None = None
    ) -> requests.Response:
        auth = oauth(keys or self.rules.keys)
        session: requests.Session = self.client.session
        return session.request(method, X_HOST + path, json=json, auth=auth)

    def post(self, text: str, parent: str | None = None) -> str:
        answer = self.client.create_tweet(text=text, in_reply_to_tweet_id=parent)
        return str(answer.data["id"])

    def texts(self) -> list[str]:
        return [post.text for post in self.rules.live()]


@contextmanager
def x_client(behaviour: XBehaviour | None = None, timeout: float = TIMEOUT) -> Iterator[XClient]:
    clock = StillClock()
    rules = XWithLogins(clock, behaviour)
    with Sandbox({"twitter": rules}) as sandbox:
        keys = rules.keys
        client = tweepy.Client(
            consumer_key=keys.consumer_key,
            consumer_secret=keys.consumer_secret,
            access_token=keys.access_token,
            access_token_secret=keys.access_token_secret,
        )
        client.session.trust_env = False
        client.session.mount(X_HOST, Redirecting(sandbox.url("twitter"), timeout))
        with client.session:
            yield XClient(sandbox, rules, clock, client)


@dataclass
class MastodonClient:
    """A sandbox with a server of Mastodon's API in it, mastodon.py, and bare requests."""

    sandbox: Sandbox
    rules: MastodonWithLogins
    clock: StillClock
    client: Mastodon
    session: requests.Session

    def call(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.rules.token}", **(headers or {})}
        url = self.sandbox.url("mastodon") + path
        return self.session.request(
            method, url, data=data, json=json, headers=sent, timeout=TIMEOUT
        )

    def post(self, text: str, parent: str | None = None, key: str | None = None) -> str:
        if self.rules.behaviour.forms:
            status = self.client.status_post(text, in_reply_to_id=parent, idempotency_key=key)
            return str(status.id)
        body = {"status": text, "in_reply_to_id": parent}
        return str(self.call("POST", "/api/v1/statuses", json=body).json()["id"])

    def texts(self) -> list[str]:
        return [post.text for post in self.rules.live()]


@contextmanager
def mastodon_client(
    behaviour: MastodonBehaviour = MASTODON, timeout: float = TIMEOUT
) -> Iterator[MastodonClient]:
    clock = StillClock()
    rules = MastodonWithLogins(clock, behaviour)
    with Sandbox({"mastodon": rules}) as sandbox, requests.Session() as session:
        session.trust_env = False
        session.headers["Connection"] = "close" if behaviour.hangs_up else "keep-alive"
        client = Mastodon(
            access_token=rules.token,
            api_base_url=sandbox.url("mastodon"),
            ratelimit_method="throw",
            request_timeout=timeout,
            session=session,
        )
        yield MastodonClient(sandbox, rules, clock, client, session)


@dataclass
class BlueskyClient:
    """A sandbox with a PDS in it, and bare calls of XRPC, with the tokens of one login."""

    sandbox: Sandbox
    rules: BlueskyRules
    clock: StillClock
    session: requests.Session
    timeout: float = TIMEOUT
    tokens: dict[str, str] = field(default_factory=dict)

    def login(self, password: str = APP_PASSWORD) -> requests.Response:
        name = "com.atproto.server.createSession"
        body = {"identifier": self.rules.handle, "password": password}
        answer = self.call(name, body, token="")
        if answer.ok:
            self.tokens = {key: answer.json()[f"{key}Jwt"] for key in ("access", "refresh")}
        return answer

    def call(
        self,
        name: str,
        values: Mapping[str, object] | None = None,
        *,
        token: str | None = None,
        verb: str = "",
    ) -> requests.Response:
        """Call by its name; a query's values go into the address, a procedure's into the body."""
        verb = verb or (METHODS[name].verb if name in METHODS else "GET")
        asked = {key: str(each) for key, each in (values or {}).items()} if verb == "GET" else {}
        return self.session.request(
            verb,
            self.url(name),
            params=asked,
            json=None if verb == "GET" else values,
            headers=self.headers(token),
            timeout=self.timeout,
        )

    def send(
        self, name: str, data: bytes, mime: str = "", token: str | None = None
    ) -> requests.Response:
        """Call a procedure with a body of any kind."""
        headers = self.headers(token) | ({"Content-Type": mime} if mime else {})
        return self.session.post(self.url(name), data, headers=headers, timeout=self.timeout)

    def url(self, name: str) -> str:
        return f"{self.sandbox.url('bluesky')}/xrpc/{name}"

    def headers(self, token: str | None) -> dict[str, str]:
        token = self.tokens.get("access", "") if token is None else token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def put(self, rkey: str, record: Mapping[str, object], **more: object) -> requests.Response:
        """Put a post at a key, as the one record of its kind that a test is about."""
        body = {"repo": self.rules.account, "collection": POST, "rkey": rkey, "record": record}
        return self.call("com.atproto.repo.putRecord", {**body, **more})

    def post(self, text: str, parent: Mapping[str, str] | None = None) -> dict[str, str]:
        """Make a post and return its strong reference."""
        record: dict[str, object] = {"$type": POST, "text": text}
        record["createdAt"] = f"{self.clock.now:%Y-%m-%dT%H:%M:%S}.000Z"
        record |= {"reply": {"root": parent, "parent": parent}} if parent else {}
        body = {"repo": self.rules.account, "collection": POST, "record": record}
        answer = self.call("com.atproto.repo.createRecord", body)
        answer.raise_for_status()
        return {key: answer.json()[key] for key in ("uri", "cid")}

    def texts(self) -> list[str]:
        return [post.text for post in self.rules.live()]


@contextmanager
def bluesky_client(
    behaviour: BlueskyBehaviour = BSKY_SOCIAL, timeout: float = TIMEOUT
) -> Iterator[BlueskyClient]:
    """A PDS, and one who is logged in there."""
    clock = StillClock()
    rules = BlueskyRules(clock, behaviour)
    with Sandbox({"bluesky": rules}) as sandbox, requests.Session() as session:
        session.trust_env = False
        it = BlueskyClient(sandbox, rules, clock, session, timeout)
        tokens = rules.sessions.open(clock.now, behaviour)
        it.tokens = {"access": tokens.access, "refresh": tokens.refresh}
        yield it
