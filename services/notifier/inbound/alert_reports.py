"""Reads `alert.reports`."""

from typing import NamedTuple

from shared.events.alert_reports import VERSION, AlertReport
from shared.kafka import reading
from shared.kafka.handler import Batch


class Incoming(NamedTuple):
    """A report with its trace."""

    report: AlertReport
    traceparent: str | None


def read(batch: Batch) -> list[Incoming]:
    """Return a batch's reports in order; those that are none are put aside with the reason.

    Raises Stopped at a schema version newer than this one.
    """
    messages = reading.read(batch, AlertReport, newest=VERSION, fault_of=_fault_of)
    return [Incoming(*each) for each in messages]


def _fault_of(report: AlertReport) -> str | None:
    """Return which field PostgreSQL cannot hold, in words, or None."""
    if report.order is not None and "\x00" in report.order.to:
        return "order.to: contains a NUL character"
    return None
