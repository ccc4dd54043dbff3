"""Sends one post, and records the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from bot.delivery.journal import LIMITED, Journal
from bot.delivery.match import chain_of
from bot.delivery.types import End, RunEnded
from bot.delivery.uploads import Uploads, is_for_content
from bot.ledger.rows import StoredLimit, StoredPost
from bot.model import State
from bot.posters.poster import Outcome, OutcomeKind, Poster, PostRequest, Refusal

_WHAT_NOW = {
    Refusal.REPLIES: (
        "{}, so the thread cannot continue. Delete it with bot retract, set TWITTER_STYLE=single, "
        "and publish it with bot post --again"
    ),
    Refusal.PARENT: (
        "{}, and bot does not begin a thread again by itself. Delete it with bot retract, and "
        "publish it with bot post --again"
    ),
    Refusal.CONTENT: "{}; bot does not send this post again by itself",
}


@dataclass(slots=True)
class Sender:
    """Sends the posts of one thread."""

    journal: Journal
    poster: Poster
    uploads: Uploads
    _ready: tuple[int, tuple[str, ...]] | None = field(default=None, init=False)

    def send(self, position: int, *, absent: bool) -> bool:
        """Publish a post, as a reply to the last post of the chain; True if it is published.

        False means that the next step must be decided again, perhaps after a wait. `absent` says
        that an earlier try is proven to have failed. Raises RunEnded where the run cannot continue.
        """
        journal = self.journal
        if not journal.begun:
            journal.terms.allows(journal.thread)
        for limit in journal.ledger.limits(journal.thread.account, journal.now):
            journal.wait_until(limit.until, limit.reason)
        journal.rest()
        if journal.around.stopping() or self._is_stale():
            return False
        if self._ready is None or self._ready[0] != position:
            self._ready = position, self.uploads.ids(journal.thread.posts[position])
        if journal.around.stopping() or self._is_stale():
            return False
        media, self._ready = self._ready[1], None
        if absent:
            journal.mark_not_sent(position)
        journal.begin(position)
        post = journal.thread.posts[position]
        journal.emit("sending", position)
        begun = journal.around.monotonic()
        outcome = self.poster.publish(self._outgoing(post, media))
        outcome = self.uploads.judge(position, media, outcome, absent=absent)
        self._record(post, outcome, media, journal.around.monotonic() - begun)
        return outcome.sort is OutcomeKind.SENT

    def _is_stale(self) -> bool:
        """Tell whether the last read is so old that the account must be read before a post."""
        return self.journal.policy.is_stale(self.journal.idle)

    def _outgoing(self, post: StoredPost, media: tuple[str, ...]) -> PostRequest:
        thread = self.journal.thread
        before = chain_of(thread)
        parent = self.journal.tail or (before[-1].id if before else "")
        # replies are unlisted by default, so that a public thread is one post in a timeline
        is_public = thread.visibility == "public"
        shown = self.journal.terms.replies if is_public else thread.visibility
        return PostRequest(
            text=post.text,
            key=post.key,
            parent=parent,
            root=before[0].id if before else "",
            language=thread.language,
            visibility=shown if parent else thread.visibility,
            media=media,
            spans=post.spans,
            card=post.card,
            # recorded before this try, and later than the time of the post before
            created=max(each.tried_at for each in thread.posts if each.tried_at)
            + timedelta(milliseconds=len(before)),
        )

    def _record(
        self, post: StoredPost, outcome: Outcome, media: tuple[str, ...], seconds: float
    ) -> None:
        """Record the outcome of a try in one transaction, then act on it."""
        journal, position = self.journal, post.position
        with journal.ledger.together():
            self._store(post, outcome)
        # events follow when the outcome is on the disk: a closed terminal must undo nothing
        match outcome.sort:
            case OutcomeKind.SENT:
                journal.emit("sent", position, outcome.url, outcome.id, seconds)
                if outcome.bare:
                    journal.emit("picture lost", position, outcome.bare)
                if not media and (why := self.uploads.reason(position)):
                    journal.emit("picture left out", position, why)
                if outcome.flaw:
                    journal.hold(position, outcome.flaw)
            case OutcomeKind.LATER:
                self._limited(outcome)
            case OutcomeKind.REFUSED:
                if not (media and is_for_content(outcome)):  # else the next try has another picture
                    self._refused(position, outcome)
            case OutcomeKind.UNKNOWN:
                journal.emit("unknown", position, outcome.reason, seconds=seconds)

    def _store(self, post: StoredPost, outcome: Outcome) -> None:
        journal, position = self.journal, post.position
        detail = outcome.reason or outcome.flaw or outcome.bare
        limited = outcome.sort is OutcomeKind.LATER and outcome.until
        journal.attempt("send", position, LIMITED if limited else outcome.sort.value, detail)
        if outcome.sort in (OutcomeKind.SENT, OutcomeKind.UNKNOWN):
            # an unknown try may be billed, so it counts: no budget is exceeded on a guess
            journal.spend("post", self.poster.cost(post.text))
        match outcome.sort:
            case OutcomeKind.SENT:
                journal.sent(position, outcome.id, outcome.url)
            case OutcomeKind.UNKNOWN if outcome.duplicate:
                journal.duplicate(position, outcome.reason)
            case OutcomeKind.UNKNOWN:
                journal.mark_unknown(position, outcome.reason)
            case OutcomeKind.LATER | OutcomeKind.REFUSED:
                journal.unsent(position, outcome.reason)

    def _limited(self, outcome: Outcome) -> None:
        journal, until = self.journal, outcome.until
        if until:
            journal.ledger.limit(StoredLimit(journal.thread.account, "send", until, outcome.reason))
            journal.emit("limited", None, f"until {until:%Y-%m-%d %H:%M:%S} UTC: {outcome.reason}")

    def _refused(self, position: int, outcome: Outcome) -> None:
        journal = self.journal
        if outcome.refusal in (Refusal.CREDENTIALS, Refusal.SCOPE, Refusal.ADDRESS):
            end = End.WRONG if outcome.refusal is Refusal.ADDRESS else End.FAILED
            raise RunEnded(end, f"{outcome.reason}. {outcome.fix}", stops=True)
        if journal.thread.posts[position].state is State.PLANNED:
            what_now = _WHAT_NOW[outcome.refusal or Refusal.CONTENT]
            journal.hold(position, what_now.format(outcome.reason))
