"""Reads `stock.alerts`."""

from typing import NamedTuple

from pydantic import ValidationError

from shared.errors import Stopped
from shared.events.dead_letters import DeadReason
from shared.events.stock_alerts import TOPIC, VERSION, StockAlert
from shared.kafka.handler import Batch
from shared.kafka.messages import Record
from shared.observability import tracing

_BIGINT, _INTEGER = 2**63 - 1, 2**31 - 1


class Incoming(NamedTuple):
    """An alert message with its trace."""

    alert: StockAlert
    traceparent: str | None


def read(batch: Batch) -> list[Incoming]:
    """Return a batch's messages in order; those that are none are put aside with the reason.

    Raises Stopped at a schema version newer than this one: such a record is good, and must wait
    for a notifier that can read it.
    """
    found: list[Incoming] = []
    for record in batch.records:
        if record.value is None:
            batch.dead(record, DeadReason.UNDECODABLE, "a record without a value says nothing")
            continue
        try:
            alert = StockAlert.model_validate_json(record.value)
        except ValidationError as error:
            _refuse_newer(error)
            batch.dead(record, _reason(error), _detail(error))
            continue
        if (beyond := _beyond_bounds(alert)) is not None:
            batch.dead(record, DeadReason.INVALID, f"{beyond}: larger than can be stored")
        else:
            found.append(Incoming(alert, _traceparent(record)))
    return found


def _refuse_newer(error: ValidationError) -> None:
    for each in error.errors(include_url=False):
        version = each["input"]
        if each["loc"] == ("v",) and isinstance(version, int) and version > VERSION:
            raise Stopped(
                f"{TOPIC} has records of version {version}, this notifier reads up to {VERSION}: "
                "start a newer one"
            )


def _beyond_bounds(alert: StockAlert) -> str | None:
    """Return the field that PostgreSQL's integers cannot hold, or None."""
    bounded = {
        "number": (alert.number, _BIGINT),
        "revision": (alert.revision, _INTEGER),
        "facts.available": (alert.facts.available, _BIGINT),
    }
    return next((name for name, (value, most) in bounded.items() if abs(value) > most), None)


def _reason(error: ValidationError) -> DeadReason:
    undecodable = any(each["type"] == "json_invalid" for each in error.errors(include_url=False))
    return DeadReason.UNDECODABLE if undecodable else DeadReason.INVALID


def _detail(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'record'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )


def _traceparent(record: Record) -> str | None:
    for name, value in record.headers:
        if name == tracing.HEADER:
            return tracing.continued(value.decode("latin-1"))
    return None
