"""Sends one post, and records the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from bot.delivery.journal import LIMITED, Journal
from bot.delivery.types import End
from bot.delivery.uploads import Uploads, is_for_content
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
    uploads: Uploads = field(init=False)
    _ready: tuple[int, tuple[str, ...]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.journal, self.poster)

    def send(self, position: int, *, absent: bool) -> bool:
        """Publish a post, as a reply to the last post of the chain; True if it is published.

        False means that the next step must be decided again, perhaps after a wait. `absent` says
        that an earlier try is proven to have failed. Raises RunEnded where the run cannot continue.
        """
        journal = self.journal
        if not journal.begun:
            journal.terms.allows(journal.thread)
        for limit in journal.limits:
            journal.wait_until(limit.until, limit.reason)
        journal.rest()
        if journal.must_not_send():
            return False
        media: tuple[str, ...] = ()
        if (post := journal.thread.posts[position]).media:
            if self._ready is None or self._ready[0] != position:
                self._ready = position, self.uploads.ids(post)
            if journal.must_not_send():  # an upload takes time
                return False
            media, self._ready = self._ready[1], None
        if absent:
            journal.mark_not_sent(position)
        journal.begin(position)
        journal.emit("sending", position)
        begun = journal.around.monotonic()
        outcome = self.poster.publish(self._request(position, media))
        if media:
            outcome = self.uploads.judge(position, media, outcome, absent=absent)
        self._record(position, outcome, media, journal.around.monotonic() - begun)
        return outcome.sort is OutcomeKind.SENT

    def _request(self, position: int, media: tuple[str, ...]) -> PostRequest:
        thread = self.journal.thread
        post, before = thread.posts[position], thread.chain
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
        self, position: int, outcome: Outcome, media: tuple[str, ...], seconds: float
    ) -> None:
        """Record the outcome of a try in one transaction, then report it and act on it."""
        journal, sort, reason = self.journal, outcome.sort, outcome.reason
        post, until = journal.thread.posts[position], outcome.until
        limited = until is not None and sort is OutcomeKind.LATER
        with journal.ledger.together():
            detail = reason or outcome.flaw or outcome.bare
            journal.attempt("send", position, LIMITED if limited else sort.value, detail)
            if sort in (OutcomeKind.SENT, OutcomeKind.UNKNOWN):
                # an unknown try may be billed, so it counts: no budget is exceeded on a guess
                journal.spend("post", self.poster.cost(post.text))
            if sort is OutcomeKind.SENT:
                journal.sent(position, outcome.id, outcome.url)
            elif sort is not OutcomeKind.UNKNOWN:
                journal.unsent(position, reason)
            elif outcome.duplicate:
                journal.duplicate(position, reason)
            else:
                journal.mark_unknown(position, reason)
        # events follow when the outcome is on the disk: a closed terminal must undo nothing
        if sort is OutcomeKind.SENT:
            journal.emit("sent", position, outcome.url, outcome.id, seconds)
            self._report_flaws(position, outcome, media)
        elif sort is OutcomeKind.UNKNOWN:
            journal.emit("unknown", position, reason, seconds=seconds)
        elif sort is OutcomeKind.LATER and until:
            journal.limit("send", until, reason)
            journal.emit("limited", None, f"until {until:%Y-%m-%d %H:%M:%S} UTC: {reason}")
        elif sort is OutcomeKind.REFUSED and not (media and is_for_content(outcome)):
            self._refused(position, outcome)

    def _report_flaws(self, position: int, outcome: Outcome, media: tuple[str, ...]) -> None:
        """Report what is wrong with a published post, and hold it where it has a wrong parent."""
        journal = self.journal
        if outcome.bare:
            journal.emit("picture lost", position, outcome.bare)
        has_media = journal.thread.posts[position].media
        if has_media and not media and (why := self.uploads.reason(position)):
            journal.emit("picture left out", position, why)
        if outcome.flaw:
            journal.hold(position, outcome.flaw)

    def _refused(self, position: int, outcome: Outcome) -> None:
        """Hold a post that is refused for good; raise RunEnded where the account is refused."""
        journal = self.journal
        if outcome.refusal in (Refusal.CREDENTIALS, Refusal.SCOPE, Refusal.ADDRESS):
            end = End.WRONG if outcome.refusal is Refusal.ADDRESS else End.FAILED
            raise journal.ended(end, f"{outcome.reason}. {outcome.fix}", stops=True)
        if journal.thread.posts[position].state is State.PLANNED:
            what_now = _WHAT_NOW[outcome.refusal or Refusal.CONTENT]
            journal.hold(position, what_now.format(outcome.reason))
