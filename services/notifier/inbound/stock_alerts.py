"""Reads `stock.alerts`."""

from typing import NamedTuple

from services.notifier.inbound import messages
from shared.events.stock_alerts import VERSION, StockAlert
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
    return [Incoming(*each) for each in messages.read(batch, StockAlert, VERSION, _beyond_bounds)]


def _beyond_bounds(alert: StockAlert) -> str | None:
    """Return the field that PostgreSQL's integers cannot hold, or None."""
    bounded = {
        "number": (alert.number, _BIGINT),
        "revision": (alert.revision, _INTEGER),
        "facts.available": (alert.facts.available, _BIGINT),
    }
    return next((name for name, (value, most) in bounded.items() if abs(value) > most), None)
