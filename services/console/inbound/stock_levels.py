"""`stock.levels` → the feed: only levels that somebody looks at are decoded."""

from collections.abc import Sequence

from pydantic import ValidationError

from services.console.domain.feed import Feed
from shared.events.stock_levels import TOPIC, StockLevel
from shared.kafka.messages import Record
from shared.observability.logs import get_logger

_log = get_logger("inbound.stock_levels")

__all__ = ["TOPIC", "take"]


def take(records: Sequence[Record], feed: Feed) -> None:
    """Pass on the newest state of each watched level; unreadable records are left out."""
    newest = {
        record.key: record.value
        for record in records
        if record.key is not None and record.value is not None and feed.wants(record.key)
    }
    for key, value in newest.items():
        try:
            feed.offer(key, StockLevel.model_validate_json(value))
        except ValidationError as error:
            _log.warning("a level cannot be read", key=key.decode(errors="replace"), why=str(error))
