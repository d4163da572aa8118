"""Every topic there is: only these are created, and a test compares them with the code."""

from dataclasses import dataclass, field
from typing import Literal

from shared.events import (
    alert_reports,
    alert_responses,
    catalog_items,
    catalog_warehouses,
    channel_health,
    stock_alerts,
    stock_changes,
    stock_levels,
)
from shared.events.dead_letters import dead_topic

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's contract with the broker and between services.

    `retention_ms` is None for compacted topics, which keep the newest record of each key. The
    first of the consumers is the one that writes the topic's dead letters.
    """

    name: str
    producer: str
    consumers: tuple[str, ...]
    key: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None
    config: dict[str, str] = field(default_factory=dict)

    def broker_config(self) -> dict[str, str]:
        """Return the topic's settings as the broker names them."""
        settings = {"cleanup.policy": self.cleanup, "message.timestamp.type": "LogAppendTime"}
        if self.retention_ms is not None:
            settings["retention.ms"] = str(self.retention_ms)
        return settings | self.config

    @property
    def kept_ms(self) -> int | None:
        """How long every record can be read; None where the newest of each key is all that counts.

        A compacted topic keeps all that is younger than its compaction lag.
        """
        if self.retention_ms is not None:
            return self.retention_ms
        lag = self.config.get("min.compaction.lag.ms")
        return None if lag is None else int(lag)


# 24 divides evenly over 2, 3, 4, 6, 8 and 12 workers, and is for life: keys would move otherwise.
PARTITIONS = 24
DEAD_PARTITIONS = 1


def _dead(source: Topic, *readers: str) -> Topic:
    return Topic(
        name=dead_topic(source.name),
        producer=source.consumers[0],
        consumers=readers,
        key=source.key,
        # Few by nature, and read for people: order matters only within a source's partition.
        partitions=DEAD_PARTITIONS,
        cleanup="delete",
        retention_ms=90 * _DAY_MS,
    )


STOCK_CHANGES = Topic(
    name=stock_changes.TOPIC,
    producer="ingest",
    consumers=("ledger",),
    key="sku",
    partitions=PARTITIONS,
    cleanup="delete",
    # A ledger that was away must find everything when it is back.
    retention_ms=14 * _DAY_MS,
)
STOCK_LEVELS = Topic(
    name=stock_levels.TOPIC,
    producer="ledger",
    consumers=("alerting", "console", "ledger"),
    key="sku|warehouse",
    partitions=PARTITIONS,
    cleanup="compact",
    retention_ms=None,
    # A dip carried by a message must be read before compaction may drop it.
    config={"min.compaction.lag.ms": str(_DAY_MS)},
)
STOCK_ALERTS = Topic(
    name=stock_alerts.TOPIC,
    producer="alerting",
    consumers=("notifier", "console"),
    key="alert id",
    partitions=6,
    cleanup="delete",
    retention_ms=14 * _DAY_MS,
)
ALERT_RESPONSES = Topic(
    name=alert_responses.TOPIC,
    producer="notifier",
    consumers=("alerting",),
    key="alert id",
    # As many as of what they answer.
    partitions=6,
    cleanup="delete",
    retention_ms=14 * _DAY_MS,
)
ALERT_REPORTS = Topic(
    name=alert_reports.TOPIC,
    producer="alerting",
    consumers=("notifier",),
    key="report id",
    # A few a day.
    partitions=1,
    cleanup="delete",
    retention_ms=14 * _DAY_MS,
)
CATALOG_ITEMS = Topic(
    name=catalog_items.TOPIC,
    producer="ingest",
    consumers=("ledger", "alerting"),
    key="sku",
    partitions=6,
    cleanup="compact",
    retention_ms=None,
)
CATALOG_WAREHOUSES = Topic(
    name=catalog_warehouses.TOPIC,
    producer="ingest",
    consumers=("ledger",),
    key="warehouse",
    # As many as a company has warehouses: seldom more than a hundred.
    partitions=1,
    cleanup="compact",
    retention_ms=None,
)

CHANNEL_HEALTH = Topic(
    name=channel_health.TOPIC,
    producer="ingest",
    consumers=("alerting",),
    key="channel",
    # As many as a company has channels, and read as a whole.
    partitions=1,
    cleanup="compact",
    retention_ms=None,
)

_ALL = (
    STOCK_CHANGES,
    STOCK_LEVELS,
    STOCK_ALERTS,
    ALERT_RESPONSES,
    ALERT_REPORTS,
    CATALOG_ITEMS,
    CATALOG_WAREHOUSES,
    CHANNEL_HEALTH,
    _dead(STOCK_CHANGES, "ingest"),
    _dead(STOCK_LEVELS),
    _dead(STOCK_ALERTS),
    _dead(ALERT_RESPONSES),
    _dead(ALERT_REPORTS),
    _dead(CATALOG_ITEMS),
    _dead(CATALOG_WAREHOUSES),
    _dead(CHANNEL_HEALTH),
)

TOPICS: dict[str, Topic] = {topic.name: topic for topic in _ALL}
