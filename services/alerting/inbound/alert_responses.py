"""Read `alert.responses`."""

from typing import NamedTuple

from shared.events.alert_responses import AlertResponse
from shared.kafka import reading
from shared.kafka.handler import Batch


class Incoming(NamedTuple):
    """A response with its trace."""

    response: AlertResponse
    traceparent: str | None


def read(batch: Batch) -> list[Incoming]:
    """Return a batch's responses in order; those that are none become dead letters.

    So does one of a newer schema version: it can be replayed once a release reads it (ADR 86).
    """
    return [Incoming(*each) for each in reading.read(batch, AlertResponse, fault_of=_fault_of)]


def _fault_of(response: AlertResponse) -> str | None:
    return "who: contains a NUL character" if "\x00" in response.who else None
