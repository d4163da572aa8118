"""What must be true after any fault: nothing lost, nothing counted twice, nobody left untold."""

import asyncio
import sys
import time
from collections import Counter

from deploy.local.instance import REPOSITORY, home
from deploy.local.replays import settling
from deploy.local.replays.lowtide import Json
from tests.faults.load import Load
from tests.faults.shop import RULE, Shop

BACK_WITHIN_S = 30.0
"""From the return of what was away until nothing waits anywhere."""

GREEN_WITHIN_S = 90.0
"""A process whose client stays silent ends after half a minute and is started anew."""


def say(text: str) -> None:
    """Tell whoever watches (`--capture=no`)."""
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()


async def settles(shop: Shop, load: Load, *, since: float) -> float:
    """End a load; return how long after an instant all was posted and every consumer at lag 0."""
    await load.finish()
    posted_s = time.monotonic() - since
    settled_s = await settling.caught_up(shop.lowtide, say) - since
    await shop.all_green(seconds=GREEN_WITHIN_S)
    say(f"all posted after {posted_s:.1f} s, lag 0 in every consumer after {settled_s:.1f} s")
    return settled_s


async def is_whole(shop: Shop, load: Load) -> None:
    """Compare everything with what was accepted. Fails with examples of what differs."""
    expected = load.recount()
    warehouse = load.goods.warehouse
    levels = {
        item["sku"]: item
        async for item in shop.lowtide.items("ledger", "/v1/levels", warehouse=warehouse)
    }
    counted = {sku: level["on_hand"] for sku, level in levels.items()}
    differing = {
        sku: (counted.get(sku), expected.on_hand.get(sku))
        for sku in counted.keys() | expected.on_hand.keys()
        if counted.get(sku) != expected.on_hand.get(sku)
    }
    say(
        f"{expected.told:,} events accepted, {expected.changes:,} of them different; "
        f"{len(counted)} levels, {len(differing)} mismatched"
    )
    assert differing == {}, "counted, expected"
    await _counted_once(shop, load.movements_before + expected.changes)
    await _the_ledger_agrees_with_itself(shop)
    await _nothing_is_set_aside(shop)
    await _last_messages_are_the_levels(shop, warehouse, levels)
    await _every_episode_is_there(shop, warehouse, expected.reached_zero)


async def _counted_once(shop: Shop, movements: int) -> None:
    summary = await shop.lowtide.get("ledger", "/v1/summary")
    assert (summary["movements"], summary["rejected"]) == (movements, {})


async def _the_ledger_agrees_with_itself(shop: Shop) -> None:
    verifying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ledger", "verify"),
        cwd=REPOSITORY,
        env={
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "LOWTIDE_DATABASE_URL": shop.stack.servers.service_url(
                "ledger", shop.stack.surroundings.database
            ),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    report, differences = await verifying.communicate()
    say(f"verify: {report.decode().strip()}")
    assert verifying.returncode == 0, differences.decode()


async def _nothing_is_set_aside(shop: Shop) -> None:
    quarantine = [item async for item in shop.lowtide.items("ingest", "/v1/quarantine")]
    assert quarantine == []


async def _last_messages_are_the_levels(
    shop: Shop, warehouse: str, levels: dict[str, Json]
) -> None:
    published = await shop.published()
    assert published.dead_letters == []
    names = ("version", "on_hand", "available", "sold_total", "returned_total", "received_total")
    last = {
        message["sku"]: {name: message[name] for name in names}
        for message in published.levels.values()
        if message["warehouse"] == warehouse
    }
    stored = {sku: {name: level[name] for name in names} for sku, level in levels.items()}
    assert last == stored


async def _every_episode_is_there(shop: Shop, warehouse: str, reached_zero: frozenset[str]) -> None:
    episodes = [
        item
        async for item in shop.lowtide.items(
            "alerting", "/v1/alerts", state="all", rule=RULE, warehouse=warehouse
        )
    ]
    say(f"{len(episodes)} episodes, {len(reached_zero)} SKUs have reached zero")
    times = Counter(episode["sku"] for episode in episodes)
    assert times == Counter(reached_zero), "one episode for each SKU that reached zero, no other"
    told = Counter(
        [
            item["alert_id"]
            async for item in shop.lowtide.items("notifier", "/v1/deliveries", kind="first")
        ]
    )
    untold = [episode["sku"] for episode in episodes if told[episode["id"]] != 1]
    assert untold == [], "each episode has one first notice"
