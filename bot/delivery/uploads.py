"""Pictures: uploaded before the post that carries them, and never at its cost.

An upload has no public effect, so it may be made again whatever came of it. What does not work
after a few tries is left out, and said: a thread without its picture is better than none.
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
"""How often an upload is made, how often it is asked after while the network works on it, and how
many repeats of a post may be refused with it before they get another."""

_BARRED = "no uploads as"
_GONE = "its bytes are not in the ledger any more"


@dataclass(slots=True)
class Uploads:
    """The uploads of one run: a post that is sent again takes the same one, as long as it may.

    What failed is tried anew with the next try of its post, for which a network that was gone may
    be back; what was refused is not.
    """

    journal: Journal
    poster: Poster
    _done: dict[int, str] = field(default_factory=dict, init=False)
    _used: set[str] = field(default_factory=set, init=False)
    _refused: set[int] = field(default_factory=set, init=False)
    _repeats: int = field(default=0, init=False)
    _reasons: dict[int, str] = field(default_factory=dict, init=False)

    def ids(self, post: StoredPost) -> tuple[str, ...]:
        """The network's ids for the pictures of a post; none where it has to go without."""
        position = post.position
        if not post.media or position in self._refused:
            return ()
        if self._are_barred():
            self._tell_of_earlier_run(position)
            return ()
        if position not in self._done:
            self._upload(post)
        return (self._done[position],) if position in self._done else ()

    def judge(
        self, position: int, media: tuple[str, ...], outcome: Outcome, *, absent: bool
    ) -> Outcome:
        """What came of a try that took `media`; `absent` says that one before it was in doubt.

        A refusal may be for the picture, so that the next try has another, or none. Where an upload
        was taken by an earlier try, that one may be out after all and have it; so it is not given
        up soon, for it keeps a second post away where nothing else does.
        """
        before = not self._used.isdisjoint(media)
        self._used.update(media)
        if not (media and is_for_content(outcome)):
            return outcome
        if before and absent and self._repeats < MOST_REPEATS:
            self._repeats += 1
            reason = (
                f"{outcome.reason}; perhaps an earlier try was carried out, and has its picture"
            )
            return replace(outcome, sort=OutcomeKind.UNKNOWN, refusal=None, reason=reason)
        self._done.pop(position)
        if not before:
            self._refused.add(position)
            self._reasons[position] = outcome.reason
        return outcome

    def reason(self, position: int) -> str:
        """Why a post went without its picture."""
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
        reason = outcome.reason or outcome.flaw or "the network still works on it"
        self._reasons[position] = reason
        if outcome.refusal is Refusal.SCOPE:
            self.journal.ledger.set_fact(
                self.journal.thread.account, _BARRED, self.journal.terms.identity
            )
            self._reasons[position] = f"no upload is allowed: {reason}. {outcome.fix}"
        if outcome.sort is OutcomeKind.REFUSED and outcome.refusal is not Refusal.CREDENTIALS:
            self._refused.add(position)

    def _are_barred(self) -> bool:
        """Whether the account's tokens were found to allow no uploads."""
        journal = self.journal
        return journal.ledger.get_fact(journal.thread.account, _BARRED) == journal.terms.identity

    def _tell_of_earlier_run(self, position: int) -> None:
        """Take over why an earlier run of the thread left this picture out, so that it is told."""
        for each in self.journal.ledger.attempts(self.journal.thread.number):
            if (each.kind, each.position, each.outcome) == (
                "upload",
                position,
                OutcomeKind.REFUSED,
            ):
                self._reasons.setdefault(position, f"no upload is allowed: {each.detail}")

    def _tried(self, position: int, upload: Upload) -> Outcome:
        """Upload until it works, or is refused, or was tried often enough."""
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
        """Ask after an upload that the network still works on."""
        for looks in range(MOST_LOOKS):
            if outcome.sort is not OutcomeKind.SENT or outcome.ready:
                break
            if not self._waited(looks, "the network works on the picture"):
                break
            asked = self.poster.media_ready(outcome.id)
            if asked.sort in (OutcomeKind.SENT, OutcomeKind.REFUSED):
                outcome = asked
        return outcome

    def _waited(self, times: int, reason: str, until: datetime | None = None) -> bool:
        """Wait before the next request, if this run has the patience, and is not to stop."""
        journal, policy = self.journal, self.journal.terms.policy
        told = (until - journal.now).total_seconds() if until else 0.0
        if told > journal.patience:
            return False
        journal.wait(max(told, min(policy.wait_after(times + 1), journal.patience)), reason)
        return not journal.around.stopping()


def is_for_content(outcome: Outcome) -> bool:
    """Whether a post was refused as it is, and may be taken another way."""
    return outcome.sort is OutcomeKind.REFUSED and outcome.refusal in (None, Refusal.CONTENT)
