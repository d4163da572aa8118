"""Reads `stock.alerts`."""

from typing import NamedTuple

from shared.events.stock_alerts import VERSION, StockAlert
from shared.kafka import reading
from shared.kafka.handler import Batch

_BIGINT, _INTEGER = 2**63 - 1, 2**31 - 1


class Incoming(NamedTuple):
    """An alert message with its trace."""

    alert: StockAlert
    traceparent: str | None


def read(batch: Batch) -> list[Incoming]:
    """Return a batch's messages in order; those that are none are put aside with the reason.

    Raises Stopped at a schema version newer than this one.
    """
    messages = reading.read(batch, StockAlert, newest=VERSION, fault_of=_fault_of)
    return [Incoming(*each) for each in messages]


def _fault_of(alert: StockAlert) -> str | None:
    """Return which field PostgreSQL's integers cannot hold, in words, or None."""
    bounded = {
        "number": (alert.number, _BIGINT),
        "revision": (alert.revision, _INTEGER),
        "facts.available": (alert.facts.available, _BIGINT),
    }
    for name, (value, most) in bounded.items():
        if abs(value) > most:
            return f"{name}: larger than can be stored"
    return None
