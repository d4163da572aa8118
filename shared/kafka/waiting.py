"""What waits in a consumer's partitions, told as metrics, with a warning while there is still time.

Told by what passes the consumer anyway: no record that waits is older than the first of the batch
under way, than the last one applied, or than the moment at which its partition was seen drained.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

from shared.events.topics import TOPICS
from shared.kafka.messages import Record
from shared.observability.logs import get_logger
from shared.observability.metrics import LAG_RECORDS, LAG_SECONDS, LAG_SHARE_OF_KEPT

WARN_SHARE = 0.5
"""Of the time that a record is kept for: as much as has passed is left to mend what holds it up."""

_log = get_logger("kafka.waiting")


class Waiting:
    """How many records of a topic wait, and since when, in each partition of this process."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        kept_ms = TOPICS[topic].kept_ms
        self._kept_seconds = None if kept_ms is None else kept_ms / 1000
        self._since: dict[int, float] = {}
        self._told: set[int] = set()
        self._is_late = False

    def note_claimed(self, partition: int) -> None:
        """Know nothing of a partition but that it was claimed: another owner has moved it on."""
        self._since.pop(partition, None)

    def note_begun(self, batch: Mapping[int, Sequence[Record]]) -> None:
        """Know the records by partition that are worked on now: what waits is no older."""
        for partition, records in batch.items():
            if records:
                self._since[partition] = records[0].timestamp / 1000

    def note_done(self, batch: Mapping[int, Sequence[Record]]) -> None:
        """Know that these records wait no more, but what comes behind them."""
        for partition, records in batch.items():
            if records:
                self._since[partition] = records[-1].timestamp / 1000

    def tell(self, lag: Mapping[int, int], now: float) -> None:
        """Tell of partitions with so many records that waited at Unix time `now`, and of no others.

        Those whose oldest record is not known, since none has been read yet, have no age.
        """
        for partition in self._told - lag.keys():
            LAG_RECORDS.remove(self._topic, str(partition))
            self._tell_age(partition, None)
        ages: dict[int, float] = {}
        for partition, records in lag.items():
            LAG_RECORDS.labels(self._topic, str(partition)).set(records)
            if records <= 0:
                self._since[partition] = max(now, self._since.get(partition, 0.0))
            since = self._since.get(partition)
            if since is not None:
                ages[partition] = max(0.0, now - since)
            self._tell_age(partition, ages.get(partition))
        self._told = set(lag)
        self._warn(ages)

    def _tell_age(self, partition: int, age: float | None) -> None:
        labels = (self._topic, str(partition))
        if age is None:
            LAG_SECONDS.remove(*labels)
        else:
            LAG_SECONDS.labels(*labels).set(age)
        if self._kept_seconds is None:
            return
        if age is None:
            LAG_SHARE_OF_KEPT.remove(*labels)
        else:
            LAG_SHARE_OF_KEPT.labels(*labels).set(age / self._kept_seconds)

    def _warn(self, ages: Mapping[int, float]) -> None:
        """Say it once when a record has waited for long, and again only after none had."""
        if self._kept_seconds is None:
            return
        partition, age = max(ages.items(), key=itemgetter(1), default=(0, 0.0))
        is_late = age > WARN_SHARE * self._kept_seconds
        if is_late and not self._is_late:
            _log.warning(
                "records wait for more than half of the time that they are kept",
                topic=self._topic,
                partition=partition,
                waited_hours=round(age / 3600, 1),
                kept_hours=round(self._kept_seconds / 3600, 1),
            )
        self._is_late = is_late
