"""A person has a page's address as often as an id."""

from __future__ import annotations

import pytest

from bot.errors import BotError
from bot.model import Network
from bot.posters.post_id import id_of

DID = "did:plc:abcdefghijklmnopqrstuvwx"
URI = f"at://{DID}/app.bsky.feed.post/3mfwkzzxqzutj"
X, TOOTS, SKY = Network


@pytest.mark.parametrize(
    ("network", "written", "found"),
    [
        (X, "2123869650893668352", "2123869650893668352"),
        (X, "https://x.com/i/web/status/2123869650893668352", "2123869650893668352"),
        (X, "https://x.com/me/status/2123869650893668352?s=20", "2123869650893668352"),
        (TOOTS, "117650552201478144", "117650552201478144"),
        (TOOTS, "https://example.social/@me/117650552201478144/", "117650552201478144"),
        (TOOTS, "01HZX2N3QW", "01HZX2N3QW"),
        (SKY, URI, URI),
        (SKY, "3mfwkzzxqzutj", URI),
        (SKY, "https://bsky.app/profile/me.test/post/3mfwkzzxqzutj", URI),
    ],
)
def test_an_id_is_found_in_what_a_person_has(network: Network, written: str, found: str) -> None:
    assert id_of(network, written, DID) == found


@pytest.mark.parametrize(
    ("network", "written", "owner"),
    [
        (X, "", ""),
        (X, "two words", ""),
        (TOOTS, "https://example.social/", ""),
        (SKY, "https://bsky.app/profile/me.test", DID),
        (SKY, "at://nobody/app.bsky.feed.post/3mfwkzzxqzutj", ""),
        (SKY, "3mfwkzzxqzutj", ""),
    ],
)
def test_what_is_no_id_is_said(network: Network, written: str, owner: str) -> None:
    with pytest.raises(BotError, match="is no"):
        id_of(network, written, owner)
