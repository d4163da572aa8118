"""What the client knows of topics before it subscribes or assigns."""

import asyncio
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError

_TRIES = 50
_PAUSE_SECONDS = 0.1


def patient(consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """Return a consumer that rests after each attempt to reach a broker that is away.

    The library's fetcher asks again as soon as it was refused, hundreds of times a second: most of
    a core for each consumer, just when the broker needs it for its start.
    """
    client = consumer._client  # noqa: SLF001 - the library has no setting for this
    update = client._metadata_update  # noqa: SLF001

    async def rested(cluster: ClusterMetadata, topics: Collection[str]) -> bool:
        done: bool = await update(cluster, topics)
        if not done:
            await asyncio.sleep(_PAUSE_SECONDS)
        return done

    client._metadata_update = rested  # noqa: SLF001
    return consumer


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
