"""Topics are created as declared, or it is said why not."""

import pytest

from shared.errors import Stopped
from shared.kafka.admin import create_topics
from shared.testing.stack import Stack

BROKERS = 1


async def test_a_topic_that_the_broker_refuses_is_said_to_be(stack: Stack, topics: str) -> None:
    with pytest.raises(Stopped, match=f"topic {topics}more.* was not created: .*replication"):
        await create_topics(stack.bootstrap, f"{topics}more.", replication=BROKERS + 1)


async def test_topics_that_exist_are_left_alone(stack: Stack, topics: str) -> None:
    await create_topics(stack.bootstrap, topics, replication=BROKERS + 1)
