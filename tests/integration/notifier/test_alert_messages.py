"""From the topic to the group, with the real broker and every part as it is wired."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from services.notifier.wiring import send as notifier_send
from shared.errors import Stopped
from shared.events.alert_reports import TOPIC as REPORTS
from shared.events.dead_letters import DeadLetter, DeadReason
from shared.events.stock_alerts import TOPIC, StockAlert
from shared.events.topics import TOPICS
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.testing.reading import records_until
from shared.testing.waiting import until
from tests.factories.alert_reports import brief
from tests.factories.stock_alerts import START, stock_alert
from tests.integration.notifier.service import KEY, Notifier

pytestmark = pytest.mark.stack

ORDER = Path("tests/contract/samples/alert.reports/v1/purchase_order.json").read_text("utf-8")
GATHER = {"key": "", "by": START, "why": "same_owner"}
ENDLESS = stock_alert(6, at_risk={"units": 1}).encode().replace(b'"units":1.0', b'"units":1e400')
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def message(alert: StockAlert) -> Message:
    key = str(alert.alert_id)
    partition = partition_of(key, TOPICS[TOPIC].partitions)
    return Message(partition, key.encode(), alert.encode(), [("traceparent", TRACE.encode())])


@pytest.fixture
def settings(settings: SecretSettings, topics: str) -> SecretSettings:
    return settings.model_copy(update={"topic_prefix": topics})


@asynccontextmanager
async def roles(settings: SecretSettings) -> AsyncIterator[None]:
    """Run `consume` and `send` as their processes do, on ports that the system picks."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(notifier_consume.run(settings, stop)),
            group.create_task(notifier_send.run(settings, stop)),
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*running)


async def caught_up(notifier: Notifier) -> bool:
    summary = await notifier.ask("GET", "/v1/deliveries/summary")
    return summary["lag_records"] == 0


async def test_every_alert_message_becomes_its_deliveries_once_across_restarts(
    notifier: Notifier, settings: SecretSettings
) -> None:
    await notifier.bot()
    alerts = [stock_alert(number) for number in range(1, 6)]
    async with Producer(settings.kafka, settings.topic_prefix, name="test") as producer:
        await producer.send(TOPIC, [message(alert) for alert in alerts])
        async with roles(settings):
            await notifier.until_states(*["sent"] * 5)
        await producer.send(TOPIC, [message(alert) for alert in [*alerts, stock_alert(6)]])
        async with roles(settings):
            await notifier.until_states(*["sent"] * 6)
            await until(lambda: caught_up(notifier))
    assert len(notifier.wecom.of(KEY)) == 6
    (row,) = await notifier.rows("SELECT traceparent FROM delivery WHERE alert_number = 6")
    assert row["traceparent"].split("-")[1] == TRACE.split("-")[1]


async def test_a_record_that_is_no_alert_goes_to_the_dead_topic_and_the_rest_flows(
    notifier: Notifier, settings: SecretSettings
) -> None:
    await notifier.bot()
    good = message(stock_alert(1))
    bad = [
        good._replace(value=b"not json"),
        good._replace(value=None),
        good._replace(value=b'{"v": 1, "number": "x"}'),
        good._replace(value=b"\xff\xfe"),
        good._replace(value=stock_alert(2**63).encode()),
        good._replace(value=stock_alert(2, revision=2**31).encode()),
        good._replace(value=stock_alert(3, gather=GATHER | {"key": "same_owner|\x00"}).encode()),
        good._replace(value=stock_alert(4, at_risk={"units": 1, "money": "1e200000"}).encode()),
        good._replace(value=stock_alert(5, at_risk={"units": 1, "money": "1e-16384"}).encode()),
        good._replace(value=ENDLESS),
    ]
    async with Producer(settings.kafka, settings.topic_prefix, name="test") as producer:
        await producer.send(TOPIC, [*bad, good])
        async with roles(settings):
            await notifier.until_states("sent")
    letters = await dead_letters(settings, len(bad))
    assert [letter.reason for letter in letters] == [
        DeadReason.UNDECODABLE,
        DeadReason.UNDECODABLE,
        DeadReason.INVALID,
        DeadReason.UNDECODABLE,
        *[DeadReason.INVALID] * 6,
    ]
    assert "number" in letters[2].detail
    assert "gather.key" in letters[6].detail


async def test_the_longest_sums_of_money_are_stored(
    notifier: Notifier, settings: SecretSettings
) -> None:
    await notifier.bot()
    sums = ("1e131071", "-1e131071", "1e-16383", "0e-16383", "0")
    risks = [{"units": 1, "money": money} for money in sums]
    await notifier.tell(*(stock_alert(n, at_risk=risk) for n, risk in enumerate(risks, start=1)))
    rows = await notifier.rows("SELECT at_risk_money FROM delivery ORDER BY alert_number")
    assert [row["at_risk_money"] for row in rows] == [Decimal(money) for money in sums]


async def test_a_record_that_is_no_report_goes_to_the_dead_topic_and_the_rest_flows(
    notifier: Notifier, settings: SecretSettings
) -> None:
    await notifier.bot("boss")
    order = json.loads(ORDER)
    order["order"]["to"] = "orders\x00@acme.example"
    values = [b"not json", json.dumps(order).encode(), brief().encode()]
    async with Producer(settings.kafka, settings.topic_prefix, name="test") as producer:
        await producer.send(REPORTS, [Message(0, b"boss", value, []) for value in values])
        async with roles(settings):
            await notifier.until_states("sent")
    letters = await dead_letters(settings, 2, REPORTS)
    assert [letter.reason for letter in letters] == [DeadReason.UNDECODABLE, DeadReason.INVALID]
    assert "order.to" in letters[1].detail


async def test_a_record_of_a_newer_version_waits_for_a_newer_notifier(
    notifier: Notifier, settings: SecretSettings
) -> None:
    await notifier.bot()
    newer = stock_alert(1).encode().replace(b'"v":1', b'"v":2', 1)
    with pytest.raises(Stopped, match="version 2"):
        await notifier.tell(newer)


async def dead_letters(
    settings: SecretSettings, number: int, topic: str = TOPIC
) -> list[DeadLetter]:
    records = await records_until(settings, f"{topic}.dead", lambda found: len(found) >= number)
    letters = [DeadLetter.model_validate_json(each.value or b"") for each in records]
    return sorted(letters, key=lambda letter: letter.offset)
