"""Reads messages of one kind from a batch; what is none of them is put aside with the reason."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import ValidationError

from shared.errors import Stopped
from shared.events.base import Event
from shared.events.dead_letters import DeadReason
from shared.kafka.handler import Batch
from shared.kafka.messages import Record
from shared.observability import tracing

E = TypeVar("E", bound=Event)


def read(
    batch: Batch,
    model: type[E],
    newest: int,
    beyond_bounds: Callable[[E], str | None] = lambda _: None,
) -> Iterator[tuple[E, str | None]]:
    """Yield a batch's messages in order, each with its trace context.

    `beyond_bounds` returns the field that cannot be stored, or None. Raises Stopped at a schema
    version over `newest`: such a record is good, and must wait for a notifier that can read it.
    """
    for record in batch.records:
        if record.value is None:
            batch.dead(record, DeadReason.UNDECODABLE, "a record without a value says nothing")
            continue
        try:
            message = model.model_validate_json(record.value)
        except ValidationError as error:
            _refuse_newer(error, record.topic, newest)
            batch.dead(record, _reason(error), _detail(error))
            continue
        if (beyond := beyond_bounds(message)) is not None:
            batch.dead(record, DeadReason.INVALID, f"{beyond}: larger than can be stored")
        else:
            yield message, _traceparent(record)


def _refuse_newer(error: ValidationError, topic: str, newest: int) -> None:
    for each in error.errors(include_url=False):
        version = each["input"]
        if each["loc"] == ("v",) and isinstance(version, int) and version > newest:
            raise Stopped(
                f"{topic} has records of version {version}, this notifier reads up to {newest}: "
                "start a newer one"
            )


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
