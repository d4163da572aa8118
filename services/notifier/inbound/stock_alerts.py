"""Reads `stock.alerts`."""

from math import isfinite
from typing import NamedTuple

from shared.events.stock_alerts import VERSION, AtRisk, StockAlert
from shared.kafka import reading
from shared.kafka.handler import Batch

_BIGINT, _INTEGER = 2**63 - 1, 2**31 - 1
_BEFORE_POINT, _AFTER_POINT = 131_072, 16_383
"""Digits of a numeric."""


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
    """Return which field PostgreSQL cannot hold, in words, or None."""
    bounded = {
        "number": (alert.number, _BIGINT),
        "revision": (alert.revision, _INTEGER),
        "facts.available": (alert.facts.available, _BIGINT),
    }
    for name, (value, most) in bounded.items():
        if abs(value) > most:
            return f"{name}: larger than can be stored"
    if alert.gather is not None and "\x00" in alert.gather.key:
        return "gather.key: contains a NUL character"
    return None if alert.at_risk is None else _fault_of_risk(alert.at_risk)


def _fault_of_risk(risk: AtRisk) -> str | None:
    if not isfinite(risk.units):  # JSON has no such number: it could not be read back
        return "at_risk.units: not a number"
    if risk.money is not None:
        last = risk.money.as_tuple().exponent
        if (
            not isinstance(last, int)
            or last < -_AFTER_POINT
            or risk.money.adjusted() >= _BEFORE_POINT
        ):
            return "at_risk.money: more digits than can be stored"
    return None
