"""Read the messages of a batch; what is none becomes a dead letter that says why."""

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
    *,
    newest: int | None = None,
    compacted: bool = False,
    fault_of: Callable[[E], str | None] = lambda _: None,
) -> Iterator[tuple[E, str | None]]:
    """Yield a batch's messages in order, each with its trace context, continued.

    `newest` is the schema version that is read. Raises Stopped at a newer one: such a record is
    good, and must wait for a release that can read it; without `newest` it becomes a dead letter.
    A record without value says nothing, and where the topic is `compacted` that is no mistake.
    `fault_of` says why a message cannot be stored, None if it can.
    """
    for record in batch.records:
        if record.value is None:
            if not compacted:
                detail = "a record without a value says nothing"
                batch.dead(record, DeadReason.UNDECODABLE, detail)
            continue
        try:
            message = model.model_validate_json(record.value)
        except ValidationError as error:
            if newest is not None:
                _refuse_newer(record, error, newest)
            batch.dead(record, _reason(error), words(error))
            continue
        if (fault := fault_of(message)) is not None:
            batch.dead(record, DeadReason.INVALID, fault)
        else:
            trace = trace_of(record)
            yield message, None if trace is None else tracing.continued(trace)


def words(error: ValidationError) -> str:
    """Return what is wrong with a record, field by field, without its content."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'record'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )


def trace_of(record: Record) -> str | None:
    """Return the trace context that a record carries, or None."""
    for name, value in record.headers:
        if name == tracing.HEADER:
            return value.decode("latin-1")
    return None


def _refuse_newer(record: Record, error: ValidationError, newest: int) -> None:
    for each in error.errors(include_url=False):
        version = each["input"]
        if each["loc"] == ("v",) and isinstance(version, int) and version > newest:
            raise Stopped(
                f"{record.topic} partition {record.partition} offset {record.offset} has schema "
                f"version {version}, newer than {newest}: upgrade this service"
            )


def _reason(error: ValidationError) -> DeadReason:
    undecodable = any(each["type"] == "json_invalid" for each in error.errors(include_url=False))
    return DeadReason.UNDECODABLE if undecodable else DeadReason.INVALID
