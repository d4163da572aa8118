"""A channel falls silent, and the levels it tells of are in doubt until it speaks."""

from datetime import datetime, timedelta
from http import HTTPStatus

import pytest

from services.alerting.domain import memory
from shared.clock import WallClock
from shared.events.channel_health import TOPIC, ChannelHealth, Told
from shared.kafka.messages import Message
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

EXPLAIN = "/v1/explain?sku=A&warehouse=W"
NOTHING = Told(events=0, quarantined=0, rejected=0)


async def say(alerting: Alerting, heard_at: datetime, version: int) -> None:
    said = ChannelHealth(
        channel="shop",
        version=version,
        heard_at=heard_at,
        warehouses=("W",),
        last_hour=NOTHING,
        last_day=NOTHING,
        told_at=WallClock().now(),
    )
    await alerting.producer.send(TOPIC, [Message(0, b"shop", said.encode())])


async def test_a_silent_channel_puts_its_levels_in_doubt_until_it_speaks(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "HEARING", timedelta(seconds=1))
    doubts = {"flags": [], "channel_silent_minutes": 5}
    await alerting.put_rule("doubt", kind="data_doubt", levels=[], doubts=doubts)
    await alerting.tell(alerting.level(50), alerting.level(50, sku="B", warehouse="X"))
    now = WallClock().now()
    await say(alerting, now - timedelta(minutes=5) + timedelta(seconds=2), 1)

    async def states(*expected: str) -> bool:
        return [each["state"] for each in await alerting.alerts()] == list(expected)

    async with alerting.consuming():
        await until(lambda: states("open"))
        (alert,) = await alerting.alerts()
        assert (alert["sku"], alert["warehouse"]) == ("A", "W")
        reasons = {"flags": [], "count_days": None, "silent": ["shop"]}
        assert alert["facts"]["doubts"] == reasons
        (explained,) = (await alerting.ask("GET", EXPLAIN))["rules"]
        assert explained["doubts"] == reasons
        assert datetime.fromisoformat(alert["opened_at"]) > now + timedelta(seconds=2)
    async with alerting.consuming():
        await alerting.put_rule("probe", levels=[{"level": "out", "enter": 1_000}])
        await until(lambda: states("open", "open", "open"))
        await say(alerting, WallClock().now(), 2)
        await until(lambda: states("resolved", "open", "open"))


async def test_what_no_one_can_tell_of_yet_is_explained_so(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    doubts = {"flags": [], "channel_silent_minutes": 5}
    await alerting.put_rule("doubt", kind="data_doubt", levels=[], doubts=doubts)
    await alerting.tell(alerting.level(50))
    await say(alerting, WallClock().now() - timedelta(hours=1), 1)

    async def reason() -> str:
        (rule,) = (await alerting.ask("GET", f"{EXPLAIN}&rule=doubt"))["rules"]
        assert rule["alert"] is None
        found: str = rule["reason"]
        return found

    async def is_unheard() -> bool:
        return await reason() == "channels_unheard"

    async with alerting.consuming():
        await alerting.caught_up()
        await until(is_unheard)
    deaf = alerting.settings.model_copy(update={"kafka": "127.0.0.1:1"})
    async with alerting.answering(deaf, is_read=False) as client:
        answer = await client.get(f"{EXPLAIN}&rule=doubt")
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        answer = await client.get(f"{EXPLAIN}&rule=low")
        assert answer.status_code == HTTPStatus.OK, "it asks for no channel"
