"""Keep in memory when channels were last heard of; what was told last is all there is to know."""

import asyncio

from pydantic import ValidationError

from services.alerting.domain.channels import Channels
from shared.events.channel_health import TOPIC, ChannelHealth
from shared.kafka.messages import Record
from shared.kafka.tail import TailReader
from shared.observability.logs import get_logger

_log = get_logger("alerting.channels")


def take(channels: Channels, record: Record) -> Channels:
    """Return what is known after a record; one that cannot be read, or is older, says nothing.

    Nothing is put aside: the next record of the channel comes within five minutes.
    """
    try:
        health = ChannelHealth.model_validate_json(record.value or b"")
    except ValidationError as error:
        _log.warning("unreadable channel", offset=record.offset, reason=str(error)[:300])
        return channels
    known = channels.heard_at.get(health.channel)
    if known is not None and known > health.heard_at:
        return channels
    return channels.after(health.channel, health.heard_at, health.warehouses)


class ChannelReader:
    """Reads the topic for as long as the process lives."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.channels = Channels()
        self._tail = TailReader(bootstrap, prefix, [TOPIC], start="beginning")

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once everything that was there at the start has been read."""
        return self._tail.caught_up

    async def run(self) -> None:
        """Read on and on."""
        async for records in self._tail.records():
            for record in records:
                self.channels = take(self.channels, record)

    async def check(self) -> str | None:
        """Return why not all channels are known yet, or None; for readiness."""
        return None if self.caught_up.is_set() else "the channels are still being read"
