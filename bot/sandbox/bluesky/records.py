"""The repositories of a server: records by address, all their versions, and the commits.

There is no Merkle tree and no signature. A commit's identifier is a hash of the commit before it
and of the changes, so it has the right form and is unique.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.sandbox.bluesky.cbor import Data, cid_of
from bot.sandbox.bluesky.cids import Cid
from bot.sandbox.bluesky.tids import tid, tids


class Action(StrEnum):
    """What a write does, by the names of applyWrites."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One version of a record, and when it was written and deleted or overwritten."""

    uri: str
    cid: Cid
    value: Mapping[str, Data]
    made: datetime
    gone: datetime | None = None

    @property
    def repo(self) -> str:
        """The DID of the record's account."""
        return self.uri.split("/")[2]

    @property
    def collection(self) -> str:
        """The lexicon of the record."""
        return self.uri.split("/")[3]

    @property
    def rkey(self) -> str:
        """The record's key."""
        return self.uri.split("/")[4]


@dataclass(frozen=True, slots=True)
class Write:
    """A change of one record. A deletion has no `value`. `status` is the result of validation."""

    action: Action
    uri: str
    value: Mapping[str, Data] | None = None
    cid: Cid | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class RepositoryCommit:
    """A commit of a repository: its identifier and revision."""

    cid: Cid
    rev: str


class Conflict(Exception):
    """Raised for a create of a record that exists, or a change of a record that does not."""


class Records:
    """All records of all accounts of the server."""

    def __init__(self) -> None:
        self._versions: list[StoredRecord] = []
        self._current: dict[str, int] = {}
        self._heads: dict[str, RepositoryCommit] = {}
        self._revs = tids()
        self.hidden: set[str] = set()

    def every(self) -> tuple[StoredRecord, ...]:
        """Return every version of every record, in the order they were written."""
        return tuple(self._versions)

    def get(self, uri: str) -> StoredRecord | None:
        """Return the record at an address, hidden or not."""
        index = self._current.get(uri)
        return None if index is None else self._versions[index]

    def seen(self, uri: str) -> StoredRecord | None:
        """Return the record at an address, or None if it is hidden from readers."""
        return None if uri in self.hidden else self.get(uri)

    def collection(self, repo: str, name: str) -> Sequence[StoredRecord]:
        """Return the records of a collection that are not hidden, sorted by key."""
        prefix = f"at://{repo}/{name}/"
        uris = sorted(uri for uri in self._current if uri.startswith(prefix))
        return [self._versions[self._current[uri]] for uri in uris if uri not in self.hidden]

    def holds(self, repo: str) -> bool:
        """Tell whether the account has ever written here."""
        return repo in self._heads

    def head(self, repo: str) -> RepositoryCommit:
        """Return the last commit of a repository."""
        return self._heads.get(repo) or RepositoryCommit(cid_of({"did": repo}), tid(0))

    def check(self, writes: Sequence[Write]) -> None:
        """Raise Conflict unless the writes can be carried out one after the other."""
        there = set(self._current)
        for write in writes:
            if (write.uri in there) is (write.action is Action.CREATE):
                raise Conflict(write.uri)
            (there.discard if write.action is Action.DELETE else there.add)(write.uri)

    def apply(self, repo: str, writes: Sequence[Write], now: datetime) -> RepositoryCommit:
        """Carry out checked writes, and return the commit."""
        for write in writes:
            self._carry_out(write, now)
        return self._commit(repo, writes, now)

    def _carry_out(self, write: Write, now: datetime) -> None:
        if write.action is not Action.CREATE:
            index = self._current.pop(write.uri)
            self._versions[index] = replace(self._versions[index], gone=now)
        if write.value is not None and write.cid is not None:
            self._current[write.uri] = len(self._versions)
            self._versions.append(StoredRecord(write.uri, write.cid, write.value, now))

    def _commit(self, repo: str, writes: Sequence[Write], now: datetime) -> RepositoryCommit:
        rev = self._revs(now)
        changed: list[Data] = [[write.action.value, write.uri, write.cid] for write in writes]
        cid = cid_of({"did": repo, "rev": rev, "prev": self.head(repo).cid, "data": changed})
        self._heads[repo] = RepositoryCommit(cid, rev)
        return self._heads[repo]
