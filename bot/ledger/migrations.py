"""Builds the schema in numbered steps. A released step is never edited: a new one follows it.

sqlite-utils has migrations of its own. They are not used, for two reasons: it looks for pending
steps before it begins the transaction, so that two processes that open a ledger at the same time
would both run a step; and it keeps its record in a table, which a dry run could read only by
importing sqlite-utils.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bot.ledger.errors import LedgerError

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table

APPLICATION_ID = int.from_bytes(b"bot1")
"""The number in the header of an SQLite file that marks it as a ledger of bot."""

_THREAD = {
    "number": int,
    "account": str,
    "network": str,
    "digest": str,
    "day": str,
    "generation": int,
    "title": str,
    "published": str,
    "fingerprint": str,
    "language": str,
    "visibility": str,
    "planned_at": str,
    "looked_at": str,
    "checked_at": str,
}
_POST = {
    "thread": int,
    "position": int,
    "account": str,
    "part": str,
    "key": str,
    "text": str,
    "token": str,
    "media": str,
    "state": str,
    "id": str,
    "url": str,
    "tries": int,
    "tried_at": str,
    "doubted_at": str,
    "misses": int,
    "missed_after": float,
    "reason": str,
    "sent_at": str,
    "changed_at": str,
}
_ATTEMPT = {
    "number": int,
    "thread": int,
    "at": str,
    "kind": str,
    "position": int,
    "outcome": str,
    "detail": str,
}


def _create_threads_posts_and_attempts(db: Database) -> None:
    _create(db, "accounts", {"name": str, "network": str}, "name")
    _create(db, "digests", {"slug": str, "fingerprint": str, "title": str, "seen_at": str}, "slug")
    null = {"looked_at", "checked_at"}
    threads = _create(db, "threads", _THREAD, "number", null, account=("accounts", "name"))
    threads.create_index(["account", "digest", "generation"], unique=True)
    threads.create_index(["account"])
    threads.create_index(["digest"])
    null = {"tried_at", "doubted_at", "sent_at"}
    of_thread = ("threads", "number")
    _create(db, "posts", _POST, ("thread", "position"), null, thread=of_thread)
    attempts = _create(db, "attempts", _ATTEMPT, "number", {"position"}, thread=of_thread)
    attempts.create_index(["thread"])
    # these find open posts, the newest post and a post by its id without reading every old row
    db.execute("CREATE INDEX posts_open ON posts (thread) WHERE state NOT IN ('sent', 'retracted')")
    db.execute(
        "CREATE INDEX posts_sent ON posts (account, sent_at, thread, position) WHERE state = 'sent'"
    )
    db.execute("CREATE INDEX posts_known ON posts (account, id) WHERE id <> ''")
    _forbid(db, "words_stay", "UPDATE OF part, key, text, token, media ON posts")
    _forbid(db, "attempts_stay", "UPDATE ON attempts")
    _forbid(db, "attempts_remain", "DELETE ON attempts")


def _create_leases_limits_spending_and_facts(db: Database) -> None:
    lease = {"account": str, "token": str, "holder": str, "expires_at": str}
    _create(db, "leases", lease, "account")
    limit = {"account": str, "kind": str, "until": str, "reason": str}
    _create(db, "limits", limit, ("account", "kind"))
    spending = {"number": int, "account": str, "at": str, "kind": str, "micros": int}
    _create(db, "spending", spending, "number").create_index(["account", "at", "micros"])
    _create(db, "facts", {"account": str, "name": str, "value": str}, ("account", "name"))


def _create_problems(db: Database) -> None:
    texts = dict.fromkeys(("key", "account", "what", "subject", "message", "mend"), str)
    times = dict.fromkeys(("raised_at", "told_at", "over_at"), str)
    _create(db, "troubles", texts | times, "key", {"told_at", "over_at"})


def _add_links_and_sessions(db: Database) -> None:
    db.table("posts").add_column("rich", str, not_null_default="")
    db.execute("DROP TRIGGER words_stay")
    _forbid(db, "words_stay", "UPDATE OF part, key, text, token, media, rich ON posts")
    _create(db, "sessions", {"account": str, "session": str}, "account")


def _create_pictures(db: Database) -> None:
    columns = {"thread": int, "position": int, "data": bytes}
    _create(db, "pictures", columns, ("thread", "position"), thread=("threads", "number"))


def _add_refusals_places_papers_and_owners(db: Database) -> None:
    db.table("posts").add_column("refusals", int, not_null_default=0)
    db.table("posts").add_column("place", int)
    threads = db.table("threads")
    threads.add_column("papers", str, not_null_default="")
    threads.add_column("owner", str, not_null_default="")
    threads.create_index(["account", "day"])


STEPS: tuple[Callable[[Database], None], ...] = (
    _create_threads_posts_and_attempts,
    _create_leases_limits_spending_and_facts,
    _create_problems,
    _add_links_and_sessions,
    _create_pictures,
    _add_refusals_places_papers_and_owners,
)
LATEST = len(STEPS)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the ledger to the latest step, each step in its own transaction.

    One transaction reads the version and takes the step: of two processes that open a ledger at the
    same time, one takes the step and the other finds it taken. A new ledger takes all steps at
    once, so that no reader ever finds it half made. Before an older ledger changes, it is copied.
    Raises LedgerError for a newer ledger, and OSError and sqlite3.Error for one that cannot be
    copied or written.
    """
    version, copied = 0, False
    while version < LATEST:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            check_version(version, path)
            steps = STEPS[version : version + 1 if version else LATEST]
            if steps and version and not copied:
                _copy(path, version)
                copied = True
            if steps:
                from sqlite_utils import Database

                db = Database(connection, recursive_triggers=False, execute_plugins=False)
                for step in steps:
                    step(db)
            version += len(steps)
            # without steps this write is undone: only a write shows whether the file is writable
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT" if steps else "ROLLBACK")
        except BaseException:
            connection.rollback()
            raise


def _copy(path: Path, version: int) -> None:
    """Copy the ledger to `bot.db.version-5` beside it, for its owner only, and log the name.

    The copy lets an operator return to the earlier release. A copy of the same version is replaced.
    The caller's transaction keeps other processes from writing meanwhile.
    """
    import logging

    copy = path.with_name(f"{path.name}.version-{version}")
    part = path.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    try:
        made = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        os.fchmod(made, 0o600)  # a umask may have narrowed the mode, even for the owner
        os.close(made)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(copy)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    logging.getLogger(__name__).warning(
        "the ledger %s of an earlier release is updated; a copy of it as it was is kept as %s",
        path,
        copy,
    )


def check_version(version: int, path: Path) -> None:
    """Raise LedgerError for a version that a later release wrote, or no release."""
    if version < 0:
        raise LedgerError(
            f"the ledger {path} has version {version}, which no release of bot wrote",
            "Restore a backup of the ledger.",
        )
    if version > LATEST:
        raise LedgerError(
            f"the ledger {path} has version {version}, and this release reads {LATEST} at most",
            "Install the release of bot that wrote it, or a later one.",
        )


def _create(
    db: Database,
    name: str,
    columns: Mapping[str, type],
    pk: str | tuple[str, ...],
    null: Collection[str] = (),
    **references: tuple[str, str],
) -> Table:
    """Create a strict table. Only columns in `null` may be empty; `references` are foreign keys."""
    return db.table(name).create(
        dict(columns),
        pk=pk,
        not_null=columns.keys() - null,
        foreign_keys=[(column, *other) for column, other in references.items()],
        strict=True,
    )


def _forbid(db: Database, name: str, change: str) -> None:
    """Create a trigger that makes this change fail, whatever code tries it."""
    db.execute(f"CREATE TRIGGER {name} BEFORE {change} BEGIN SELECT RAISE(ABORT, '{name}'); END")
