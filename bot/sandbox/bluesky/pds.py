"""The data of a server: an account, its app password, sessions, records and files. No calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.behaviour import BlueskyBehaviour, Standing
from bot.sandbox.bluesky.blobs import Blobs
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.records import Action, Records, RepositoryCommit, Write
from bot.sandbox.bluesky.sessions import Sessions
from bot.sandbox.bluesky.tids import tids
from bot.sandbox.ids import Ids
from bot.sandbox.wire import Json, RefusedRequest

SERVICE = "did:web:pds.example.org"
_CLOCK = 7
_REFUSED = {Standing.TAKENDOWN: answers.TAKEN_DOWN, Standing.DEACTIVATED: answers.DEACTIVATED}


@dataclass(slots=True)
class Pds:
    """A server with one account. Other accounts may have records here too.

    `changes` counts how often a post was made, overwritten or deleted.
    """

    behaviour: BlueskyBehaviour
    account: str
    handle: str
    password: str
    sessions: Sessions
    records: Records = field(default_factory=Records)
    blobs: Blobs = field(default_factory=Blobs)
    keys: Ids = field(default_factory=lambda: tids(_CLOCK))
    changes: int = 0

    def repo(self, name: str) -> str | None:
        """Return the DID of an account here, by its handle or DID, or None."""
        if name.lower() in (self.account, self.handle):
            return self.account
        return name if self.records.holds(name) else None

    def readable(self, name: str) -> str | None:
        """Return the DID of an account whose records may be read, or None."""
        did = self.repo(name)
        active = self.behaviour.standing is Standing.ACTIVE or did != self.account
        return did if active else None

    def writable(self, name: str) -> str:
        """Return the DID of the token's account. Raises RefusedRequest if it may not write."""
        did = self.repo(name)
        if did is None:
            raise RefusedRequest(answers.NO_ACCOUNT)
        if did != self.account:
            raise RefusedRequest(answers.NOT_YOURS)
        self.check_standing()
        return did

    def check_standing(self, *but: Standing) -> None:
        """Raise RefusedRequest if the account is not active, unless its state is in `but`."""
        standing = self.behaviour.standing
        if standing in _REFUSED and standing not in but:
            raise RefusedRequest(_REFUSED[standing])

    def commit(self, repo: str, writes: Sequence[Write], now: datetime) -> RepositoryCommit:
        """Carry out all writes or none, and return the commit.

        Raises Conflict for a write that is not possible, and RefusedRequest for a missing file.
        """
        self.records.check(writes)
        self.blobs.drop(now, self.behaviour.blobs_last)
        for write in writes:
            self.blobs.check(write.value)
        left = [was.value for write in writes if (was := self.records.get(write.uri))]
        commit = self.records.apply(repo, writes, now)
        live = (each.value for each in self.records.every() if each.gone is None)
        self.blobs.settle([write.value for write in writes], left, live)
        self.changes += sum(write.uri.split("/")[3] == POST for write in writes)
        return commit

    def delete(self, uri: str, now: datetime) -> RepositoryCommit:
        """Delete a record that exists."""
        return self.commit(uri.split("/")[2], [Write(Action.DELETE, uri)], now)

    def document(self, base: str) -> dict[str, Json]:
        """Return the account's DID document, which names the server at `base`."""
        return {
            "@context": ["https://www.w3.org/ns/did/v1"],
            "id": self.account,
            "alsoKnownAs": [f"at://{self.handle}"],
            "verificationMethod": [],
            "service": [
                {
                    "id": "#atproto_pds",
                    "type": "AtprotoPersonalDataServer",
                    "serviceEndpoint": base,
                }
            ],
        }
