"""The poster for X, through tweepy (OAuth 1.0a, API v2, https://docs.x.com/x-api)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from bot import __version__
from bot.formatter.x.prices import PRICES, post_price
from bot.model import Account
from bot.posters import media_answers
from bot.posters.answers import Exchange, Reply, cannot_read, is_unsaid, may_be_gone, no_id, settled
from bot.posters.json_values import at
from bot.posters.poster import (
    MOST_TEXT,
    AccountProfile,
    CannotRead,
    Outcome,
    OutcomeKind,
    Poster,
    PostRequest,
    RemotePost,
    Timeline,
    Upload,
)
from bot.posters.twitter import answers
from bot.redact import Redact

if TYPE_CHECKING:
    from bot.posters.api_session import ApiSession

BASE_URL = "https://api.x.com"

_BUILT_IN = "https://api.twitter.com"
_OWN_HOSTS = (BASE_URL, _BUILT_IN)
_PAGE = 100
_DEPTH = 3200
_PAGES = 2 * _DEPTH // _PAGE  # X may give pages that are not full
_EARLIEST = datetime(2010, 11, 6, tzinfo=UTC)
_RECENT = timedelta(minutes=1)
_FIELDS: Mapping[str, str] = {
    "tweet.fields": "attachments,created_at,entities,note_tweet,referenced_tweets"
}
_NEW_FIELDS: Mapping[str, str] = {
    "post.fields": "attachments,created_at,entities,note_post,referenced_posts"
}


class _Client(Protocol):
    """The part of tweepy.Client that is used; tweepy itself has no types."""

    def create_tweet(
        self,
        *,
        text: str,
        in_reply_to_tweet_id: str | None,
        media_ids: list[str] | None,
        user_auth: bool,
    ) -> object: ...

    def delete_tweet(self, id: str, *, user_auth: bool) -> object: ...  # noqa: A002 - tweepy's name

    def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        *,
        user_auth: bool,
    ) -> object: ...


def open_poster(  # noqa: PLR0913, PLR0917 - the four tokens belong together, and to nothing else
    account: Account,
    consumer_key: str,
    consumer_secret: str,
    access_token: str,
    access_token_secret: str,
    base_url: str,
    timeout: float,
    clock: Callable[[], datetime],
    redact: Redact | None = None,
) -> Poster:
    """Return the poster of one account on X; nothing is sent yet.

    `timeout` is in seconds, for one answer. Requests are signed for the host they go to where that
    is X's own, else for api.x.com, which a gateway is taken to pass them on to.
    """
    import requests
    import tweepy  # type: ignore[import-untyped]

    from bot.posters.api_session import ApiSession, BaseUrlRewrite

    secrets = (consumer_key, consumer_secret, access_token, access_token_secret)
    base = base_url.rstrip("/")
    signed = base if base in _OWN_HOSTS else BASE_URL
    line = ApiSession(base, timeout, secrets, BaseUrlRewrite(_BUILT_IN, signed), redact=redact)
    client = tweepy.Client(
        consumer_key=consumer_key,
        consumer_secret=consumer_secret,
        access_token=access_token,
        access_token_secret=access_token_secret,
        return_type=requests.Response,
        wait_on_rate_limit=False,
    )
    client.session.close()
    client.session = line.session
    client.user_agent = f"bot/{__version__}"
    return _Twitter(account, client, line, access_token.partition("-")[0], clock)


class _Twitter:
    """See `Poster`. One request a call, but for `look`, which asks for page after page.

    And `upload`: tweepy has none for API v2, and X takes a picture and its words by two requests.
    """

    def __init__(
        self,
        account: Account,
        client: _Client,
        line: ApiSession,
        user: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._account = account
        self._client = client
        self._line = line
        self._user = user
        self._clock = clock
        self._fields = _FIELDS

    def publish(self, post: PostRequest) -> Outcome:
        exchange = self._line.send_once(
            lambda: self._client.create_tweet(
                text=post.text,
                in_reply_to_tweet_id=post.parent or None,
                media_ids=list(post.media) or None,
                user_auth=True,
            )
        )
        return self._settled(exchange, answers.published(exchange, post, self._clock()))

    def delete(self, post_id: str) -> Outcome:
        if not answers.is_id(post_id):
            return no_id(answers.NETWORK, post_id)
        exchange = self._line.send_once(lambda: self._client.delete_tweet(post_id, user_auth=True))
        outcome = self._settled(exchange, answers.deleted(exchange, post_id, self._clock()))
        billed = outcome.sort in (OutcomeKind.SENT, OutcomeKind.UNKNOWN)
        return replace(outcome, cost=PRICES.delete) if billed else outcome

    def upload(self, media: Upload) -> Outcome:
        """See `Poster.upload`; the file travels in JSON, which tweepy signs as it does posts."""
        file = {
            "media": b64encode(media.data).decode(),
            "media_category": "tweet_image",
            "media_type": media.type,
        }
        exchange = self._send("/2/media/upload", file)
        uploaded = self._settled(exchange, media_answers.x_uploaded(exchange, self._clock()))
        if uploaded.sort is not OutcomeKind.SENT:
            return uploaded
        words = {"id": uploaded.id, "metadata": {"alt_text": {"text": media.alt}}}
        exchange = self._send("/2/media/metadata", words)
        cost = PRICES.media_metadata
        described = media_answers.x_described(exchange, uploaded, cost, self._clock())
        return self._settled(exchange, described)

    def media_ready(self, media_id: str) -> Outcome:
        if not answers.is_id(media_id):
            return no_id(answers.NETWORK, media_id)
        params = {"command": "STATUS", "media_id": media_id}
        exchange = self._line.send_repeatable(lambda: self._request("/2/media/upload", params))
        return self._settled(exchange, media_answers.x_uploaded(exchange, self._clock()))

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Timeline:  # noqa: ARG002 - it keeps none
        since = since.astimezone(UTC).replace(microsecond=0)  # as X gives times
        latest = max(_EARLIEST, min(since, self._clock() - _RECENT))
        start = {"since_id": after} if after else {"start_time": f"{latest:%Y-%m-%dT%H:%M:%SZ}"}
        posts: dict[str, RemotePost] = {}
        billed, size, token, whole, complete = 0, 0, "", True, False
        for _ in range(_PAGES):
            page = self._page(start, token)
            posts |= {post.id: post for post in page.posts if after or post.created >= since}
            size += sum(len(post.text) for post in page.posts)
            billed, token, whole = billed + page.billed, page.token, whole and page.whole
            reached = not after and any(post.created < since for post in page.posts)
            if reached or not token:
                # What lies beyond the newest 3,200 is not given, and not said to be missing.
                complete = whole and (reached or billed <= _DEPTH - _PAGE)
                break
            if size > MOST_TEXT:
                break
        cost = billed * PRICES.own_post
        return Timeline(tuple(posts.values()), complete, cost, page.clock)

    def _page(self, start: Mapping[str, str], token: str) -> answers.TweetPage:
        """Read a page. Raises CannotRead, also where X answers a later page with errors alone."""
        more = {"pagination_token": token} if token else {}
        params = {"max_results": str(_PAGE), **start, **more}
        exchange = self._get(f"/2/users/{self._user}/tweets", params)
        page = answers.page(self._answer(exchange))
        if page is None:
            raise self._cannot_read(exchange)
        return page

    def read(self, post_id: str) -> RemotePost | None:
        if not answers.is_id(post_id):
            return None
        exchange = self._get(f"/2/tweets/{post_id}", {})
        if exchange.reply and answers.is_missing(exchange.reply):
            return None
        if may_be_gone(exchange.reply):
            self.profile()
            return None
        post = answers.seen(at(self._answer(exchange).value(), "data"))
        if post is None:
            raise self._cannot_read(exchange)
        return post

    def profile(self) -> AccountProfile:
        params = {"user.fields": "description"}
        exchange = self._line.send_repeatable(lambda: self._request("/2/users/me", params))
        profile = answers.profile(exchange.reply) if exchange.reply else None
        if profile is None:
            raise cannot_read(exchange, answers.RULES, self._clock(), login=True)
        return profile

    def cost(self, text: str) -> Decimal:
        return post_price(text)

    def close(self) -> None:
        self._line.close()

    def _get(self, route: str, params: Mapping[str, str]) -> Exchange:
        """Read posts; where X does not know the fields' old names, by the new ones from now on."""
        exchange = self._line.send_repeatable(
            lambda: self._request(route, {**params, **self._fields})
        )
        reply = exchange.reply
        if reply and self._fields is _FIELDS and answers.speaks_of_fields(reply):
            self._fields = _NEW_FIELDS
            return self._get(route, params)
        return exchange

    def _send(self, route: str, value: Mapping[str, object]) -> Exchange:
        return self._line.send_once(
            lambda: self._client.request("POST", route, json=value, user_auth=True)
        )

    def _request(self, route: str, params: Mapping[str, str]) -> object:
        return self._client.request("GET", route, params, user_auth=True)

    def _answer(self, exchange: Exchange) -> Reply:
        """Return the answer to a read. Raises CannotRead where there is none, or a refusal."""
        if exchange.reply is None or not exchange.reply.ok:
            if is_unsaid(exchange, answers.RULES):
                self.profile()  # raises where it is the token
            raise self._cannot_read(exchange)
        return exchange.reply

    def _settled(self, exchange: Exchange, outcome: Outcome) -> Outcome:
        """Return the outcome, corrected where X gave no reason: bad token or bad request."""
        return settled(exchange, outcome, answers.RULES, self.profile)

    def _cannot_read(self, exchange: Exchange) -> CannotRead:
        return cannot_read(exchange, answers.RULES, self._clock())
