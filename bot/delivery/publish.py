"""Plans, publishes, continues and retracts the threads of one account."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bot.delivery.budget import count_month, over_budget
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
from bot.delivery.types import (
    AccountResult,
    AccountTerms,
    End,
    Replan,
    RunEnded,
    RunTools,
    cannot_read,
)
from bot.errors import BotError
from bot.ledger.rows import PlannedPost, PlannedThread, Spending, StoredPost, StoredThread, time_of
from bot.model import Account, Digest, Network, Post, State, Thread
from bot.posters.plain_text import normal
from bot.posters.poster import AccountProfile, CannotRead, Poster, RemotePost
from bot.posters.session_store import SessionStore
from bot.settings import Settings, one_account
from bot.terminal import argument

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


Reorder = Callable[[Sequence[str | None]], Thread]
"""Makes a thread with its papers in this order."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What a person asked for.

    `again` publishes a retracted thread again. `unsent` says that no post of it is published.
    """

    again: bool = False
    unsent: bool = False


@dataclass(frozen=True, slots=True)
class AccountPublisher:
    """Publishes for one account; the caller holds the account's lock."""

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
        """Plan the thread if it is new, and deliver it.

        `reorder` makes the thread with its papers in another order, to match a chain that is found.
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
                if refused := self._reason_not_to_begin(thread):
                    return refused
            except RunEnded as ended:
                return ended.result
            stored = self._plan(digest, thread, stored.generation + 1 if stored else 0)
            if alike and not options.unsent:
                where = alike.posts[0].url or alike.digest
                reason = (
                    f"{share:.0%} of its papers are in the thread of {alike.digest} ({where}). If "
                    "this is another digest, publish it with bot post --assume-unsent"
                )
                return self._hold(stored.number, 0, reason)
        opening = stored.posts[0]
        if options.unsent and opening.state is State.HELD and not opening.id:
            # a person has looked at the account
            self.ledger.settle(stored.number, 0, None, "", self._now())
            stored = self.ledger.refresh(stored.number)
        if stored.digest == digest.slug:
            return self._deliver(stored, options, digest, reorder)
        served = self._deliver(stored, options)
        reason = f"this digest was published as {stored.digest}"
        return replace(served, reason=reason) if served.end is End.DONE else served

    def _nothing_to_do(
        self, stored: StoredThread | None, thread: Thread, options: PublishOptions
    ) -> AccountResult | None:
        """Return a result where nothing is to be done for a thread; None where it is delivered."""
        if stored is None:
            reason = "the digest has no paper for this account"
            return None if thread.posts else AccountResult(self.account, End.DONE, reason=reason)
        if is_half_retracted(stored):
            return self._half_retracted(stored)
        if is_retracted(stored) and not options.again:
            reason = "this thread was retracted. Publish it again with bot post --again"
            return AccountResult(self.account, End.DONE, stored, reason)
        if options.again and not is_retracted(stored) and not stored.generation:
            reason = "--again needs a retracted thread. Delete this thread first with bot retract"
            return AccountResult(self.account, End.FAILED, stored, reason)
        return None

    def resume(self, number: int) -> AccountResult:
        """Continue a planned thread with its stored texts, also where its digest has changed."""
        thread = self.ledger.refresh(number)
        if is_half_retracted(thread):
            return self._half_retracted(thread)
        return self._deliver(thread, PublishOptions())

    def _half_retracted(self, thread: StoredThread) -> AccountResult:
        reason = (
            "only a part of this thread was retracted. Delete the rest with bot retract "
            f"{argument(thread.digest)}, then publish it with bot post --again"
        )
        return AccountResult(self.account, End.FAILED, thread, reason)

    def hold(self, number: int, reason: str) -> AccountResult:
        """Hold the first open post of a thread for a person."""
        thread = self.ledger.refresh(number)
        closed = (State.SENT, State.RETRACTED, State.HELD)
        post = next((post for post in thread.posts if post.state not in closed), None)
        if post is not None:
            return self._hold(number, post.position, reason)
        return AccountResult(self.account, End.HELD, thread, reason)

    def _hold(self, number: int, position: int, reason: str) -> AccountResult:
        self.ledger.hold(number, position, reason, self._now())
        return AccountResult(self.account, End.HELD, self.ledger.refresh(number), reason)

    def settle(self, number: int, position: int, post_id: str) -> AccountResult:
        """Record that a post is published under this id, which is read where reads are free.

        Raises CannotRead, and BotError where no such post exists or another account owns it.
        """
        url = ""
        if reads_for_free(self.account.network):
            self._profile()
            seen = self.poster.read(post_id)
            owner = self.ledger.get_fact(self.account.name, "id")
            if seen is None or (seen.author and seen.author != owner):
                raise BotError(
                    f"{self.account.name} has no post {post_id}",
                    "Give the id or the URL of a post of this account.",
                )
            url = seen.url
        self.ledger.settle(number, position, post_id, url, self._now())
        return AccountResult(self.account, End.DONE, self.ledger.refresh(number))

    def try_credentials(self) -> AccountResult:
        """Make a request that needs valid credentials, without billed posts. Raises CannotRead."""
        if reads_for_free(self.account.network):
            self._ask_profile()
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
                reason = (
                    f"the ledger has no thread of {slug}, and without its digest the posts cannot "
                    "be recognised"
                )
                return AccountResult(self.account, End.FAILED, reason=reason)
            stored = self._plan(digest, thread, 0)
        self._profile()
        if wrong := self._wrong_owner(stored):
            return AccountResult(self.account, End.FAILED, stored, wrong, stops=True)
        return retract(self.ledger, self.poster, stored, self._terms(), self.around)

    def _deliver(
        self,
        thread: StoredThread,
        options: PublishOptions,
        digest: Digest | None = None,
        reorder: Reorder | None = None,
    ) -> AccountResult:
        if any(post.state not in (State.SENT, State.RETRACTED) for post in thread.posts):
            self._profile()
        if wrong := self._wrong_owner(thread):
            return AccountResult(self.account, End.FAILED, thread, wrong, stops=True)
        terms = self._terms(unsent=options.unsent)
        as_planned = replace(terms, as_planned=True)
        if digest is None or reorder is None:
            terms = as_planned
        try:
            return deliver(self.ledger, self.poster, thread, terms, self.around)
        except Replan as found:
            assert digest is not None and reorder is not None  # noqa: S101, PT018 - see above
            posts = self._posts(digest, reorder(found.order), thread.generation, thread.posts)
            thread = self.ledger.replan(thread.number, posts, self._now())
            return deliver(self.ledger, self.poster, thread, as_planned, self.around)

    def _wrong_owner(self, thread: StoredThread) -> str:
        """Say why a begun thread may not continue: the tokens are another account's; else empty."""
        owner = self._owner()
        begun = any(post.state is not State.PLANNED for post in thread.posts)
        if not begun or not owner or thread.owner in ("", owner):
            return ""
        return (
            f"the thread was begun as {thread.owner}, and the tokens of {self.account.name} now "
            f"belong to {owner}. Set the tokens of {thread.owner} to continue or retract the thread"
        )

    def _owner(self) -> str:
        """Return who owns the tokens on the network; empty where that is not known."""
        if self.account.network is not Network.TWITTER:
            return self.ledger.get_fact(self.account.name, "who") or ""
        tokens = self.settings.credentials[self.account.name].secrets
        user = tokens["access_token"].reveal().partition("-")[0]
        return user if user.isdecimal() else ""

    def _reason_not_to_begin(self, thread: Thread) -> AccountResult | None:
        """Return a result where a post is longer than the server allows; else None.

        Raises RunEnded where the thread would exceed the budget.
        """
        longest = max(post.length for post in thread.posts)
        profile = self._profile()
        if profile and profile.limit is not None and longest > profile.limit:
            profile = self.poster.profile()  # it may have been raised since
            if profile.limit is not None and longest > profile.limit:
                reason = (
                    f"a post is {longest} characters long, and the limit of {profile.url} is "
                    f"{profile.limit}. Set MASTODON_MAX_CHARACTERS={profile.limit}"
                )
                return AccountResult(self.account, End.FAILED, reason=reason)
        opening = thread.posts[0]
        if not any(opening.token in normal(seen.text) for seen in self._counted()):
            # a thread that another ledger has begun is finished, whatever the budget is
            self._allows(thread.posts)
        return None

    def _counted(self) -> Sequence[RemotePost]:
        """Update the month's spending, and return the posts read for it. Raises RunEnded."""
        if not self._reads():
            return ()
        try:
            return count_month(self.ledger, self.poster, self.account, self._now())
        except CannotRead as error:
            reason = f"this month's spending cannot be counted, because {error.message}"
            if error.final:
                reason += ". If your plan of X does not allow reads, set TWITTER_READ_BACK=off"
            raise RunEnded(cannot_read(self.account, error, reason)) from error

    def _allows(self, posts: Sequence[Post] | Sequence[StoredPost]) -> None:
        """Raise RunEnded for a thread that would exceed the month's budget."""
        self._counted()
        refusal = over_budget(self.ledger, self.poster, self.account, posts, self._now())
        if refusal:
            reason, until = refusal.reason, refusal.until
            raise RunEnded(AccountResult(self.account, End.LATER, None, reason, until, named=True))

    def _reads(self) -> bool:
        return self.settings.twitter_reads or self.account.network is not Network.TWITTER

    def _profile(self) -> AccountProfile | None:
        """Return the profile from the ledger or the network; None where the network bills it."""
        if not reads_for_free(self.account.network):
            return None
        if known := known_profile(self.settings, self.ledger, self.account):
            return known
        policy, waited, failures = self._terms().policy, 0.0, 0
        while True:
            try:
                return self._ask_profile()
            except CannotRead as error:
                failures += 1
                seconds = policy.wait_after(failures)
                waited += seconds
                gives_up = waited > self.settings.patience.total_seconds()
                if error.final or error.until or gives_up or self.around.stopping():
                    raise
                self.around.sleep(seconds)

    def _ask_profile(self) -> AccountProfile:
        """Ask for the account's profile and store it.

        Raises CannotRead, also where another account of the settings has the same profile.
        """
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
        others = {
            other.name: identity(self.settings, other)
            for other in self.settings.accounts
            if other.network is self.account.network and other.name != self.account.name
        }
        if twin := self.ledger.introduce(self.account.name, facts, others):
            wrong = one_account(self.account, twin, f"{profile.handle} ({profile.url})")
            raise CannotRead(wrong.message, wrong.fix, final=True, stops=True)
        return profile

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
        """Return the posts to be stored; opening and closing keep their `planned` texts."""
        frame = {post.part: post for post in planned if post.part not in papers_of(planned)}
        name, slug, network = self.account.name, digest.slug, self.account.network
        keys = {post.part: key(name, slug, generation, post.part) for post in thread.posts}
        if network is Network.BLUESKY:
            keys = {part: record_key(each, slug) for part, each in keys.items()}
        return tuple(
            PlannedPost(
                position=post.position,
                part=post.part,
                key=keys[post.part],
                text=worded.text,
                token=worded.token,
                media=worded.media,
                spans=worded.spans,
                card=worded.card,
            )
            for post in thread.posts
            for worded in [frame.get(post.part, post)]
        )

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
            account=self.account,
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


def identity(settings: Settings, account: Account) -> str:
    """Return a hash of the account's server, handle and tokens.

    The stored facts about an account are valid as long as this hash stays the same.
    """
    credentials = settings.credentials[account.name]
    secrets = sorted((role, secret.reveal()) for role, secret in credentials.secrets.items())
    text = repr((credentials.base_url, credentials.handle, secrets))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def known_profile(settings: Settings, ledger: Ledger, account: Account) -> AccountProfile | None:
    """Return the account's stored profile; None where it is missing, or for other tokens."""
    facts = ledger.facts(account.name)
    # an earlier release did not store the fact "server"
    if facts.get("asked as") != identity(settings, account) or "server" not in facts:
        return None
    return AccountProfile(
        id=facts.get("id", ""),
        handle="",
        url=facts.get("url", ""),
        limit=int(facts["limit"]) if facts.get("limit") else None,
        application=facts.get("application", ""),
        server=facts["server"],
    )


@dataclass(frozen=True, slots=True)
class AccountRefusal:
    """How often in a row, when last, and why a network refused all requests of an account."""

    times: int
    at: datetime
    reason: str


def refused(settings: Settings, ledger: Ledger, account: Account) -> AccountRefusal | None:
    """Return the stored refusal of an account; None where its settings changed since."""
    owner, _, rest = (ledger.get_fact(account.name, _REFUSED) or "").partition(" ")
    if owner != identity(settings, account):
        return None
    times, at, reason = rest.split(" ", 2)
    return AccountRefusal(int(times), time_of(at), reason)


def note_refusal(settings: Settings, ledger: Ledger, served: AccountResult, now: datetime) -> None:
    """Store that the network refuses the account, or that it no longer does."""
    account = served.account
    before = refused(settings, ledger, account)
    if served.stops:
        times = before.times + 1 if before else 1
        reason = " ".join(served.reason.split())
        fact = f"{identity(settings, account)} {times} {now.isoformat()} {reason}"
        ledger.set_fact(account.name, _REFUSED, fact)
    elif before and served.end in (End.DONE, End.HELD):
        ledger.set_fact(account.name, _REFUSED, "")


_REFUSED = "refused"


def keeper(settings: Settings, ledger: Ledger, account: Account) -> SessionStore:
    """Return the store of the account's session in the ledger, valid for these credentials."""
    return SessionStore(
        owner=identity(settings, account),
        read=lambda: ledger.session(account.name),
        keep=lambda session: ledger.keep_session(account.name, session),
    )
