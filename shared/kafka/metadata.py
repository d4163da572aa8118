"""What the client knows of topics before it subscribes or assigns."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

_TRIES = 50
_PAUSE_SECONDS = 0.1


async def known_partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """Return a topic's partitions, asking the broker until it knows them.

    A member that joins its group before it has them is assigned nothing, and would notice only at
    its next refresh half a minute later. Raises KafkaError when the topic does not appear.
    """
    client = consumer._client  # noqa: SLF001 - the library offers no other way to ask
    client.add_topic(topic)
    for _ in range(_TRIES):
        await client.force_metadata_update()
        found: set[int] | None = consumer.partitions_for_topic(topic)
        if found:
            return found
        await asyncio.sleep(_PAUSE_SECONDS)
    raise KafkaError(f"topic {topic} does not exist")
