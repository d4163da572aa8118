"""Create the declared topics, and only those; let them grow."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import (
    InvalidPartitionsError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    for_code,
)

from shared.errors import Stopped, Unavailable
from shared.events.topics import TOPICS, Topic
from shared.kafka.client import start, stop
from shared.kafka.metadata import known_partitions

_TRIES = 50
_PAUSE_SECONDS = 0.2


async def create_topics(bootstrap: str, prefix: str, *, replication: int = 1) -> None:
    """Create every topic of `TOPICS` that is missing, its name with `prefix` in front.

    Returns when the broker that was asked tells of all of them: it does so a moment after they
    were created. Raises Stopped when the broker refuses one, or when an existing topic has another
    number of partitions than declared: keys would move between partitions, which no consumer
    survives. Raises Unavailable when they do not appear.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if missing := await _missing(admin, prefix):
            await _create(admin, prefix, missing, replication)
        for _ in range(_TRIES):
            if not await _missing(admin, prefix):
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise Unavailable("the broker")
    finally:
        await admin.close()


async def _missing(admin: AIOKafkaAdminClient, prefix: str) -> list[Topic]:
    present = {
        entry["topic"]: len(entry["partitions"])
        for entry in await admin.describe_topics([prefix + name for name in TOPICS])
        if entry["error_code"] == NoError.errno
    }
    for name, topic in TOPICS.items():
        found = present.get(prefix + name)
        if found is not None and found != topic.partitions:
            raise Stopped(
                f"topic {prefix + name} has {found} partitions, declared are "
                f"{topic.partitions}; a topic's partitions are for life"
            )
    return [topic for name, topic in TOPICS.items() if prefix + name not in present]


async def _create(
    admin: AIOKafkaAdminClient, prefix: str, topics: Sequence[Topic], replication: int
) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(
                prefix + topic.name,
                topic.partitions,
                replication,
                topic_configs=topic.broker_config(),
            )
            for topic in topics
        ]
    )
    for name, code, *message in answer.topic_errors:
        # Where another process was quicker, what it made is what we wanted.
        if code not in {NoError.errno, TopicAlreadyExistsError.errno}:
            reason = next(filter(None, message), None) or for_code(code).description
            raise Stopped(f"topic {name} was not created: {reason}")


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete the topics of one prefix, for tests and replays that start anew."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        await admin.delete_topics([prefix + name for name in TOPICS if prefix + name in present])
    finally:
        await admin.close()


async def ends(bootstrap: str, prefix: str, topic: str) -> list[int]:
    """Return where each partition of a topic ends, of however many the broker has.

    Raises Unavailable while the broker is away.
    """
    client = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    try:
        await start(client)
        numbers = sorted(await known_partitions(client, prefix + topic))
        found = await client.end_offsets([TopicPartition(prefix + topic, each) for each in numbers])
    except (KafkaError, OSError) as error:
        raise Unavailable("the broker") from error
    finally:
        await stop(client)
    return [found[TopicPartition(prefix + topic, each)] for each in numbers]


async def grow(bootstrap: str, prefix: str, topics: Sequence[str], partitions: int) -> None:
    """Let topics have so many partitions; those that have them already are left alone.

    Whoever writes or reads them must be stopped: keys move between partitions. Raises Unavailable
    when the broker refuses or is away.
    """
    names = [prefix + topic for topic in topics]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        for _ in range(_TRIES):
            small = [
                each["topic"]
                for each in await admin.describe_topics(names)
                if len(each["partitions"]) < partitions
            ]
            if not small:
                return
            # Whom we ask may hear late of what has been done: then it is done already.
            with suppress(InvalidPartitionsError):
                await admin.create_partitions({name: NewPartitions(partitions) for name in small})
            await asyncio.sleep(_PAUSE_SECONDS)
        raise Unavailable("the broker")
    except (KafkaError, OSError) as error:
        raise Unavailable("the broker") from error
    finally:
        await admin.close()
