"""Set a shop up for the latency benchmark, as a person would: over public HTTP."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from deploy.local.replays.lowtide import Json, Lowtide
from shared.clock import WallClock
from shared.testing.waiting import until
from tests.bench.plan import CHANNEL, GROUPS, LIMIT, SHELF, STOCK, Place, Plan, group_key, warehouse

_BULK = 1_000
_LAG_LIMIT_S = 120.0


async def open_shop(lowtide: Lowtide, plan: Plan) -> None:
    """Make channel, warehouses and SKUs, and fill all shelves."""
    await lowtide.put("ingest", f"/v1/channels/{CHANNEL}", {"name": "Bench", "kind": "api"})
    for code in map(warehouse, range(GROUPS)):
        body = {"name": code, "zone": "Asia/Shanghai"}
        await lowtide.put("ingest", f"/v1/warehouses/{code}", body)
    skus = dict.fromkeys(place.sku for place in [*plan.shelves, *plan.probes])
    for some in _bulks([{"sku": sku} for sku in skus]):
        await lowtide.post("ingest", "/v1/skus", {"items": some})
    opened_at = WallClock().now() - timedelta(hours=1)
    receipts = [
        *_receipts(plan.shelves, STOCK, opened_at),
        *_receipts(plan.probes, SHELF, opened_at),
    ]
    for some in _bulks(receipts):
        await lowtide.post("ingest", "/v1/events", list(some))


async def warn(lowtide: Lowtide, wecom_url: str) -> None:
    """Make a rule, a group and a route to it for each warehouse."""
    for number in range(GROUPS):
        await _set_up_group(lowtide, number, wecom_url)


async def _set_up_group(lowtide: Lowtide, number: int, wecom_url: str) -> None:
    code = warehouse(number)
    rule: Json = {
        "name": {"zh-CN": "库存不足", "en": "Running low"},
        "kind": "below",
        "scope": {"warehouses": [code]},
        # The level that is told at once, whoever's attention it costs.
        "levels": [{"level": "out", "enter": LIMIT, "exit": 2 * LIMIT}],
        "pending_seconds": 0,
        "recovery_seconds": 0,
        "enabled": True,
        "labels": {"group": code},
    }
    await lowtide.put("alerting", f"/v1/rules/low-{code}", rule)
    destination = {
        "kind": "wecom_bot",
        "name": code,
        "language": "zh-CN",
        "wecom_bot": {"key": group_key(number), "url": wecom_url},
    }
    await lowtide.put("notifier", f"/v1/destinations/{code}", destination)
    route = {"destination": code, "match": {"labels": {"group": code}}, "enabled": True}
    await lowtide.put("notifier", f"/v1/routes/{code}", route)


_SUMMARIES = {"ledger": "/v1/summary", "alerting": "/v1/alerts/summary"}


async def settled(lowtide: Lowtide, *services: str, limit_s: float = _LAG_LIMIT_S) -> None:
    """Wait until services, ledger and alerting unless others are named, have worked off all."""
    for service in services or _SUMMARIES:
        path = _SUMMARIES[service]

        async def drained(service: str = service, path: str = path) -> bool:
            return bool((await lowtide.get(service, path))["lag_records"] == 0)

        await until(drained, seconds=limit_s)


def _receipts(places: Iterable[Place], quantity: int, occurred_at: datetime) -> list[Json]:
    return [
        {
            "id": f"opening-{place.sku}-{place.warehouse}",
            "channel": CHANNEL,
            "type": "receipt",
            "sku": place.sku,
            "warehouse": place.warehouse,
            "quantity": quantity,
            "occurred_at": occurred_at.astimezone(UTC).isoformat(),
        }
        for place in places
    ]


def _bulks(items: Sequence[Json]) -> Iterable[Sequence[Json]]:
    return [items[start : start + _BULK] for start in range(0, len(items), _BULK)]
