"""Set the shop up as a person would: channels, catalogue, rules, and where alerts go."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.local.replays.catalogue import Catalogue
from deploy.local.replays.declaration import Declaration
from deploy.local.replays.lowtide import Json, Lowtide

BULK_ITEMS = 1_000
DESTINATION = "replay-group"


@dataclass(frozen=True)
class Bot:
    """A WeCom group bot: its key, and where it listens."""

    key: str
    url: str


async def set_up(
    lowtide: Lowtide, declaration: Declaration, catalogue: Catalogue, bot: Bot
) -> None:
    """Create everything that the events need; a second time it changes nothing."""
    shop = declaration.shop
    await lowtide.put(
        "ingest",
        f"/v1/warehouses/{shop.warehouse}",
        {"name": shop.warehouse_name, "zone": shop.zone},
    )
    for channel, name in (
        (shop.sales_channel, shop.sales_channel_name),
        (shop.supply_channel, shop.supply_channel_name),
    ):
        await lowtide.put("ingest", f"/v1/channels/{channel}", {"name": name, "kind": "api"})
    for skus in _bulks(catalogue.skus()):
        await lowtide.post("ingest", "/v1/skus", {"items": skus})
    mappings = f"/v1/channels/{shop.sales_channel}/mappings"
    for ignored in _bulks(catalogue.ignored()):
        await lowtide.put("ingest", mappings, {"items": ignored})
    await _send_alerts_to(lowtide, bot)
    await _declare_rules(lowtide, declaration)


async def _send_alerts_to(lowtide: Lowtide, bot: Bot) -> None:
    await lowtide.put(
        "notifier",
        f"/v1/destinations/{DESTINATION}",
        {
            "kind": "wecom_bot",
            "name": "Replay",
            "language": "zh-CN",
            "wecom_bot": {"key": bot.key, "url": bot.url},
        },
    )
    await lowtide.put(
        "notifier",
        f"/v1/routes/{DESTINATION}",
        {"destination": DESTINATION, "match": {}, "enabled": True},
    )


async def _declare_rules(lowtide: Lowtide, declaration: Declaration) -> None:
    """Put the rules that are not there yet: putting one again would make a new version of it."""
    # A year that passes in minutes has no mornings to wait for: everything is told at once.
    await lowtide.put("alerting", "/v1/attention-policy", {"enabled": False})
    known = {rule["id"] async for rule in lowtide.items("alerting", "/v1/rules")}
    for rule in declaration.rules:
        if rule["id"] not in known:
            body = {key: value for key, value in rule.items() if key != "id"}
            whole: Json = {"scope": {}, "enabled": True, "labels": {}, **body}
            await lowtide.put("alerting", f"/v1/rules/{rule['id']}", whole)


def _bulks(items: Sequence[Json]) -> list[Sequence[Json]]:
    return [items[start : start + BULK_ITEMS] for start in range(0, len(items), BULK_ITEMS)]
