"""Calls to Bluesky as one account: with its session's token, renewed where it is worn out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from bot.posters.answers import Exchange, Reply, TransportResult, is_unsaid, settled
from bot.posters.bluesky import answers, errors
from bot.posters.bluesky.session import SavedSession, SessionManager, home_in, rest_in
from bot.posters.bluesky.xrpc import Wire
from bot.posters.poster import CannotRead, Outcome

_NONE_YET = Exchange(TransportResult.UNSENT, None, "there is no session")


class Client:
    """One account on one server. Each call raises CannotRead where there is no logging in."""

    def __init__(self, wire: Wire, login: SessionManager, clock: Callable[[], datetime]) -> None:
        self._wire = wire
        self._login = login
        self._clock = clock

    def who(self) -> SavedSession:
        """Who we are, logged in if need be."""
        return self._login.session or self._logged_in(self._login.current())

    def tried(self) -> SavedSession:
        """Who we are, by a session that works now: one that was kept may have been revoked.

        Raises CannotRead for an account that is not active, too.
        """
        rest, home = self.who().rest, self.who().home
        if not self._login.fresh:
            said = self.asked().value()
            rest, home = rest_in(said), home_in(said)
        if rest:
            raise errors.at_rest(rest, self._wire.base, home)
        return self.who()

    def asked(self) -> Reply:
        """Ask the server who we are. Raises CannotRead, of our token where it gives no reason."""
        exchange = self.ask("com.atproto.server.getSession", {})
        if exchange.reply is None or not exchange.reply.ok:
            raise errors.unread(exchange, self._clock(), login=True)
        return exchange.reply

    def ask(self, method: str, params: Mapping[str, str | int]) -> Exchange:
        """Ask a query."""
        return self._with_token(lambda token: self._wire.get(method, token, params))

    def do(self, method: str, body: object) -> Exchange:
        """Call a procedure."""
        return self._with_token(lambda token: self._wire.post(method, token, body))

    def send(self, method: str, data: bytes, media: str) -> Exchange:
        """Call a procedure with bytes of this media type."""
        return self._with_token(lambda token: self._wire.send(method, token, lambda: data, media))

    def answer(self, exchange: Exchange) -> Reply:
        """Return the answer to a read. Raises CannotRead where there is none, or a refusal."""
        if exchange.reply is None or not exchange.reply.ok:
            if is_unsaid(exchange, answers.RULES):
                self.asked()  # raises where it is the token
            raise self.unread(exchange)
        return exchange.reply

    def settled(self, exchange: Exchange, outcome: Outcome) -> Outcome:
        """Return the outcome, corrected where the server gave no reason: bad token or bad post."""
        return settled(exchange, outcome, answers.RULES, self.asked)

    def unread(self, exchange: Exchange) -> CannotRead:
        """Return the error for a read that did not work."""
        error, session = errors.unread(exchange, self._clock()), self._login.session
        if not error.stops or session is None:
            return error
        # it may have moved since the session was made
        said = self._wire.get("com.atproto.server.getSession", session.access, {}).reply
        home = home_in(said.value()) if said else ""
        return errors.elsewhere(error, self._wire.base, home or session.home)

    def close(self) -> None:
        """Log out where nobody keeps the session, and give the connection back."""
        try:
            self._login.close()
        finally:
            self._wire.close()

    def _with_token(self, call: Callable[[str], Exchange]) -> Exchange:
        """Call with a good token; once more with a new one where it was refused, and so not done.

        Where the new one cannot be had, what was refused was still not done.
        """
        session = self._logged_in(self._login.current())
        exchange = call(session.access)
        if answers.is_worn_out(exchange.reply):
            exchange = call(self._logged_in(self._login.renewed(session)).access)
        return exchange

    def _logged_in(self, session: SavedSession | None) -> SavedSession:
        if session is None:
            raise errors.no_session(self._login.problem or _NONE_YET, self._clock())
        return session
