"""Uploads pictures before the posts that have them.

An upload has no public effect, so it may be repeated after any outcome. A picture that cannot be
uploaded after a few tries is left out and reported, and its post is sent without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.delivery.journal import Journal
from bot.ledger.rows import StoredPost
from bot.posters.poster import Outcome, OutcomeKind, Poster, Refusal, Upload

MOST_TRIES = 3
MOST_LOOKS = 6
MOST_REPEATS = 3
"""How often an upload is tried, how often its progress is read while the network processes it, and
how often a repeated post may be refused with it before the post gets another upload."""

_BARRED = "no uploads as"
"""The fact that holds the identity whose tokens allow no uploads."""
_GONE = "the ledger no longer has the picture"


@dataclass(slots=True)
class Uploads:
    """The uploads of one run: a post that is sent again uses the same upload where possible.

    A failed upload is repeated with the next try of its post, since the network may work again. A
    refused upload is not repeated.
    """

    journal: Journal
    poster: Poster
    _done: dict[int, str] = field(default_factory=dict, init=False)
    _used: set[str] = field(default_factory=set, init=False)
    _refused: set[int] = field(default_factory=set, init=False)
    _repeats: int = field(default=0, init=False)
    _reasons: dict[int, str] = field(default_factory=dict, init=False)

    def ids(self, post: StoredPost) -> tuple[str, ...]:
        """Return the network's ids for the pictures of a post; none where it is sent without."""
        position, ledger, thread = post.position, self.journal.ledger, self.journal.thread
        if not post.media or position in self._refused:
            return ()
        if ledger.get_fact(thread.account, _BARRED) == self.journal.terms.identity:
            # an earlier run of the thread may have logged why it left this picture out
            refused = ("upload", position, OutcomeKind.REFUSED)
            for each in ledger.attempts(thread.number):
                if (each.kind, each.position, each.outcome) == refused:
                    self._reasons.setdefault(position, f"uploads are not allowed: {each.detail}")
            return ()
        if position not in self._done:
            self._upload(post)
        return (self._done[position],) if position in self._done else ()

    def judge(
        self, position: int, media: tuple[str, ...], outcome: Outcome, *, absent: bool
    ) -> Outcome:
        """Return the outcome of a try with `media`; `absent` says that an earlier try was unknown.

        The network may refuse a post because of its picture, so the next try has another upload or
        none. But an earlier try with the same upload may have published the post. So the upload is
        kept for some more tries: on some networks only that prevents a second post.
        """
        before = not self._used.isdisjoint(media)
        self._used.update(media)
        if not (media and is_for_content(outcome)):
            return outcome
        if before and absent and self._repeats < MOST_REPEATS:
            self._repeats += 1
            reason = (
                f"{outcome.reason}; an earlier try may have published the post with this picture"
            )
            return replace(outcome, sort=OutcomeKind.UNKNOWN, refusal=None, reason=reason)
        self._done.pop(position)
        if not before:
            self._refused.add(position)
            self._reasons[position] = outcome.reason
        return outcome

    def reason(self, position: int) -> str:
        """Return why a post was sent without its picture."""
        return self._reasons.get(position, "")

    def _upload(self, post: StoredPost) -> None:
        media, position = post.media[0], post.position
        data = self.journal.ledger.picture(self.journal.thread.number, position)
        if not data:
            self._reasons[position] = _GONE
            return
        outcome = self._ready(self._tried(position, Upload(data, media.type, media.alt)))
        if outcome.sort is OutcomeKind.SENT and outcome.ready and not outcome.flaw:
            self._done[position] = outcome.id
            return
        reason = outcome.reason or outcome.flaw or "the network has not finished processing it"
        self._reasons[position] = reason
        if outcome.refusal is Refusal.SCOPE:
            self.journal.ledger.set_fact(
                self.journal.thread.account, _BARRED, self.journal.terms.identity
            )
            self._reasons[position] = f"uploads are not allowed: {reason}. {outcome.fix}"
        if outcome.sort is OutcomeKind.REFUSED and outcome.refusal is not Refusal.CREDENTIALS:
            self._refused.add(position)

    def _tried(self, position: int, upload: Upload) -> Outcome:
        """Upload until the upload works, is refused, or was tried `MOST_TRIES` times."""
        journal, tries = self.journal, 0
        while True:
            tries += 1
            outcome = self.poster.upload(upload)
            with journal.ledger.together():
                journal.attempt(
                    "upload", position, outcome.sort.value, outcome.reason or outcome.flaw
                )
                journal.spend("media", outcome.cost)
            over = outcome.sort in (OutcomeKind.SENT, OutcomeKind.REFUSED) or tries == MOST_TRIES
            if over or not self._waited(tries, outcome.reason, outcome.until):
                return outcome

    def _ready(self, outcome: Outcome) -> Outcome:
        """Wait for an upload that the network still processes."""
        for looks in range(MOST_LOOKS):
            if outcome.sort is not OutcomeKind.SENT or outcome.ready:
                break
            if not self._waited(looks, "the network is still processing the picture"):
                break
            asked = self.poster.media_ready(outcome.id)
            if asked.sort in (OutcomeKind.SENT, OutcomeKind.REFUSED):
                outcome = asked
        return outcome

    def _waited(self, times: int, reason: str, until: datetime | None = None) -> bool:
        """Wait before the next request; False where this run may not wait so long, or must stop."""
        journal, policy = self.journal, self.journal.terms.policy
        named = (until - journal.now).total_seconds() if until else 0.0
        if named > journal.patience:
            return False
        journal.wait(max(named, min(policy.wait_after(times + 1), journal.patience)), reason)
        return not journal.around.stopping()


def is_for_content(outcome: Outcome) -> bool:
    """Tell whether a post was refused for its content, so that another form may be accepted."""
    return outcome.sort is OutcomeKind.REFUSED and outcome.refusal in (None, Refusal.CONTENT)
