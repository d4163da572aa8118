"""Sets the demonstration's company up as a person would, through public HTTP only."""

from collections.abc import Mapping, Sequence

from deploy.local.demonstration.assortment import ARTICLES, WAREHOUSES, ZONE, Article, Pace
from deploy.local.demonstration.settings import DemonstrationSettings
from deploy.local.demonstration.telling import CHANNELS, MARKETPLACE
from deploy.local.processes import MAILBOX
from deploy.local.replays.lowtide import Lowtide

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
    """Create everything that the shops need; a second time it changes nothing."""
    await _set_up_catalogue(lowtide)
    for person, body in PEOPLE.items():
        await lowtide.put("alerting", f"/v1/people/{person}", body)
    table = {"items": [{"owner": "buyer", "manager": "manager"}]}
    await lowtide.put("alerting", "/v1/responsibilities", table)
    await lowtide.put("alerting", f"/v1/playbooks/{PLAYBOOK}", PLAYBOOK_BODY)
    for rule, body in RULES.items():
        await lowtide.put("alerting", f"/v1/rules/{rule}", body)
    await lowtide.put("alerting", "/v1/attention-policy", ATTENTION)
    for destination, body in destinations(settings).items():
        await lowtide.put("notifier", f"/v1/destinations/{destination}", body)
        route = {"destination": destination, "match": {"labels": {"team": "buying"}}}
        await lowtide.put("notifier", f"/v1/routes/{destination}", route | {"enabled": True})


async def _set_up_catalogue(lowtide: Lowtide) -> None:
    for warehouse in WAREHOUSES:
        body = {"name": warehouse.name, "zone": ZONE}
        await lowtide.put("ingest", f"/v1/warehouses/{warehouse.id}", body)
    await lowtide.post("ingest", "/v1/skus", {"items": [_sku(article) for article in ARTICLES]})
    await lowtide.put("ingest", f"/v1/channels/{ORDERS}", {"name": "采购订单", "kind": "api"})
    for channel, name in CHANNELS.items():
        await lowtide.put("ingest", f"/v1/channels/{channel}", {"name": name, "kind": "api"})
        await lowtide.put(
            "ingest", f"/v1/channels/{channel}/mappings", {"items": mappings(channel, ARTICLES)}
        )


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
