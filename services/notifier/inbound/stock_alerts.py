"""Reads `stock.alerts`."""

from typing import NamedTuple

from pydantic import ValidationError

from shared.events.dead_letters import DeadReason
from shared.events.stock_alerts import StockAlert
from shared.kafka.handler import Batch
from shared.kafka.messages import Record
from shared.observability import tracing


class Incoming(NamedTuple):
    """An alert message with its trace."""

    alert: StockAlert
    traceparent: str | None


def read(batch: Batch) -> list[Incoming]:
    """Return a batch's messages in order; those that are none are put aside with the reason."""
    found: list[Incoming] = []
    for record in batch.records:
        if record.value is None:
            batch.dead(record, DeadReason.UNDECODABLE, "a record without a value says nothing")
            continue
        try:
            alert = StockAlert.model_validate_json(record.value)
        except ValidationError as error:
            batch.dead(record, _reason(error), _detail(error))
        else:
            found.append(Incoming(alert, _traceparent(record)))
    return found


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
