"""Alert messages for tests."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

from shared.events.stock_alerts import StockAlert

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_NAMESPACE = UUID("6f1c0a52-8a55-4c5e-9f43-4a8d41e2c6b1")


def alert_id(number: int) -> UUID:
    """Return the alert id that goes with a number."""
    return uuid5(_NAMESPACE, str(number))


def stock_alert(number: int = 1, **fields: object) -> StockAlert:
    """Return an alert message; what is not given is the opening of a stock-out."""
    defaults: dict[str, object] = {
        "alert_id": alert_id(number),
        "number": number,
        "revision": 1,
        "event": "opened",
        "level": "out",
        "rule": {
            "id": "stock-out",
            "version": 1,
            "kind": "stock_out",
            "name": {"zh-CN": "缺货", "en": "Out of stock"},
        },
        "sku": f"SKU-{number}",
        "sku_name": "蓝色马克杯",
        "warehouse": "UK",
        "facts": {
            "available": 0,
            "on_hand": 12,
            "low_water": 0,
            "threshold": 20,
            "daily_sales": 3.4,
            "days_of_cover": 0.0,
            "incoming": 48,
        },
        "opened_at": START,
        "occurred_at": START,
        "recorded_at": START,
    }
    return StockAlert.model_validate(defaults | fields)
