"""The poster for Mastodon and other servers with its API (https://docs.joinmastodon.org/methods)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot import __version__
from bot.model import Account
from bot.posters import mastodon_answers as answers
from bot.posters import media_answers
from bot.posters.answers import FINAL, Exchange, Reply, cannot_read, no_id
from bot.posters.poster import (
    CannotRead,
    Look,
    Outcome,
    Outgoing,
    Poster,
    Profile,
    Seen,
    Upload,
)
from bot.posters.values import id_at, is_id, text_at

if TYPE_CHECKING:
    from mastodon import Mastodon

    from bot.posters.http import Line

_PAGE = 40
_PAGES = 250
_BROKEN = 500
_GONE = (404, 410)
_VERSION = "4.0.0"  # whose way of uploading is used
_TOP = (0.0, 1.0)  # what a timeline that crops a tall picture keeps: its heading
_BAD_TOKEN = (*FINAL, 422)  # snac2 answers a token it does not know with a bare 422


def open_poster(  # noqa: PLR0913, PLR0917 - an account, how to reach it, and how to wait
    account: Account,
    base_url: str,
    access_token: str,
    timeout: float,
    clock: Callable[[], datetime],
    account_id: str = "",
) -> Poster:
    """Return the poster of one account on a server; nothing is sent yet.

    `timeout` is in seconds, for one answer. `account_id` is what `profile` gave as the account's
    id, where it is known; without it the first `look` costs one request more.
    """
    from mastodon import Mastodon  # noqa: PLC0415 - loads at first use

    from bot.posters.http import Line  # noqa: PLC0415 - (the same)

    line = Line(base_url, timeout, [access_token])
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
    return _Mastodon(account, client, line, clock, account_id)


class _Mastodon:
    """See `Poster`. One request a call, but for `look` and `profile`, which make several."""

    def __init__(
        self,
        account: Account,
        client: Mastodon,
        line: Line,
        clock: Callable[[], datetime],
        account_id: str,
    ) -> None:
        self._account = account
        self._client = client
        self._line = line
        self._clock = clock
        self._account_id = account_id

    def publish(self, post: Outgoing) -> Outcome:
        exchange = self._line.once(
            lambda: self._client.status_post(
                post.text,
                in_reply_to_id=post.parent or None,
                media_ids=list(post.media) or None,
                visibility=post.visibility,
                language=post.language,
                idempotency_key=post.key,
            )
        )
        return answers.published(exchange, post, self._clock())

    def delete(self, post_id: str) -> Outcome:
        if not is_id(post_id):
            return no_id(answers.NETWORK, post_id)
        exchange = self._line.once(lambda: self._client.status_delete(post_id))
        return answers.deleted(exchange, post_id, self._clock())

    def upload(self, media: Upload) -> Outcome:
        exchange = self._line.once(
            lambda: self._client.media_post(
                media.data,
                media.type,
                description=media.alt,
                focus=_TOP,
                file_name="picture",
            )
        )
        return media_answers.mastodon_uploaded(exchange, self._clock())

    def media_ready(self, media_id: str) -> Outcome:
        if not is_id(media_id):
            return no_id(answers.NETWORK, media_id)
        exchange = self._line.once(lambda: self._client.media(media_id))
        return media_answers.mastodon_uploaded(exchange, self._clock())

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Look:  # noqa: ARG002 - it keeps none
        """See `Poster.look`; posts of the same second as `after` are returned with the newer ones.

        Some servers keep whole seconds and list what was posted within one in any order, so that
        what stands behind `after` may be newer than it.
        """
        walk = answers.Walk(since.astimezone(UTC), after)
        for _ in range(_PAGES):
            walk.take(self._statuses(walk.oldest, after))
            if walk.ended:
                break
        return walk.look()

    def _statuses(self, below: str, above: str) -> Reply:
        """Read a page of our statuses. Servers are free to look past `below`, `above` and 40."""
        if not self._account_id:
            self._me()
        account = self._account_id
        exchange = self._line.once(
            lambda: self._client.account_statuses(
                account, limit=_PAGE, max_id=below or None, since_id=above or None
            )
        )
        reply = self._answer(exchange)
        if answers.page(reply) is None:
            raise self._cannot_read(exchange)
        return reply

    def read(self, post_id: str) -> Seen | None:
        if not is_id(post_id):
            return None
        exchange = self._line.once(lambda: self._client.status(post_id))
        if exchange.reply and exchange.reply.status in _GONE:
            return None
        post = answers.seen(self._answer(exchange).value())
        if post is None:
            raise self._cannot_read(exchange)
        return post

    def profile(self) -> Profile:
        me = self._me()
        application = self._line.once(self._client.app_verify_credentials).reply
        name = text_at(application.value(), "name") if application and application.ok else ""
        return answers.profile(me, self._instance(), name)

    def cost(self, text: str) -> Decimal:  # noqa: ARG002 - nothing is billed, whatever the text
        return Decimal(0)

    def close(self) -> None:
        self._line.close()

    def _me(self) -> object:
        """Read who we are, and remember the id."""
        exchange = self._line.once(self._client.account_verify_credentials)
        reply = exchange.reply
        if reply is None or not reply.ok or not id_at(reply.value(), "id"):
            raise self._cannot_read(exchange, _BAD_TOKEN)
        self._account_id = id_at(reply.value(), "id")
        return reply.value()

    def _instance(self) -> object:
        """Read what the server says of itself, by the older way where it lacks the newer."""
        reply = self._page_or_none(self._client.instance_v2)
        reply = reply or self._page_or_none(self._client.instance_v1)
        return reply.value() if reply else None

    def _page_or_none(self, ask: Callable[[], object]) -> Reply | None:
        """Read a page that not every server has; None where it says so in whatever way."""
        exchange = self._line.once(ask)
        reply = exchange.reply
        if reply is None or reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= _BROKEN:
            raise self._cannot_read(exchange)
        return reply if reply.ok else None

    def _answer(self, exchange: Exchange) -> Reply:
        """Return the answer to a read. Raises CannotRead where there is none, or a refusal."""
        if exchange.reply is None or not exchange.reply.ok:
            raise self._cannot_read(exchange)
        return exchange.reply

    def _cannot_read(self, exchange: Exchange, final: Collection[int] = FINAL) -> CannotRead:
        return cannot_read(exchange, answers.RULES, self._clock(), final)
