"""Keep in memory when channels were last heard of; what was told last is all there is to know."""

from pydantic import ValidationError
from typing_extensions import override

from services.alerting.domain.channels import Channels
from services.alerting.domain.supply import CHANNEL
from services.alerting.inbound.whole_topic import WholeTopic
from shared.events.channel_health import TOPIC, ChannelHealth
from shared.kafka.messages import Record
from shared.observability.logs import get_logger

_log = get_logger("alerting.channels")


def take(channels: Channels, record: Record) -> Channels:
    """Return what is known after a record; one that cannot be read, or is older, says nothing.

    Nothing is put aside: the next record of the channel comes within five minutes. Alerting's own
    channel is none whose silence says anything: it speaks when somebody orders.
    """
    try:
        health = ChannelHealth.model_validate_json(record.value or b"")
    except ValidationError as error:
        _log.warning("unreadable channel", offset=record.offset, reason=str(error)[:300])
        return channels
    if health.channel == CHANNEL:
        return channels
    known = channels.heard_at.get(health.channel)
    if known is not None and known > health.heard_at:
        return channels
    return channels.after(health.channel, health.heard_at, health.warehouses)


class ChannelReader(WholeTopic):
    """Reads the topic into what is known of channels."""

    topic = TOPIC
    what = "channels"

    def __init__(self, bootstrap: str, prefix: str) -> None:
        super().__init__(bootstrap, prefix)
        self.channels = Channels()

    @override
    def take(self, record: Record) -> None:
        self.channels = take(self.channels, record)
