"""One account being served: its thread is planned, carried on, or taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.delivery.budget import Priced, count_month, over_budget
from bot.delivery.decide import Policy
from bot.delivery.deliver import deliver
from bot.delivery.identity import (
    SAME,
    find_alike,
    fingerprint,
    is_half_retracted,
    is_retracted,
    key,
    papers_of,
    reads_for_free,
    record_key,
)
from bot.delivery.retract import retract
from bot.delivery.types import AccountTerms, End, Replan, Result, RunEnded, RunTools, end_of
from bot.errors import BotError
from bot.ledger.columns import time_of
from bot.ledger.rows import PlannedPost, PlannedThread, Spending, StoredPost, StoredThread
from bot.model import Account, Digest, Network, State, Thread
from bot.posters.plain_text import normal
from bot.posters.poster import AccountProfile, CannotRead, Poster, RemotePost
from bot.posters.session_store import SessionStore
from bot.settings import Settings, one_account
from bot.terminal import argument

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


Reorder = Callable[[Sequence[str | None]], Thread]
"""Words a thread with its papers in this order."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What a person asked for: publish anew what was retracted; nothing of it is out."""

    again: bool = False
    unsent: bool = False


@dataclass(frozen=True, slots=True)
class AccountResult:
    """What became of one account. `thread` is None where nothing of it was planned.

    `named` says that the network, or the budget, named the time `until`. `stops` says that the
    account can do nothing before its credentials or address are mended.
    """

    account: Account
    end: End
    thread: StoredThread | None = None
    reason: str = ""
    until: datetime | None = None
    stops: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class AccountPublisher:
    """One account being served, under its lock."""

    settings: Settings
    ledger: Ledger
    around: RunTools
    account: Account
    poster: Poster

    def publish(
        self,
        digest: Digest,
        thread: Thread,
        options: PublishOptions,
        reorder: Reorder | None = None,
    ) -> AccountResult:
        """Plan the thread if it is new, and carry it on.

        `reorder` words the thread with its papers in another order, for a chain that is found.
        """
        stored = self.ledger.thread(self.account.name, digest.slug)
        alike, share = None, 0.0
        if stored is None and not options.again:
            alike, share = find_alike(self.ledger, digest.day, thread)
        if alike and share >= SAME:
            stored = alike  # the site moved, or the title was corrected
        self.ledger.digest_seen(digest.slug, fingerprint(digest), digest.title, self._now())
        if nothing := self._nothing_to_do(stored, thread, options):
            return nothing
        if stored is None or (options.again and is_retracted(stored)):
            try:
                if refused := self._before_the_first(thread):
                    return refused
            except RunEnded as ended:
                return AccountResult(
                    self.account,
                    ended.end,
                    None,
                    ended.reason,
                    ended.until,
                    stops=ended.stops,
                    named=ended.named,
                )
            stored = self._plan(digest, thread, stored.generation + 1 if stored else 0)
            if alike and not options.unsent:
                return self._held_as_alike(stored, alike, share)
        if options.unsent:
            stored = self._released(stored)
        if stored.digest == digest.slug:
            return self._deliver(stored, options, digest, reorder)
        served = self._deliver(stored, options)
        reason = f"it is the digest that was published as {stored.digest}"
        return replace(served, reason=reason) if served.end is End.DONE else served

    def _nothing_to_do(
        self, stored: StoredThread | None, thread: Thread, options: PublishOptions
    ) -> AccountResult | None:
        """Say why nothing is done for a thread; None where it is to be carried on."""
        if stored is None:
            reason = "no paper of it is for this account"
            return None if thread.posts else AccountResult(self.account, End.DONE, reason=reason)
        if is_half_retracted(stored):
            return self._half_retracted(stored)
        if is_retracted(stored) and not options.again:
            reason = "it was retracted; to publish it anew: bot post --again"
            return AccountResult(self.account, End.DONE, stored, reason)
        if options.again and not is_retracted(stored) and not stored.generation:
            reason = "--again publishes anew what was retracted, and this was not: bot retract"
            return AccountResult(self.account, End.FAILED, stored, reason)
        return None

    def resume(self, number: int) -> AccountResult:
        """Carry a planned thread on, in its own words, whatever became of its digest."""
        thread = self.ledger.refresh(number)
        if is_half_retracted(thread):
            return self._half_retracted(thread)
        return self._deliver(thread, PublishOptions())

    def _held_as_alike(
        self, stored: StoredThread, other: StoredThread, share: float
    ) -> AccountResult:
        """Hold a thread, nothing of it sent, for a person to say whether it is another digest's."""
        where = other.posts[0].url or other.digest
        reason = (
            f"{share:.0%} of its papers are in the thread of {other.digest} ({where}): if it is "
            "another digest, publish it with bot post --assume-unsent"
        )
        held = self.ledger.hold(stored.number, 0, reason, self._now())
        return AccountResult(self.account, End.HELD, held, reason)

    def _half_retracted(self, thread: StoredThread) -> AccountResult:
        reason = (
            "it was retracted in part: bot post --again publishes it again once the rest is "
            f"deleted, with bot retract {argument(thread.digest)}"
        )
        return AccountResult(self.account, End.FAILED, thread, reason)

    def hold(self, number: int, reason: str) -> AccountResult:
        """Leave the first open post of a thread to a person."""
        thread = self.ledger.refresh(number)
        out = (State.SENT, State.RETRACTED, State.HELD)
        post = next((post for post in thread.posts if post.state not in out), None)
        if post is not None:
            thread = self.ledger.hold(number, post.position, reason, self._now())
        return AccountResult(self.account, End.HELD, thread, reason)

    def settle(self, number: int, position: int, post_id: str) -> AccountResult:
        """Write down that a post is out under this id, which is read where reading is free.

        Raises CannotRead, and BotError where it is not there, or another account's.
        """
        thread, url = self.ledger.refresh(number), ""
        if reads_for_free(self.account.network):
            self._profile()
            seen = self.poster.read(post_id)
            owner = self.ledger.get_fact(self.account.name, "id")
            if seen is None or (seen.author and seen.author != owner):
                raise BotError(
                    f"{self.account.name} has no post {post_id}",
                    "Give the id or the address of the account's own post.",
                )
            url = seen.url
        thread = self.ledger.settle(number, position, post_id, url, self._now())
        return AccountResult(self.account, End.DONE, thread)

    def try_credentials(self) -> AccountResult:
        """Ask the network who we are, or where that is billed, for nothing. Raises CannotRead."""
        if reads_for_free(self.account.network):
            self._introduced()
        elif self._reads():
            cost = self.poster.look(self._now()).cost
            if cost:
                self.ledger.spend(Spending(self.account.name, self._now(), "read", cost))
        return AccountResult(self.account, End.DONE)

    def retract(self, digest: Digest | None, slug: str, thread: Thread | None) -> AccountResult:
        """Delete the thread, last post first."""
        stored = self.ledger.thread(self.account.name, slug)
        if stored is None:
            if digest is None or thread is None or not thread.posts:
                reason = f"the ledger has no thread of {slug}, and no digest to look for it with"
                return AccountResult(self.account, End.FAILED, reason=reason)
            stored = self._plan(digest, thread, 0)
        self._profile()
        if stranger := self._stranger(stored):
            return AccountResult(self.account, End.FAILED, stored, stranger, stops=True)
        result = retract(self.ledger, self.poster, stored, self._terms(), self.around)
        return _served(self.account, result)

    def _deliver(
        self,
        thread: StoredThread,
        options: PublishOptions,
        digest: Digest | None = None,
        reorder: Reorder | None = None,
    ) -> AccountResult:
        if any(post.state not in (State.SENT, State.RETRACTED) for post in thread.posts):
            self._profile()
        if stranger := self._stranger(thread):
            return AccountResult(self.account, End.FAILED, thread, stranger, stops=True)
        terms = self._terms(unsent=options.unsent)
        as_planned = replace(terms, as_planned=True)
        if digest is None or reorder is None:
            terms = as_planned
        try:
            result = deliver(self.ledger, self.poster, thread, terms, self.around)
        except Replan as found:
            assert digest is not None and reorder is not None  # noqa: S101, PT018 - see above
            posts = self._posts(digest, reorder(found.order), thread.generation, thread.posts)
            thread = self.ledger.replan(thread.number, posts, self._now())
            result = deliver(self.ledger, self.poster, thread, as_planned, self.around)
        return _served(self.account, result)

    def _stranger(self, thread: StoredThread) -> str:
        """Why a thread that is half out may not be carried on: the tokens are another account's."""
        owner = self._owner()
        begun = any(post.state is not State.PLANNED for post in thread.posts)
        if not begun or not owner or thread.owner in ("", owner):
            return ""
        return (
            f"the thread was begun as {thread.owner}, and the tokens of {self.account.name} are "
            f"those of {owner}: set the tokens that it was begun with, or retract it with them"
        )

    def _owner(self) -> str:
        """Who the tokens belong to on the network; empty where that is not known."""
        if self.account.network is not Network.TWITTER:
            return self.ledger.get_fact(self.account.name, "who") or ""
        tokens = self.settings.credentials[self.account.name].secrets
        user = tokens["access_token"].reveal().partition("-")[0]
        return user if user.isdecimal() else ""

    def _released(self, thread: StoredThread) -> StoredThread:
        """The thread with its held opening planned again: a person has looked."""
        first = thread.posts[0]
        if first.state is State.HELD and not first.id:
            return self.ledger.settle(thread.number, 0, None, "", self._now())
        return thread

    def _before_the_first(self, thread: Thread) -> AccountResult | None:
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
                return AccountResult(self.account, End.FAILED, reason=reason)
        opening = thread.posts[0]
        if not any(opening.token in normal(seen.text) for seen in self._counted()):
            # one that is half out, by another ledger than this new one, is finished all the same
            self._allows(thread.posts)
        return None

    def _counted(self) -> Sequence[RemotePost]:
        """Bring the month's spending up to date; what was read for it. Raises Ended."""
        if not self._reads():
            return ()
        try:
            return count_month(self.ledger, self.poster, self.account, self._now())
        except CannotRead as error:
            reason = f"the month's spending cannot be counted: {error.message}"
            if error.final:
                reason += "; for a plan of X that cannot read, set TWITTER_READ_BACK=off"
            raise RunEnded(end_of(error), reason, error.until, stops=error.stops) from error

    def _allows(self, posts: Sequence[Priced]) -> None:
        """Money: a thread that would pass the month's budget is not begun. Raises Ended."""
        self._counted()
        refusal = over_budget(self.ledger, self.poster, self.account, posts, self._now())
        if refusal:
            raise RunEnded(End.LATER, refusal.reason, refusal.until)

    def _reads(self) -> bool:
        return self.settings.twitter_reads or self.account.network is not Network.TWITTER

    def _profile(self) -> AccountProfile | None:
        """Who we are, asked where that is free and not known yet; kept in the ledger."""
        if not reads_for_free(self.account.network):
            return None
        if known := known_profile(self.settings, self.ledger, self.account):
            return known
        policy, waited, failures = self._terms().policy, 0.0, 0
        while True:
            try:
                return self._introduced()
            except CannotRead as error:
                failures += 1
                seconds = policy.wait_after(failures)
                waited += seconds
                gives_up = waited > self.settings.patience.total_seconds()
                if error.final or error.until or gives_up or self.around.stopping():
                    raise
                self.around.sleep(seconds)

    def _introduced(self) -> AccountProfile:
        """Ask who we are, and keep it. Raises CannotRead, also where another account is that."""
        profile = self.poster.profile()
        facts = {
            "id": profile.id,
            "who": profile.who,
            "application": profile.application,
            "limit": str(profile.limit or ""),
            "url": profile.url,
            "server": profile.server,
            "asked as": identity(self.settings, self.account),
        }
        if twin := self.ledger.introduce(self.account.name, facts, self._others()):
            wrong = one_account(self.account, twin, f"{profile.handle} ({profile.url})")
            raise CannotRead(wrong.message, wrong.fix, final=True, stops=True)
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
            posts=self._posts(digest, thread, generation),
            papers=thread.papers or papers_of(thread.posts),
            owner=self._owner(),
        )
        return self.ledger.plan(planned, self._now())

    def _posts(
        self,
        digest: Digest,
        thread: Thread,
        generation: int,
        planned: Sequence[StoredPost] = (),
    ) -> tuple[PlannedPost, ...]:
        """The posts to be written down; opening and closing as `planned`, where they were."""
        frame = {post.part: post for post in planned if post.part not in papers_of(planned)}
        return tuple(
            PlannedPost(
                position=post.position,
                part=post.part,
                key=self._key(digest, generation, post.part),
                text=worded.text,
                token=worded.token,
                media=worded.media,
                spans=worded.spans,
                card=worded.card,
            )
            for post in thread.posts
            for worded in [frame.get(post.part, post)]
        )

    def _key(self, digest: Digest, generation: int, part: str) -> str:
        name = key(self.account.name, digest.slug, generation, part)
        if self.account.network is not Network.BLUESKY:
            return name
        return record_key(name, digest.slug)

    def _terms(self, *, unsent: bool = False) -> AccountTerms:
        settings, network = self.settings, self.account.network
        policy = Policy(
            settle=settings.settle.total_seconds(),
            retry_wait=settings.retry_wait,
            turn=2 * settings.pause.total_seconds() + settings.http_timeout,
            reads=self._reads(),
            lags=network is Network.TWITTER and bool(settings.settle),
            keyed=network is Network.BLUESKY,
            checks=reads_for_free(network),
        )
        return AccountTerms(
            policy=policy,
            patience=settings.patience.total_seconds(),
            pause=settings.pause.total_seconds(),
            unsent=unsent,
            application=self.ledger.get_fact(self.account.name, "application") or "",
            identity=identity(self.settings, self.account),
            replies=self.account.replies.value,
            allows=lambda thread: self._allows(thread.posts),
        )

    def _now(self) -> datetime:
        return self.around.clock()


def _served(account: Account, result: Result) -> AccountResult:
    return AccountResult(
        account,
        result.end,
        result.thread,
        result.reason,
        result.until,
        stops=result.stops,
        named=result.named,
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


def known_profile(settings: Settings, ledger: Ledger, account: Account) -> AccountProfile | None:
    """What the ledger remembers of an account; None where it was never asked, or as another."""
    if ledger.get_fact(account.name, "asked as") != identity(settings, account):
        return None
    limit, server = ledger.get_fact(account.name, "limit"), ledger.get_fact(account.name, "server")
    if server is None:  # it was asked by a version that did not keep this
        return None
    return AccountProfile(
        id=ledger.get_fact(account.name, "id") or "",
        handle="",
        url=ledger.get_fact(account.name, "url") or "",
        limit=int(limit) if limit else None,
        application=ledger.get_fact(account.name, "application") or "",
        server=server,
    )


@dataclass(frozen=True, slots=True)
class AccountRefusal:
    """That a network refuses an account as a whole: how often in a row, when last, and why."""

    times: int
    at: datetime
    reason: str


def refused(settings: Settings, ledger: Ledger, account: Account) -> AccountRefusal | None:
    """What the ledger knows of an account's refusal; None where its settings changed since."""
    owner, _, rest = (ledger.get_fact(account.name, _REFUSED) or "").partition(" ")
    if owner != identity(settings, account):
        return None
    times, at, reason = rest.split(" ", 2)
    return AccountRefusal(int(times), time_of(at), reason)


def note_refusal(settings: Settings, ledger: Ledger, served: AccountResult, now: datetime) -> None:
    """Keep that an account is refused as a whole, or that it is no more."""
    account = served.account
    before = refused(settings, ledger, account)
    if served.stops:
        times = before.times + 1 if before else 1
        reason = " ".join(served.reason.split())
        said = f"{identity(settings, account)} {times} {now.isoformat()} {reason}"
        ledger.set_fact(account.name, _REFUSED, said)
    elif before and served.end in (End.DONE, End.HELD):
        ledger.set_fact(account.name, _REFUSED, "")


_REFUSED = "refused"


def keeper(settings: Settings, ledger: Ledger, account: Account) -> SessionStore:
    """Where an account's session is kept: in the ledger, for as long as it is the same account."""
    return SessionStore(
        owner=identity(settings, account),
        read=lambda: ledger.session(account.name),
        keep=lambda session: ledger.keep_session(account.name, session),
    )
