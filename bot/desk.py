"""One account being served: its thread is planned, carried on, or taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bot.delivery.decide import Policy
from bot.delivery.identity import fingerprint, key, reads_for_free, record_key
from bot.delivery.money import Priced, count_month, over_budget
from bot.delivery.retract import retract
from bot.delivery.run import deliver
from bot.delivery.terms import End, Ended, Result, Surroundings, Terms
from bot.ledger.rows import PlannedPost, PlannedThread, Spending, StoredThread
from bot.model import Account, Digest, Network, State, Thread
from bot.posters.keeper import Keeper
from bot.posters.poster import CannotRead, Poster, Profile, Seen
from bot.posters.undo import normal
from bot.settings import Settings, one_account

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asked for: publish anew what was retracted; nothing of it is out."""

    again: bool = False
    unsent: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """What became of one account. `thread` is None where nothing of it was planned.

    `stops` says that the account can do nothing before its credentials or address are mended.
    """

    account: Account
    end: End
    thread: StoredThread | None = None
    reason: str = ""
    until: datetime | None = None
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """One account being served, under its lock."""

    settings: Settings
    ledger: Ledger
    around: Surroundings
    account: Account
    poster: Poster

    def publish(self, digest: Digest, thread: Thread, wishes: Wishes) -> Served:
        """Plan the thread if it is new, and carry it on."""
        stored = self._stored(digest)
        self.ledger.digest_seen(digest.slug, fingerprint(digest), digest.title, self._now())
        if stored is None and not thread.posts:
            return Served(self.account, End.DONE, reason="no paper of it is for this account")
        if stored and _is_retracted(stored) and not wishes.again:
            reason = "it was retracted; to publish it anew: bot post --again"
            return Served(self.account, End.DONE, stored, reason)
        anew = wishes.again and stored is not None and _is_retracted(stored)
        if wishes.again and stored and not anew and not stored.generation:
            reason = "--again publishes anew what was retracted, and this was not: bot retract"
            return Served(self.account, End.FAILED, stored, reason)
        if stored is None or anew:
            try:
                refused = self._before_the_first(thread)
            except Ended as ended:
                return Served(
                    self.account, ended.end, None, ended.reason, ended.until, stops=ended.stops
                )
            if refused:
                return refused
            stored = self._plan(digest, thread, stored.generation + 1 if stored else 0)
        if wishes.unsent:
            stored = self._released(stored)
        return self._deliver(stored, unsent=wishes.unsent)

    def resume(self, number: int) -> Served:
        """Carry a planned thread on, in its own words, whatever became of its digest."""
        self._profile()
        return self._deliver(self.ledger.refresh(number), unsent=False)

    def hold(self, number: int, reason: str) -> Served:
        """Leave the first open post of a thread to a person."""
        thread = self.ledger.refresh(number)
        out = (State.SENT, State.RETRACTED, State.HELD)
        post = next((post for post in thread.posts if post.state not in out), None)
        if post is not None:
            thread = self.ledger.hold(number, post.position, reason, self._now())
        return Served(self.account, End.HELD, thread, reason)

    def try_credentials(self) -> Served:
        """Ask the network who we are, or where that is billed, for nothing. Raises CannotRead."""
        if reads_for_free(self.account.network):
            self._introduced()
        elif self._reads():
            cost = self.poster.look(self._now()).cost
            if cost:
                self.ledger.spend(Spending(self.account.name, self._now(), "read", cost))
        return Served(self.account, End.DONE)

    def retract(self, digest: Digest | None, slug: str, thread: Thread | None) -> Served:
        """Delete the thread, last post first."""
        stored = self.ledger.thread(self.account.name, slug)
        if stored is None:
            if digest is None or thread is None or not thread.posts:
                reason = f"the ledger has no thread of {slug}, and no digest to look for it with"
                return Served(self.account, End.FAILED, reason=reason)
            stored = self._plan(digest, thread, 0)
        self._profile()
        result = retract(self.ledger, self.poster, stored, self._terms(), self.around)
        return _served(self.account, result)

    def _deliver(self, thread: StoredThread, *, unsent: bool) -> Served:
        terms = self._terms(unsent=unsent)
        result = deliver(self.ledger, self.poster, thread, terms, self.around)
        return _served(self.account, result)

    def _released(self, thread: StoredThread) -> StoredThread:
        """The thread with its held opening planned again: a person has looked."""
        first = thread.posts[0]
        if first.state is State.HELD and not first.id:
            return self.ledger.settle(thread.number, 0, None, "", self._now())
        return thread

    def _stored(self, digest: Digest) -> StoredThread | None:
        return self.ledger.thread(self.account.name, digest.slug)

    def _before_the_first(self, thread: Thread) -> Served | None:
        """A reason not to begin a thread: a server that takes less than it was made for."""
        longest = max(post.length for post in thread.posts)
        profile = self._profile()
        if profile and profile.limit is not None and longest > profile.limit:
            profile = self.poster.profile()  # it may have been raised since
            if profile.limit is not None and longest > profile.limit:
                reason = (
                    f"a post is {longest} characters long and {profile.url} takes "
                    f"{profile.limit}: set MASTODON_MAX_CHARACTERS={profile.limit}"
                )
                return Served(self.account, End.FAILED, reason=reason)
        opening = thread.posts[0]
        if not any(opening.token in normal(seen.text) for seen in self._counted()):
            # one that is half out, by another ledger than this new one, is finished all the same
            self._allows(thread.posts)
        return None

    def _counted(self) -> Sequence[Seen]:
        """Bring the month's spending up to date; what was read for it. Raises Ended."""
        if not self._reads():
            return ()
        try:
            return count_month(self.ledger, self.poster, self.account, self._now())
        except CannotRead as error:
            reason = f"the month's spending cannot be counted: {error.message}"
            if error.final:
                reason += "; for a plan of X that cannot read, set TWITTER_READ_BACK=off"
            end = End.FAILED if error.final else End.LATER
            raise Ended(end, reason, error.until, stops=error.stops) from error

    def _allows(self, posts: Sequence[Priced]) -> None:
        """Money: a thread that would pass the month's budget is not begun. Raises Ended."""
        self._counted()
        refusal = over_budget(self.ledger, self.poster, self.account, posts, self._now())
        if refusal:
            raise Ended(End.LATER, refusal.reason, refusal.until)

    def _reads(self) -> bool:
        return self.settings.twitter_reads or self.account.network is not Network.TWITTER

    def _profile(self) -> Profile | None:
        """Who we are, asked where that is free and not known yet; kept in the ledger."""
        if not reads_for_free(self.account.network):
            return None
        return known_profile(self.settings, self.ledger, self.account) or self._introduced()

    def _introduced(self) -> Profile:
        """Ask who we are, and keep it. Raises CannotRead, also where another account is that."""
        profile = self.poster.profile()
        facts = {
            "id": profile.id,
            "who": profile.who,
            "application": profile.application,
            "limit": str(profile.limit or ""),
            "url": profile.url,
            "asked as": identity(self.settings, self.account),
        }
        if twin := self.ledger.introduce(self.account.name, facts, self._others()):
            wrong = one_account(self.account, twin, f"{profile.handle} ({profile.url})")
            raise CannotRead(wrong.message, wrong.mend, final=True, stops=True)
        return profile

    def _others(self) -> dict[str, str]:
        """The other accounts of this network, and as whom they would be asked."""
        return {
            other.name: identity(self.settings, other)
            for other in self.settings.accounts
            if other.network is self.account.network and other.name != self.account.name
        }

    def _plan(self, digest: Digest, thread: Thread, generation: int) -> StoredThread:
        account = self.account
        posts = tuple(
            PlannedPost(
                position=post.position,
                part=post.part,
                key=self._key(digest, generation, post.part),
                text=post.text,
                token=post.token,
                media=post.media,
                spans=post.spans,
                card=post.card,
            )
            for post in thread.posts
        )
        planned = PlannedThread(
            account=account.name,
            network=account.network,
            digest=digest.slug,
            day=digest.day,
            generation=generation,
            title=digest.title,
            published=digest.published,
            fingerprint=fingerprint(digest),
            language=account.language,
            visibility=account.visibility.value,
            posts=posts,
        )
        return self.ledger.plan(planned, self._now())

    def _key(self, digest: Digest, generation: int, part: str) -> str:
        name = key(self.account.name, digest.slug, generation, part)
        if self.account.network is not Network.BLUESKY:
            return name
        return record_key(name, digest.slug)

    def _terms(self, *, unsent: bool = False) -> Terms:
        settings, network = self.settings, self.account.network
        policy = Policy(
            settle=settings.settle.total_seconds(),
            retry_wait=settings.retry_wait,
            reads=self._reads(),
            checks=reads_for_free(network),
        )
        return Terms(
            policy=policy,
            patience=settings.patience.total_seconds(),
            pause=settings.pause.total_seconds(),
            unsent=unsent,
            application=self.ledger.fact(self.account.name, "application") or "",
            allows=lambda thread: self._allows(thread.posts),
        )

    def _now(self) -> datetime:
        return self.around.clock()


def _is_retracted(thread: StoredThread) -> bool:
    return all(post.state is State.RETRACTED for post in thread.posts)


def _served(account: Account, result: Result) -> Served:
    return Served(
        account, result.end, result.thread, result.reason, result.until, stops=result.stops
    )


def identity(settings: Settings, account: Account) -> str:
    """Tells one account on the network from another of the same name.

    Server, handle and tokens, digested. What was learnt of an account holds for as long as this
    stays the same.
    """
    credentials = settings.credentials[account.name]
    secrets = sorted((role, secret.reveal()) for role, secret in credentials.secrets.items())
    told = repr((credentials.base_url, credentials.handle, secrets))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def known_profile(settings: Settings, ledger: Ledger, account: Account) -> Profile | None:
    """What the ledger remembers of an account; None where it was never asked, or as another."""
    if ledger.fact(account.name, "asked as") != identity(settings, account):
        return None
    limit = ledger.fact(account.name, "limit")
    return Profile(
        id=ledger.fact(account.name, "id") or "",
        handle="",
        url=ledger.fact(account.name, "url") or "",
        limit=int(limit) if limit else None,
        application=ledger.fact(account.name, "application") or "",
    )


def keeper(settings: Settings, ledger: Ledger, account: Account) -> Keeper:
    """Where an account's session is kept: in the ledger, for as long as it is the same account."""
    return Keeper(
        owner=identity(settings, account),
        read=lambda: ledger.session(account.name),
        keep=lambda session: ledger.keep_session(account.name, session),
    )
