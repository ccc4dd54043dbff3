"""The poster for Mastodon and other servers with its API (https://docs.joinmastodon.org/methods)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot import __version__
from bot.model import Account, ReplyListing, Visibility
from bot.posters import media_answers
from bot.posters.answers import (
    Exchange,
    Reply,
    cannot_read,
    is_gone,
    is_page,
    is_unsaid,
    may_be_gone,
    no_id,
    settled,
)
from bot.posters.json_values import id_at, is_id, text_at
from bot.posters.mastodon import answers
from bot.posters.mastodon.timeline import Walk, merged, page, written_at
from bot.posters.poster import (
    AccountProfile,
    CannotRead,
    Outcome,
    Poster,
    PostRequest,
    Refusal,
    RemotePost,
    Timeline,
    Upload,
)
from bot.redact import Redact

if TYPE_CHECKING:
    from mastodon import Mastodon

    from bot.posters.api_session import ApiSession

_PAGE = 40
_PAGES = 250
_BROKEN = 500
_VERSION = "4.0.0"  # whose way of uploading is used
_TOP = (0.0, 1.0)  # what a timeline that crops a tall picture keeps: its heading
_HOME = "/api/v1/timelines/home"


def open_poster(  # noqa: PLR0913, PLR0917 - an account, how to reach it, and how to wait
    account: Account,
    base_url: str,
    access_token: str,
    timeout: float,
    clock: Callable[[], datetime],
    account_id: str = "",
    server: str = "",
    redact: Redact | None = None,
) -> Poster:
    """Return the poster of one account on a server; nothing is sent yet.

    `timeout` is in seconds, for one answer. `account_id` and `server` are what `profile` gave as
    the account's id and the server's software, where they are known; without the first `look`
    costs one request more, without the second private posts must be seen before they are trusted
    to be shown.
    """
    from mastodon import Mastodon

    from bot.posters.api_session import ApiSession

    line = ApiSession(base_url, timeout, [access_token], redact=redact)
    client = Mastodon(
        access_token=access_token,
        api_base_url=base_url,
        session=line.session,
        request_timeout=timeout,
        ratelimit_method="throw",
        mastodon_version=_VERSION,
        version_check_mode="none",
        user_agent=f"bot/{__version__}",
    )
    # Else an upload would first ask for the server's version, and that be its one request.
    client.mastodon_major = int(_VERSION[0])
    return _Mastodon(account, client, line, clock, account_id, server)


class _Mastodon:
    """See `Poster`. One request a call, but for `look` and `profile`, which make several.

    snac2 closes a connection that it kept without saying so, and resets the next request on it. So
    a read whose connection breaks is repeated once, and a write gets a new connection, unless
    the server is known to keep its connections. After a refusal without a reason the poster asks
    who it is, to tell a bad token from a bad post.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - see `open_poster`
        self,
        account: Account,
        client: Mastodon,
        line: ApiSession,
        clock: Callable[[], datetime],
        account_id: str,
        server: str,
    ) -> None:
        self._account = account
        self._client = client
        self._line = line
        self._clock = clock
        self._account_id = account_id
        self._server = server

    def publish(self, post: PostRequest) -> Outcome:
        exchange = self._write(lambda: self._send(post))
        outcome = self._settled(exchange, answers.published(exchange, post, self._clock()))
        if outcome.refusal is Refusal.CONTENT and answers.is_about_length(exchange):
            return replace(outcome, reason=f"{outcome.reason}; {self._shorter(post)}")
        return outcome

    def _send(self, post: PostRequest) -> object:
        """Post as JSON, which every server takes; mastodon.py has that for polls alone.

        `content_type` keeps a GoToSocial account that writes Markdown from reading it as such;
        others leave it aside. `sensitive` is left out, as it is false where nobody says it.
        """
        post.text.encode()  # JSON would carry half a character, and no server wants one
        status: dict[str, object] = {
            "status": post.text,
            "visibility": post.visibility,
            "language": post.language,
            "content_type": "text/plain",
        }
        status |= {"in_reply_to_id": post.parent} if post.parent else {}
        status |= {"media_ids": list(post.media)} if post.media else {}
        headers = {"Idempotency-Key": post.key}
        return self._api("POST", "/api/v1/statuses", status, headers=headers, use_json=True)

    def _api(self, *asked: object, **more: object) -> object:
        """Ask by mastodon.py's own request, what its methods do not."""
        request: Callable[..., object] = getattr(self._client, "_Mastodon__api_request")  # noqa: B009 - mypy knows no private name
        return request(*asked, **more)

    def _shorter(self, post: PostRequest) -> str:
        """Return which setting makes posts short enough for the server."""
        try:
            limit = answers.limit(self._instance())
        except CannotRead:
            limit = None
        fits = f"={limit}" if limit else f" to less than {len(post.text)}"
        return f"its {len(post.text)} characters are too many: set MASTODON_MAX_CHARACTERS{fits}"

    def delete(self, post_id: str) -> Outcome:
        if not is_id(post_id):
            return no_id(answers.NETWORK, post_id)
        exchange = self._write(lambda: self._client.status_delete(post_id))
        return self._settled(exchange, answers.deleted(exchange, post_id, self._clock()))

    def upload(self, media: Upload) -> Outcome:
        exchange = self._write(
            lambda: self._client.media_post(
                media.data,
                media.type,
                description=media.alt,
                focus=_TOP,
                file_name="picture",
            )
        )
        return self._settled(exchange, media_answers.mastodon_uploaded(exchange, self._clock()))

    def media_ready(self, media_id: str) -> Outcome:
        if not is_id(media_id):
            return no_id(answers.NETWORK, media_id)
        exchange = self._line.send_repeatable(lambda: self._client.media(media_id))
        return self._settled(exchange, media_answers.mastodon_uploaded(exchange, self._clock()))

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Timeline:  # noqa: ARG002 - it keeps none
        """See `Poster.look`; posts of the same second as `after` are returned with the newer ones.

        Some servers keep whole seconds and list what was posted within one in any order, so that
        what stands behind `after` may be newer than it. An account that posts privately is read at
        home too, where its own list may lack what it posts.
        """
        if not self._account_id:
            self._me()
        own = self._walk(self._statuses, since, after)
        listed = own.shows_private or self._server in answers.LISTED
        if listed or not self._account.visibility.is_private:
            return own.look()
        home = self._walk(self._home, since, after, self._account_id)
        if not (home.shows_private or self._server in answers.AT_HOME):
            raise answers.hidden(self._server)
        return merged(own.look(), home.look())

    def _walk(
        self, turn: Callable[[str, str], Exchange], since: datetime, after: str, account: str = ""
    ) -> Walk:
        """Read page after page; an error on any of them is one of the whole reading."""
        walk = Walk(since.astimezone(UTC), after, self._clock(), account)
        for _ in range(_PAGES):
            exchange = turn(walk.below, after)
            reply = self._answer(exchange)
            if page(reply) is None:
                raise self._cannot_read(exchange)
            walk.take(reply)
            if walk.ended:
                break
        return walk

    def _statuses(self, below: str, above: str) -> Exchange:
        """Read a page of our statuses. Servers are free to look past `below`, `above` and 40."""
        return self._line.send_repeatable(
            lambda: self._client.account_statuses(
                self._account_id, limit=_PAGE, max_id=below or None, since_id=above or None
            )
        )

    def _home(self, below: str, above: str) -> Exchange:
        """Read a page of the home timeline, as `_statuses` does one of the account's own."""
        asked = {"limit": _PAGE, "max_id": below, "since_id": above}
        given = {name: value for name, value in asked.items() if value}
        exchange = self._line.send_repeatable(lambda: self._api("GET", _HOME, given))
        if is_gone(exchange.reply, answers.RULES):
            raise answers.hidden(self._server)
        return exchange

    def read(self, post_id: str) -> RemotePost | None:
        if not is_id(post_id):
            return None
        exchange = self._line.send_repeatable(lambda: self._client.status(post_id))
        if is_gone(exchange.reply, answers.RULES):
            return None
        if may_be_gone(exchange.reply):
            self._me()
            return None
        status, now = self._answer(exchange).value(), self._clock()
        post = answers.seen(status, written_at(status, now) or now)
        if post is None:
            raise self._cannot_read(exchange)
        return post

    def profile(self) -> AccountProfile:
        me = self._me()
        application = self._line.send_repeatable(self._client.app_verify_credentials).reply
        name = text_at(application.value(), "name") if application and application.ok else ""
        found = answers.profile(me, self._instance(), name)
        self._server = found.server
        account = self._account
        if account.visibility is Visibility.PUBLIC and account.replies is ReplyListing.UNLISTED:
            return replace(found, advice=(*found.advice, *answers.hides_replies(me, found.server)))
        return found

    def cost(self, text: str) -> Decimal:  # noqa: ARG002 - nothing is billed, whatever the text
        return Decimal(0)

    def close(self) -> None:
        self._line.close()

    def _write(self, ask: Callable[[], object]) -> Exchange:
        return self._line.send_once(ask, fresh=self._server not in answers.STEADY)

    def _settled(self, exchange: Exchange, outcome: Outcome) -> Outcome:
        """Return the outcome, corrected where the server gave no reason: bad token or bad post."""
        return settled(exchange, outcome, answers.RULES, self._me)

    def _me(self) -> object:
        """Read who we are, and remember the id."""
        exchange = self._line.send_repeatable(self._client.account_verify_credentials)
        reply = exchange.reply
        if reply is None or not reply.ok or not id_at(reply.value(), "id"):
            raise self._cannot_read(exchange, login=True)
        self._account_id = id_at(reply.value(), "id")
        return reply.value()

    def _instance(self) -> object:
        """Read what the server says of itself, by the older way where it lacks the newer.

        Without the slash that mastodon.py puts at the end: Takahe knows no such address, and its
        newer page is an error of its own. Not every server has both. Raises CannotRead where none
        can be had, and not because the server has none.
        """
        asks = (
            lambda: self._api("GET", "/api/v2/instance"),
            lambda: self._api("GET", "/api/v1/instance"),
            self._client.instance_v2,
            self._client.instance_v1,
        )
        broken: Exchange | None = None
        for ask in asks:
            exchange = self._line.send_repeatable(ask)
            reply = exchange.reply
            if reply is None or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise self._cannot_read(exchange)
            if reply.ok:
                return reply.value()
            is_lost = is_page(reply) and reply.status != HTTPStatus.NOT_FOUND
            broken = exchange if is_lost or reply.status >= _BROKEN else broken
        if broken:
            raise self._cannot_read(broken)
        return None

    def _answer(self, exchange: Exchange) -> Reply:
        """Return the answer to a read. Raises CannotRead where there is none, or a refusal."""
        if exchange.reply is None or not exchange.reply.ok:
            if is_unsaid(exchange, answers.RULES):
                self._me()  # raises where it is the token
            raise self._cannot_read(exchange)
        return exchange.reply

    def _cannot_read(self, exchange: Exchange, *, login: bool = False) -> CannotRead:
        return cannot_read(exchange, answers.RULES, self._clock(), login=login)
