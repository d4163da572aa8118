"""Sets the demonstration's company up as a person would, through public HTTP only."""

from collections.abc import Mapping, Sequence

from deploy.local.demonstration.assortment import ARTICLES, WAREHOUSES, ZONE, Article, Pace
from deploy.local.demonstration.settings import DemonstrationSettings
from deploy.local.demonstration.telling import CHANNELS, MARKETPLACE
from deploy.local.processes import MAILBOX
from deploy.local.replays.lowtide import Json, Lowtide

GROUP = "buyers-group"
ORDERS = "lowtide-orders"
"""The channel as which alerting tells ingest of what was ordered."""
STAND_IN_KEY = "demonstration-group-0000-0000-000000000000"

PEOPLE: Mapping[str, dict[str, object]] = {
    "buyer": {"name": "采购 小林", "email": "buyer@shop.example"},
    "manager": {"name": "店长 阿敏", "email": "manager@shop.example"},
}

PLAYBOOK = "demonstration-stock-out"
# In minutes that somebody who looks on waits for; those that companies begin with are longer.
PLAYBOOK_BODY: dict[str, object] = {
    "name": {"zh-CN": "断货跟进（演示）", "en": "Out of stock (demonstration)"},
    "steps": [
        {
            "whom": [{"role": "owner"}],
            "expects": "acknowledge",
            "within_minutes": 2,
            "late": [
                {"do": "remind"},
                {"do": "escalate", "after_minutes": 3, "to": [{"role": "manager"}]},
            ],
        },
        {
            "whom": [{"role": "owner"}],
            "expects": "act",
            "within_minutes": 10,
            "late": [{"do": "widen", "to": [{"role": "manager"}]}],
        },
    ],
}

RULES: Mapping[str, dict[str, object]] = {
    "stock-out": {
        "name": {"zh-CN": "断货", "en": "Out of stock"},
        "kind": "stock_out",
        "levels": [{"level": "out", "enter": 0, "exit": 6}],
        "labels": {"team": "buying"},
        "playbook": PLAYBOOK,
    },
    "low-stock": {
        "name": {"zh-CN": "低于安全库存", "en": "Below safety stock"},
        "kind": "below",
        "levels": [
            {"level": "watch", "enter": 20, "exit": 30},
            {"level": "urgent", "enter": 8, "exit": 14},
        ],
        "recovery_seconds": 10,
        "labels": {"team": "buying"},
    },
    "hero-soon": {
        "name": {"zh-CN": "主推款快见底", "en": "Hero product running low"},
        "kind": "below",
        "scope": {"tags": ["hero"]},
        "levels": [{"level": "watch", "enter": 12, "exit": 24}],
        "pending_seconds": 20,
        "recovery_seconds": 10,
        "labels": {"team": "buying"},
    },
}

ATTENTION = {"urgent_minutes": 0, "known_minutes": 1}
"""Nobody watches a demonstration for long."""


async def set_up(lowtide: Lowtide, settings: DemonstrationSettings) -> None:
    """Create what is not there yet; what is there stays as its operator has made it."""
    await _set_up_catalogue(lowtide)
    await _put_absent(lowtide, "alerting", "/v1/people", PEOPLE)
    if not (await lowtide.get("alerting", "/v1/responsibilities"))["items"]:
        table = {"items": [{"owner": "buyer", "manager": "manager"}]}
        await lowtide.put("alerting", "/v1/responsibilities", table)
    await _put_absent(lowtide, "alerting", "/v1/playbooks", {PLAYBOOK: PLAYBOOK_BODY})
    await _put_absent(lowtide, "alerting", "/v1/rules", RULES)
    if (await lowtide.get("alerting", "/v1/attention-policy"))["version"] == 0:
        await lowtide.put("alerting", "/v1/attention-policy", ATTENTION)
    await _set_up_notices(lowtide, settings)


async def _put_absent(
    lowtide: Lowtide, service: str, path: str, bodies: Mapping[str, Mapping[str, object]]
) -> None:
    known = {item["id"] async for item in lowtide.items(service, path)}
    for name, body in bodies.items():
        if name not in known:
            await lowtide.put(service, f"{path}/{name}", body)


async def _set_up_catalogue(lowtide: Lowtide) -> None:
    warehouses = {each.id: {"name": each.name, "zone": ZONE} for each in WAREHOUSES}
    await _put_absent(lowtide, "ingest", "/v1/warehouses", warehouses)
    known = {item["sku"] async for item in lowtide.items("ingest", "/v1/skus")}
    skus = [_sku(article) for article in ARTICLES if article.sku not in known]
    if skus:
        await lowtide.post("ingest", "/v1/skus", {"items": skus})
    names = {ORDERS: "采购订单", **CHANNELS}
    channels = {channel: {"name": name, "kind": "api"} for channel, name in names.items()}
    await _put_absent(lowtide, "ingest", "/v1/channels", channels)
    for channel in CHANNELS:
        path = f"/v1/channels/{channel}/mappings"
        mapped = {(item["kind"], item["external"]) async for item in lowtide.items("ingest", path)}
        items = [
            item
            for item in mappings(channel, ARTICLES)
            if (item["kind"], item["external"]) not in mapped
        ]
        if items:
            await lowtide.put("ingest", path, {"items": items})


async def _set_up_notices(lowtide: Lowtide, settings: DemonstrationSettings) -> None:
    wanted = destinations(settings)
    known = await _by_id(lowtide, "/v1/destinations")
    for destination, body in wanted.items():
        if destination not in known:
            await lowtide.put("notifier", f"/v1/destinations/{destination}", body)
    if settings.wecom_key is not None and _is_stand_in(known.get(GROUP, {})):
        # The operator's key came after the first start.
        kept = {name: value for name, value in known[GROUP].items() if name != "id"}
        group = kept | {"wecom_bot": wanted[GROUP]["wecom_bot"]}
        await lowtide.put("notifier", f"/v1/destinations/{GROUP}", group)
    routed = await _by_id(lowtide, "/v1/routes")
    for destination in wanted:
        if destination not in routed:
            route = {"destination": destination, "match": {"labels": {"team": "buying"}}}
            await lowtide.put("notifier", f"/v1/routes/{destination}", route | {"enabled": True})


async def _by_id(lowtide: Lowtide, path: str) -> dict[str, Json]:
    """Return what the notifier answers, which is always one page."""
    return {item["id"]: item for item in (await lowtide.get("notifier", path))["items"]}


def _is_stand_in(destination: Json) -> bool:
    """Tell whether a group is the stand-in's, by what a masked key shows of it."""
    bot = destination.get("wecom_bot", {"key": ""})
    return bool(bot["key"].endswith(STAND_IN_KEY[-4:]))


def destinations(settings: DemonstrationSettings) -> dict[str, dict[str, object]]:
    """Return where alerts go: the real group when there is a key, else the stand-ins."""
    bot: dict[str, object]
    if settings.wecom_key is not None:
        bot = {"key": settings.wecom_key.get_secret_value()}
    else:
        bot = {"key": STAND_IN_KEY, "url": settings.standin_url}
    return {
        GROUP: {
            "kind": "wecom_bot",
            "name": "采购群",
            "language": "zh-CN",
            "timezone": ZONE,
            "wecom_bot": bot,
        },
        MAILBOX: {
            "kind": "email",
            "name": "采购邮箱",
            "language": "en",
            "timezone": ZONE,
            "email": {
                "to": ["buyers@shop.example"],
                "from": "Lowtide <lowtide@shop.example>",
                "host": settings.host,
                "port": settings.standin_smtp_port,
            },
        },
    }


def mappings(channel: str, articles: Sequence[Article]) -> list[dict[str, str]]:
    """Return what a channel's own codes mean; barcodes need none, the catalogue knows them."""
    items = [
        {
            "kind": "warehouse",
            "external": warehouse.spellings[channel],
            "target": warehouse.id,
        }
        for warehouse in WAREHOUSES
        if channel in warehouse.spellings
    ]
    if channel == MARKETPLACE:
        items += [
            {"kind": "sku", "external": article.marketplace_code, "target": article.sku}
            for article in articles
        ]
    return items


def _sku(article: Article) -> dict[str, object]:
    return {
        "sku": article.sku,
        "name": article.name,
        "category": article.category,
        "brand": article.brand,
        "price": article.price,
        "barcodes": [article.barcode],
        "tags": ["hero"] if article.pace is Pace.TIGHT else [],
    }
