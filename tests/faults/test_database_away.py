"""The database server is killed with −9 and kept away, at 500 events a second."""

import time

import pytest

from deploy.local.stack import DATABASE
from shared.clock import WallClock
from tests.faults.conftest import FaultSettings
from tests.faults.goods import CHANNEL
from tests.faults.load import ACCEPTED, UNAVAILABLE
from tests.faults.shop import Shop
from tests.faults.wholeness import BACK_WITHIN_S, is_whole, say, settles

TOLD_WITHIN_S = 10.0
RED = (
    "ingest-serve",
    "ingest-consume",
    "ledger-consume",
    "ledger-serve",
    "alerting-consume",
    "alerting-serve",
    "alerting-tick",
    "notifier-consume",
    "notifier-serve",
    "notifier-send",
)
QUESTIONS = (
    ("ledger", "/v1/levels"),
    ("ledger", "/v1/summary"),
    ("alerting", "/v1/alerts"),
    ("notifier", "/v1/deliveries"),
    ("ingest", "/v1/skus"),
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(300 + 2 * FaultSettings().fault_seconds),
]


async def test_without_database_known_codes_go_through_and_the_rest_waits(
    shop: Shop, settings: FaultSettings
) -> None:
    restarts = shop.restarts()
    async with shop.load("database") as load:
        async with shop.away(DATABASE) as gone_at:
            for service, path in QUESTIONS:
                await refused(shop, service, "GET", path)
            await refused(shop, "ingest", "POST", "/v1/events", an_unknown_sku())
            for process in RED:
                await shop.is_red(process, "database", seconds=TOLD_WITHIN_S)
            say(f"all were red {time.monotonic() - gone_at:.1f} s after the database was gone")
            await load.goes_on(until_at=gone_at + settings.fault_seconds)
            accepted = load.since(gone_at, ACCEPTED)
        settled_s = await settles(shop, load, since=time.monotonic())
        say(
            f"{len(accepted)} requests were accepted meanwhile; "
            f"came back: {dict(shop.restarts() - restarts)}"
        )
        assert {each.status for each in load.answers} == {ACCEPTED}
        assert len(accepted) > settings.fault_seconds
        await is_whole(shop, load)
    assert settled_s <= BACK_WITHIN_S


async def refused(shop: Shop, service: str, method: str, path: str, body: object = None) -> None:
    answer = await shop.ask(service, method, path, body)
    assert answer.status_code == UNAVAILABLE, (path, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "database" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) >= 1


def an_unknown_sku() -> dict[str, object]:
    return {
        "id": "nobody-knows",
        "channel": CHANNEL,
        "type": "sale",
        "sku": "UNKNOWN",
        "warehouse": "database",
        "quantity": 1,
        "occurred_at": WallClock().now().isoformat(),
    }
