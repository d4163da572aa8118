"""Create the declared topics, and only those."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from shared.errors import Stopped
from shared.events.topics import TOPICS


async def create_topics(bootstrap: str, prefix: str, *, replication: int = 1) -> None:
    """Create every topic of `TOPICS` that is missing, its name with `prefix` in front.

    Raises Stopped when an existing topic has another number of partitions than declared: keys
    would move between partitions, which no consumer survives.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = {
            entry["topic"]: len(entry["partitions"])
            for entry in await admin.describe_topics([prefix + name for name in TOPICS])
            if entry["error_code"] == 0
        }
        for name, topic in TOPICS.items():
            found = present.get(prefix + name)
            if found is not None and found != topic.partitions:
                raise Stopped(
                    f"topic {prefix + name} has {found} partitions, declared are "
                    f"{topic.partitions}; a topic's partitions are for life"
                )
        await admin.create_topics(
            [
                NewTopic(
                    prefix + topic.name,
                    topic.partitions,
                    replication,
                    topic_configs=topic.broker_config(),
                )
                for topic in TOPICS.values()
                if prefix + topic.name not in present
            ]
        )
    except TopicAlreadyExistsError:
        pass  # another process was quicker; what it made is what we wanted
    finally:
        await admin.close()


async def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete the topics of one prefix, for tests and replays that start anew."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        await admin.delete_topics([prefix + name for name in TOPICS if prefix + name in present])
    finally:
        await admin.close()
