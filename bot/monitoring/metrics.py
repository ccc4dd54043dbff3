"""How the worker is, as figures for Prometheus: what GET /metrics answers. Pure.

The names follow https://prometheus.io/docs/practices/naming/: base units, and the unit in the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.monitoring.health import left_usd, verdict
from bot.monitoring.worker_state import AccountHealth, Snapshot

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of this text: https://prometheus.io/docs/instrumenting/exposition_formats/"""

Figure = float | Decimal | datetime | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of one name, a sample for each set of labels; a figure of None is not known."""

    name: str
    help: str
    samples: Sequence[tuple[Sequence[str], Figure]]
    labels: Sequence[str] = field(default=())
    counts: bool = False


def metrics(snapshot: Snapshot) -> str:
    """Give the answer to GET /metrics. What is not known is left out."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()  # one of our own: the default one tells of the process
    registry.register(_Collected(snapshot))
    return generate_latest(registry).decode()


@dataclass(frozen=True, slots=True)
class _Collected:
    snapshot: Snapshot

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for metric in (*_of_work(self.snapshot), *_of_accounts(self.snapshot.accounts)):
            kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for labels, figure in metric.samples:
                if figure is not None:
                    family.add_metric(labels, _number(figure))
            if family.samples:
                yield family


def _number(figure: float | Decimal | datetime) -> float:
    return figure.timestamp() if isinstance(figure, datetime) else float(figure)


def _one(name: str, text: str, figure: Figure) -> Metric:
    return Metric(f"bot_{name}", text, [((), figure)])


def _of_work(known: Snapshot) -> Iterator[Metric]:
    stuck = verdict(known).stuck
    silent = known.now.since(known.ticked)
    yield _one("stuck", "Whether the worker is stuck, so that only a restart helps.", stuck)
    yield _one("start_timestamp_seconds", "When the worker was started.", known.started.at)
    yield _one("timer_age_seconds", "Time since the timer's last sign of life.", silent)
    yield _one("pass_at_work", "Whether a pass is at work.", known.at_work is not None)
    yield Metric(
        "bot_passes",
        "Passes that are over, by whether all went well in them.",
        [(("good",), known.good), (("bad",), known.bad)],
        ["result"],
        counts=True,
    )
    yield from _of_passes(known)
    yield _one("next_run_timestamp_seconds", "When the next pass is to begin.", known.next_run)
    if source := known.source:
        asked = source.asked.at
        yield _one("source_ok", "Whether the source could be read.", source.ok)
        yield _one("source_asked_timestamp_seconds", "When the source was last asked.", asked)
    yield Metric(
        "bot_events",
        "What happened to posts and threads, by event and account.",
        [((event, account), number) for event, account, number in known.counts],
        ["event", "account"],
        counts=True,
    )


def _of_passes(known: Snapshot) -> Iterator[Metric]:
    if last := known.last:
        at = last.ended.at
        yield _one("last_pass_timestamp_seconds", "When the last pass was over.", at)
        yield _one("last_pass_duration_seconds", "How long the last pass took.", last.seconds)
        yield _one("last_pass_good", "Whether all went well in the last pass.", last.good)
    if good := known.last_good:
        at, age = good.ended.at, known.now.since(good.ended)
        yield _one("last_good_pass_timestamp_seconds", "When the last good pass was over.", at)
        yield _one("last_good_pass_age_seconds", "Time since the last good pass.", age)


def _of_accounts(accounts: Sequence[AccountHealth]) -> Iterator[Metric]:
    for name, text, figure in _FIGURES:
        alone = [((one.name, one.network.value), figure(one)) for one in accounts]
        yield Metric(f"bot_account_{name}", text, alone, _LABELS)
    for name, text, label, figures in _SEVERAL:
        kinds = [
            ((one.name, one.network.value, kind), figure)
            for one in accounts
            for kind, figure in figures(one).items()
        ]
        yield Metric(f"bot_account_{name}", text, kinds, [*_LABELS, label])


def _waiting(one: AccountHealth) -> Mapping[str, Figure]:
    return {"pending": one.pending, "unknown": one.unknown, "held": one.held}


def _limited(one: AccountHealth) -> Mapping[str, Figure]:
    return {limit.kind: limit.until for limit in one.limits}


_FIGURES: Sequence[tuple[str, str, Callable[[AccountHealth], Figure]]] = (
    ("able", "Whether its credentials were taken when last put to use.", lambda one: one.able),
    (
        "tried_timestamp_seconds",
        "When its credentials were last put to use.",
        lambda one: one.tried_at,
    ),
    (
        "last_sent_timestamp_seconds",
        "When the account last published a post.",
        lambda one: one.last_sent_at,
    ),
    ("spent_usd", "US dollars that were spent this month.", lambda one: one.spent_usd),
    ("budget_usd", "US dollars that may be spent in a month.", lambda one: one.budget_usd),
    ("left_usd", "US dollars that may still be spent this month.", left_usd),
)
_SEVERAL: Sequence[tuple[str, str, str, Callable[[AccountHealth], Mapping[str, Figure]]]] = (
    ("posts", "Posts that are not out, by what is known of them.", "state", _waiting),
    (
        "limited_until_timestamp_seconds",
        "Until when the network refuses a kind of request.",
        "kind",
        _limited,
    ),
)
_LABELS = ("account", "network")
