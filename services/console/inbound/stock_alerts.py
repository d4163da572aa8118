"""`stock.alerts` → the feed: who shows an episode asks alerting what it says now."""

from collections.abc import Sequence

from pydantic import ValidationError

from services.console.domain.feed import Feed, of_episode, of_episodes
from shared.events.stock_alerts import TOPIC, StockAlert
from shared.kafka.messages import Record
from shared.observability.logs import get_logger

_log = get_logger("inbound.stock_alerts")

__all__ = ["TOPIC", "take"]


def take(records: Sequence[Record], feed: Feed) -> None:
    """Tell the pages that show these episodes; unreadable records are left out."""
    for record in records:
        if record.value is None:
            continue
        try:
            alert = StockAlert.model_validate_json(record.value)
        except ValidationError as error:
            _log.warning("an alert cannot be read", offset=record.offset, why=str(error))
            continue
        feed.touch(of_episode(str(alert.alert_id)))
        feed.touch(of_episodes(alert.sku, alert.warehouse))
