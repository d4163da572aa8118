"""What ingest tells of its channels on `channel.health`."""

from datetime import timedelta
from itertools import pairwise

import pytest

from services.ingest.settings import IngestSettings
from shared.clock import WallClock
from shared.events.channel_health import ChannelHealth
from shared.http.auth import Scope
from shared.testing.waiting import until
from tests.integration.ingest.service import Ingest, event, running

pytestmark = pytest.mark.stack


async def health(ingest: Ingest) -> list[ChannelHealth]:
    return [
        ChannelHealth.model_validate_json(each.value or b"")
        for each in await ingest.records("channel.health")
    ]


async def test_what_two_processes_hear_of_a_channel_is_told_together_and_not_too_often(
    ingest: Ingest, settings: IngestSettings
) -> None:
    begun = WallClock().now()
    await ingest.set_up()
    async with running(settings, ingest.database, ingest.key) as other:
        await ingest.post([event(id="1"), event(id="2", sku="nobody knows")])
        await other.post([event(id="3"), event(id="4")])

        async def told() -> bool:
            return any(each.last_hour.events == 4 for each in await health(ingest))

        await until(told)
    *_, last = said = await health(ingest)
    assert (last.channel, last.warehouses) == ("shop", ("main",))
    assert last.last_hour == last.last_day
    assert (last.last_day.events, last.last_day.quarantined, last.last_day.rejected) == (4, 1, 0)
    assert begun <= last.heard_at <= last.told_at
    times = [each.told_at for each in said]
    assert all(b - a >= timedelta(seconds=10) for a, b in pairwise(times))


async def test_a_silent_channel_is_told_of_every_five_minutes_with_what_it_used_to_tell_of(
    ingest: Ingest,
) -> None:
    await ingest.set_up()
    await ingest.post(event(id="1"))

    async def times(count: int) -> bool:
        return len(await health(ingest)) == count

    await until(lambda: times(1))

    async def noted() -> bool:
        # The table learns of a message after the broker has it.
        return bool(
            await ingest.rows("SELECT 1 FROM channel_health WHERE published_at IS NOT NULL")
        )

    await until(noted)
    month = timedelta(days=30)
    await ingest.rows("UPDATE channel_warehouse SET heard_at = heard_at - $1::interval", month)
    await ingest.rows(
        "UPDATE channel_health SET heard_at = heard_at - $1::interval,"
        " published_at = published_at - interval '5 min'",
        month,
    )
    await until(lambda: times(2))
    first, second = await health(ingest)
    assert (second.heard_at, second.version) == (first.heard_at - month, first.version)
    assert second.warehouses == first.warehouses == ("main",)
    assert second.told_at > first.told_at


async def test_channels_are_heard_by_what_was_dropped_or_refused_as_well(ingest: Ingest) -> None:
    await ingest.set_up()
    for channel in ("wrong", "early", "own"):
        await ingest.ask("PUT", f"/v1/channels/{channel}", {"name": channel})
    items = [{"kind": "sku", "external": "POSTAGE", "action": "ignore"}]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": items})
    await ingest.post(
        [
            event(sku="POSTAGE"),
            event(channel="wrong", quantity="1"),
            event(channel="early", occurred_at="1066-10-14T09:00:00Z"),
            event(channel="nobody"),
            event(channel=["wrong"]),
            "nothing",
        ]
    )
    mine = ingest.token(Scope.EVENTS_WRITE, channel="own")
    await ingest.post([event(channel="wrong", quantity="1")], status=422, headers=mine)
    expected = {"shop": (1, 0), "wrong": (1, 1), "early": (1, 1), "own": (1, 1)}

    async def noted() -> bool:
        heard = await ingest.rows(
            "SELECT channel, sum(events) AS events, sum(rejected) AS rejected FROM channel_events"
            " JOIN channel_health USING (channel) GROUP BY channel"
        )
        return {row["channel"]: (row["events"], row["rejected"]) for row in heard} == expected

    await until(noted)
