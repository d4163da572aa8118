"""`channel.health`: when a channel was last heard of and what came from it (compacted).

Key: the channel. Told at most every ten seconds when something came, and every five minutes when
nothing did.
"""

from typing import Annotated, Literal

from pydantic import Field

from shared.events.base import Code, Event, Instant

TOPIC = "channel.health"
VERSION = 1

_Count = Annotated[int, Field(ge=0)]


class Told(Event):
    """Events of a stretch of time: all that came, and those of them that were put aside."""

    events: _Count
    quarantined: _Count
    rejected: _Count


class ChannelHealth(Event):
    """A channel as ingest hears it; wall clock.

    `warehouses` are those that it told of in the seven days before it was last heard. `version`
    grows with what came.
    """

    v: Literal[1] = 1
    channel: Code
    version: Annotated[int, Field(ge=1)]
    heard_at: Instant
    warehouses: tuple[Code, ...] = ()
    last_hour: Told
    last_day: Told
    told_at: Instant
