"""The broker is killed and kept away, at 500 events a second."""

import time

import pytest

from deploy.local.stack import BROKER
from tests.faults.conftest import FaultSettings
from tests.faults.load import ACCEPTED, UNAVAILABLE
from tests.faults.shop import Shop
from tests.faults.wholeness import BACK_WITHIN_S, is_whole, say, settles

TOLD_WITHIN_S = 10.0
"""A delivery is given up after 4.5 s: requests that were under way learn of it then."""

RED = (
    "ingest-serve",
    "ledger-consume",
    "alerting-consume",
    "alerting-tick",
    "notifier-consume",
    "ingest-consume",
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(300 + 2 * FaultSettings().fault_seconds),
]


async def test_without_broker_posts_are_refused_and_afterwards_nothing_is_missing(
    shop: Shop, settings: FaultSettings
) -> None:
    restarts = shop.restarts()
    async with shop.load("broker") as load:
        async with shop.away(BROKER) as gone_at:
            await load.sees(lambda: bool(load.since(gone_at, UNAVAILABLE)), seconds=TOLD_WITHIN_S)
            told_s = load.since(gone_at, UNAVAILABLE)[0].at - gone_at
            say(f"posts were refused {told_s:.1f} s after the broker was gone")
            for process in RED:
                await shop.is_red(process, "broker", seconds=TOLD_WITHIN_S)
            say(f"all were red {time.monotonic() - gone_at:.1f} s after the broker was gone")
            await load.goes_on(until_at=gone_at + settings.fault_seconds)
        settled_s = await settles(shop, load, since=time.monotonic())
        refusals = load.since(gone_at, UNAVAILABLE)
        say(f"{len(refusals)} refusals; came back: {dict(shop.restarts() - restarts)}")
        assert {each.status for each in load.answers} == {ACCEPTED, UNAVAILABLE}
        for each in refusals:
            assert each.content_type == "application/problem+json"
            assert each.problem == "urn:lowtide:problem:unavailable"
            assert int(each.retry_after) >= 1
        await is_whole(shop, load)
    assert settled_s <= BACK_WITHIN_S
