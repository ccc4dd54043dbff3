"""What an account could not do yet: kept from pass to pass, tried in time, and told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.delivery.types import End
from bot.digests.result import SourceResult
from bot.scheduler.decide import BeginDigest, is_begun
from bot.scheduler.poll_source import growing
from bot.scheduler.problems import Retry, StepResult

_STEP = timedelta(minutes=15)  # a clock that is set back by less is merely put right


@dataclass(slots=True)
class RetryState:
    """Those of one account, by slug. A digest that is begun leaves older ones behind."""

    _known: dict[str, Retry] = field(default_factory=dict, init=False)
    _cut: tuple[str, datetime] | None = field(default=None, init=False)

    def after(self, done: Sequence[StepResult], now: datetime) -> None:
        """Take in what became of the steps of a pass."""
        for each in done:
            served = each.served
            if each.used:
                self._known.pop("", None)  # whatever was wrong with the credentials
            if served.end in (End.DONE, End.HELD):
                self._known.pop(each.slug, None)
            elif served.stops:
                self._known.pop(each.slug, None)  # a refusal is an answer
            else:
                self._known[each.slug] = self._pending(each, now)
            if isinstance(each.step, BeginDigest) and is_begun(served.thread):
                self._leave_behind(each.step.digest.published)

    def forget(self, slugs: Iterable[str]) -> None:
        """Drop these: somebody else saw to them."""
        for slug in slugs:
            self._known.pop(slug, None)

    def went_through(self) -> None:
        """Drop what a turn that broke off left: this one did not."""
        broken = self._known.get("")
        if broken and broken.end is End.FAILED:
            del self._known[""]

    def cut_since(self, cut: SourceResult | None, now: datetime) -> datetime | None:
        """Since when the same digest, which cannot be read, keeps back those after it."""
        if cut is None:
            self._cut = None
        elif self._cut is None or self._cut[0] != cut.source:
            self._cut = (cut.source, now)
        return self._cut and self._cut[1]

    def all(self) -> tuple[Retry, ...]:
        """All of them, the one that has waited longest first."""
        return tuple(sorted(self._known.values(), key=lambda each: each.since))

    def waits(self, now: datetime) -> Mapping[str, datetime]:
        """By slug, the time to come before which going on is no use.

        One that was reckoned by a clock that was set back since is none.
        """
        return {
            slug: each.until
            for slug, each in self._known.items()
            if each.until and each.until > now and each.tried <= now + _STEP
        }

    def wake(self, now: datetime) -> datetime | None:
        """When to come again at the latest; None for the next pass."""
        return min(self.waits(now).values(), default=None)

    def _pending(self, each: StepResult, now: datetime) -> Retry:
        served, before = each.served, self._known.get(each.slug)
        times = before.times + 1 if before else 1
        again = served.until or now + growing(times)
        fresh = isinstance(each.step, BeginDigest) and served.thread is None
        return Retry(
            slug=each.slug,
            end=served.end,
            reason=served.reason,
            since=before.since if before else now,
            tried=now,
            times=times,
            until=again if served.end is End.LATER else None,
            told=served.named,
            published=each.step.digest.published
            if isinstance(each.step, BeginDigest) and fresh
            else None,
        )

    def _leave_behind(self, published: datetime) -> None:
        for slug, each in list(self._known.items()):
            if each.published is not None and each.published < published:
                del self._known[slug]
