"""Opens a poster for X or Mastodon with credentials that only the tests' servers take."""

from __future__ import annotations

from bot.model import Account, Network
from bot.posters.mastodon import poster as mastodon
from bot.posters.poster import Poster
from bot.posters.twitter import poster as twitter
from tests.helpers.poster_replies import NOW


def open_mastodon(url: str, account_id: str = "42", timeout: float = 10.0) -> Poster:
    account = Account("papers", Network.MASTODON)
    return mastodon.open_poster(account, url, "token", timeout, lambda: NOW, account_id)


TOKEN = "1000000000000000001-token"


def open_x(url: str, token: str = TOKEN, timeout: float = 10.0) -> Poster:
    account = Account("papers", Network.TWITTER)
    return twitter.open_poster(account, "ck", "cs", token, "ts", url, timeout, lambda: NOW)
