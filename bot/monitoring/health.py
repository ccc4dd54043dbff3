"""Decide whether the worker is stuck, and what /healthz answers. Pure.

The worker is stuck only where a restart helps, since a platform restarts it on 503. A revoked
token, a source that does not answer, a held thread and a spent budget are reported without 503.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus

from bot.monitoring.worker_state import AccountHealth, FinishedPass, Moment, Snapshot, SourceHealth

TIMER_SILENT = 5 * 60.0
"""Seconds without a tick after which the timer is stuck."""

SIGN_OVERDUE = 5 * 60.0
"""Seconds after its sign of life was due, from which a pass is stuck."""

RUN_OVERDUE = 10 * 60.0
"""Seconds after the next run was due, without a running pass, from which the worker is stuck."""


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """What is stuck and for how long, in words; empty where nothing is."""

    reasons: tuple[str, ...] = ()

    @property
    def stuck(self) -> bool:
        """Whether a restart would help."""
        return bool(self.reasons)


def verdict(snapshot: Snapshot) -> HealthVerdict:
    """Judge whether the worker is stuck.

    Time is measured by the monotonic clock. That a run is overdue must be so by the wall clock too,
    by which it was set: a clock that is put back or forward makes nothing stuck.
    """
    return HealthVerdict(tuple(_stuck(snapshot)))


def _stuck(snapshot: Snapshot) -> Iterator[str]:
    now, work = snapshot.now, snapshot.at_work
    silent = now.since(snapshot.ticked)
    if silent >= TIMER_SILENT:
        yield f"the timer has given no sign of life for {_minutes(silent)}"
    if work is not None:
        late = now.seconds - work.due
        if late >= SIGN_OVERDUE:
            yield (
                f"the pass that began at {_time(work.begun.at)} should have given a sign of life "
                f"{_minutes(late)} ago"
            )
    elif snapshot.due is not None:
        late = now.past(snapshot.due)
        if late >= RUN_OVERDUE:
            yield f"a pass should have begun {_minutes(late)} ago, and none is at work"


def healthz(snapshot: Snapshot) -> tuple[HTTPStatus, dict[str, object]]:
    """Give the answer to GET /healthz: 503 where the worker is stuck, else 200, and what is known.

    Times are UTC, ages and durations seconds, money US dollars; what is not known is null.
    """
    judged = verdict(snapshot)
    now, work, good = snapshot.now, snapshot.at_work, snapshot.last_good
    body: dict[str, object] = {
        "status": "stuck" if judged.stuck else "ok",
        "reasons": list(judged.reasons),
        "started": _time(snapshot.started.at),
        "uptime_seconds": _whole(now.since(snapshot.started)),
        "timer_age_seconds": _whole(now.since(snapshot.ticked)),
        "at_work": work and {"since": _time(work.begun.at), "accounts": list(work.accounts)},
        "last_pass": _over(snapshot.last, now),
        "last_good_pass": _over(good, now),
        "next_run": _time(snapshot.next_run),
        "source": _source(snapshot.source, now),
        "accounts": [_account(one) for one in snapshot.accounts],
    }
    return (HTTPStatus.SERVICE_UNAVAILABLE if judged.stuck else HTTPStatus.OK), body


def _over(over: FinishedPass | None, now: Moment) -> dict[str, object] | None:
    if over is None:
        return None
    return {
        "ended": _time(over.ended.at),
        "age_seconds": _whole(now.since(over.ended)),
        "seconds": round(over.seconds, 3),
        "good": over.good,
        "reason": over.reason or None,
    }


def _source(source: SourceHealth | None, now: Moment) -> dict[str, object] | None:
    if source is None:
        return None
    return {
        "state": source.state,
        "ok": source.ok,
        "digest": source.digest or None,
        "reason": source.reason or None,
        "asked": _time(source.asked.at),
        "age_seconds": _whole(now.since(source.asked)),
        "failing_since": None if source.ok else _time(source.since.at),
    }


def _account(one: AccountHealth) -> dict[str, object]:
    return {
        "account": one.name,
        "network": one.network.value,
        "able": one.able,
        "reason": one.reason or None,
        "next_step": next_step(one) or None,
        "until": _time(one.until),
        "tried": _time(one.tried_at),
        "last_sent": _time(one.last_sent_at),
        "last_digest": one.last_digest or None,
        "pending": one.pending,
        "unknown": one.unknown,
        "held": one.held,
        "spent_usd": float(one.spent_usd),
        "budget_usd": None if one.budget_usd is None else float(one.budget_usd),
        "left_usd": None if (left := left_usd(one)) is None else float(left),
        "limits": [
            {"kind": limit.kind, "until": _time(limit.until), "reason": limit.reason}
            for limit in one.limits
        ],
    }


def next_step(one: AccountHealth) -> str:
    """Say what a person can do for an account; empty where there is nothing to do."""
    if one.fix:
        return one.fix
    if one.able is False:
        return "Mend its credentials, as bot check says, and start the worker anew."
    if one.held:
        return "Decide with bot settle, or take it back with bot retract; see bot status."
    return ""


def left_usd(one: AccountHealth) -> Decimal | None:
    """Give what an account may still spend this month, 0 at least; None where it has no budget."""
    return None if one.budget_usd is None else max(one.budget_usd - one.spent_usd, Decimal(0))


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _whole(seconds: float) -> int:
    return max(int(seconds), 0)


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f} minutes"
