"""Read `alert.responses`."""

from typing import NamedTuple

from pydantic import ValidationError

from shared.events.alert_responses import AlertResponse
from shared.events.dead_letters import DeadReason
from shared.kafka.handler import Batch
from shared.kafka.messages import Record
from shared.observability import tracing


class Incoming(NamedTuple):
    """A response with its trace."""

    response: AlertResponse
    traceparent: str | None


def read(batch: Batch) -> list[Incoming]:
    """Return a batch's responses in order; those that are none become dead letters.

    So does one of a newer schema version: it can be replayed once a release reads it, while
    waiting for that would keep alerts themselves from being evaluated (ADR 86).
    """
    found = []
    for record in batch.records:
        if record.value is None:
            batch.dead(record, DeadReason.UNDECODABLE, "a record without a value says nothing")
            continue
        try:
            response = AlertResponse.model_validate_json(record.value)
        except ValidationError as error:
            batch.dead(record, _reason(error), _words(error))
        else:
            found.append(Incoming(response, _trace(record)))
    return found


def _reason(error: ValidationError) -> DeadReason:
    undecodable = any(each["type"] == "json_invalid" for each in error.errors(include_url=False))
    return DeadReason.UNDECODABLE if undecodable else DeadReason.INVALID


def _words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'record'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )


def _trace(record: Record) -> str | None:
    for name, value in record.headers:
        if name == tracing.HEADER:
            return value.decode("latin-1")
    return None
