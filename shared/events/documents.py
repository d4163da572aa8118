"""The topics as an AsyncAPI document: `python -m shared.events.documents` prints it."""

import json

from pydantic.json_schema import models_json_schema

from shared.events.alert_reports import AlertReport
from shared.events.alert_responses import AlertResponse
from shared.events.base import Event
from shared.events.catalog_items import CatalogItem
from shared.events.catalog_warehouses import CatalogWarehouse
from shared.events.channel_health import ChannelHealth
from shared.events.dead_letters import DeadLetter
from shared.events.stock_alerts import StockAlert
from shared.events.stock_changes import StockChange
from shared.events.stock_levels import StockLevel
from shared.events.topics import (
    ALERT_REPORTS,
    ALERT_RESPONSES,
    CATALOG_ITEMS,
    CATALOG_WAREHOUSES,
    CHANNEL_HEALTH,
    STOCK_ALERTS,
    STOCK_CHANGES,
    STOCK_LEVELS,
    TOPICS,
)

MODELS: dict[str, type[Event]] = {
    STOCK_CHANGES.name: StockChange,
    STOCK_LEVELS.name: StockLevel,
    STOCK_ALERTS.name: StockAlert,
    ALERT_REPORTS.name: AlertReport,
    ALERT_RESPONSES.name: AlertResponse,
    CATALOG_ITEMS.name: CatalogItem,
    CATALOG_WAREHOUSES.name: CatalogWarehouse,
    CHANNEL_HEALTH.name: ChannelHealth,
}
"""What each topic carries; every dead topic carries dead letters."""


def model_of(topic: str) -> type[Event]:
    """Return the model of a topic's messages."""
    return MODELS.get(topic, DeadLetter)


def asyncapi() -> dict[str, object]:
    """Return the document; the schemas are those that pydantic derives from the models."""
    channels = {}
    schemas, definitions = models_json_schema(
        [(model, "serialization") for model in dict.fromkeys(map(model_of, TOPICS))],
        ref_template="#/components/schemas/{model}",
    )
    for name, topic in TOPICS.items():
        model = model_of(name)
        channels[name] = {
            "address": name,
            "description": (model.__doc__ or "").strip(),
            "messages": {"default": {"payload": schemas[model, "serialization"]}},
            "bindings": {
                "kafka": {
                    "partitions": topic.partitions,
                    "topicConfiguration": topic.broker_config(),
                    "x-key": topic.key,
                }
            },
            "x-producer": topic.producer,
            "x-consumers": list(topic.consumers),
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lowtide topics", "version": "1"},
        "defaultContentType": "application/json",
        "channels": channels,
        "components": {"schemas": definitions["$defs"]},
    }


if __name__ == "__main__":
    print(json.dumps(asyncapi(), ensure_ascii=False, indent=2))  # noqa: T201 - the command's output
