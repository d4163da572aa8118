"""Publish `channel.health`: when each channel was last heard of, and what came from it."""

from collections.abc import Sequence

from shared.events.channel_health import TOPIC, ChannelHealth
from shared.events.topics import CHANNEL_HEALTH
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer


async def publish(producer: Producer, channels: Sequence[ChannelHealth]) -> None:
    """Publish channels; returns when the broker has them all, else raises Unavailable."""
    await producer.send(
        TOPIC,
        [
            Message(
                partition_of(each.channel, CHANNEL_HEALTH.partitions),
                each.channel.encode(),
                each.encode(),
            )
            for each in channels
        ],
    )
