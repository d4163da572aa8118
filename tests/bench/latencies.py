"""From what a run has left behind to seconds since each sale's intended instant."""

import json
import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from shared.events.stock_alerts import AlertEvent, StockAlert
from shared.kafka.messages import Record
from tests.bench.plan import REQUESTS_PER_S, Place, Plan

_APPEND_RESOLUTION_S = 0.001
"""The broker's times are whole milliseconds, rounded down."""

_PROBE = re.compile(r"PROBE\d{5}")


class Missed(RuntimeError):  # noqa: N818 - says what was missed
    """The run does not count."""


@dataclass(frozen=True)
class Run:
    """One rate on a stack of its own."""

    plan: Plan
    warm_up_s: int
    start: float

    def due(self, request: int) -> float:
        """Return a request's intended instant (Unix time)."""
        return self.start + request / REQUESTS_PER_S

    def counts(self, due: float) -> bool:
        """Return whether an intended instant lies after the warm-up."""
        return due >= self.start + self.warm_up_s


def until_taken(run: Run, changes: Sequence[Record]) -> list[float]:
    """Return the seconds from each sale to its change's being with the broker."""
    due = {
        run.plan.event_id(sale): run.due(request)
        for request, sales in enumerate(run.plan.sales())
        for sale in sales
    }
    at = {
        json.loads(record.value or b"")["id"]: record.timestamp / 1000 + _APPEND_RESOLUTION_S
        for record in changes
    }
    if missing := due.keys() - at.keys():
        raise Missed(f"{len(missing)} sales are no change")
    return [at[sale] - when for sale, when in due.items() if run.counts(when)]


def until_committed(run: Run, levels: Sequence[Record]) -> list[float]:
    """Return the seconds from each sale to the first level message that contains it."""
    waiting: defaultdict[Place, deque[tuple[int, float]]] = defaultdict(deque)
    totals: defaultdict[Place, int] = defaultdict(int)
    for request, sales in enumerate(run.plan.sales()):
        for sale in sales:
            totals[sale.place] += sale.quantity
            waiting[sale.place].append((totals[sale.place], run.due(request)))
    latencies = []
    for record in levels:
        level = json.loads(record.value or b"")
        queue = waiting[Place(level["sku"], level["warehouse"])]
        while queue and queue[0][0] <= level["sold_total"]:
            due = queue.popleft()[1]
            if run.counts(due):
                latencies.append(record.timestamp / 1000 + _APPEND_RESOLUTION_S - due)
    missing = sum(map(len, waiting.values()))
    if missing:
        raise Missed(f"{missing} sales are in no level message")
    return latencies


def of_probes(run: Run, at: Mapping[str, float], what: str) -> list[float]:
    """Return the seconds from each probe to an instant, by its SKU."""
    latencies = []
    for request, sales in enumerate(run.plan.sales()):
        due = run.due(request)
        for sale in sales:
            if sale.quantity > 1 and run.counts(due):
                if sale.place.sku not in at:
                    raise Missed(f"{sale.place.sku} has no {what} of its own")
                latencies.append(at[sale.place.sku] - due)
    return latencies


def achieved(run: Run, answers: Sequence[tuple[float, int]]) -> float:
    """Return the share of the intended rate at which events were taken after the warm-up."""
    measured = answers[run.warm_up_s * REQUESTS_PER_S :]
    taken = sum(status == httpx.codes.ACCEPTED for _, status in measured)
    took_s = max(answered_at for answered_at, _ in measured) - run.warm_up_s
    intended_s = len(measured) / REQUESTS_PER_S
    return taken / len(measured) * min(1.0, intended_s / took_s)


def opened(alerts: Sequence[Record]) -> dict[str, float]:
    """Return when each episode's opening was with the broker, by SKU."""
    at = {}
    for record in alerts:
        alert = StockAlert.model_validate_json(record.value or b"")
        if alert.event is AlertEvent.OPENED:
            at[alert.sku] = record.timestamp / 1000 + _APPEND_RESOLUTION_S
    return at


def percentile_ms(seconds: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all do not exceed, in ms."""
    ordered = sorted(seconds)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] * 1000


def single(notices: Sequence[tuple[float, str]]) -> dict[str, float]:
    """Return when each probe's own notice arrived, by SKU, from (when, text).

    One that names several SKUs is a digest and nobody's own.
    """
    named = [(set(_PROBE.findall(text)), at) for at, text in notices]
    return {skus.pop(): at for skus, at in named if len(skus) == 1}
