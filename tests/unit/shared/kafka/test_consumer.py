"""What the consumer makes of what the broker hands it; the rest is tested on a real one."""

from collections.abc import Sequence
from unittest.mock import Mock

import pytest

from shared.database.positions import Position
from shared.errors import Stopped
from shared.events.topics import STOCK_CHANGES, STOCK_LEVELS
from shared.kafka.consumer import COLLECT_MOST_SECONDS, PartitionConsumer, for_company
from shared.kafka.messages import Record
from shared.kafka.worker import record_hash
from shared.settings import Settings
from tests.factories.records import FakeRecord

PARTITION = 3


def consumer(topic: str, next_offset: int, *, known: Record | None = None) -> PartitionConsumer:
    """Return a consumer that has claimed a partition and sought the place to go on from.

    With `known`, it has yet to see that the record before that place is still there.
    """
    made = PartitionConsumer(
        settings=Settings(),
        service="ledger",
        topic=topic,
        engine=Mock(),
        producer=Mock(),
        handler=Mock,
    )
    made._offsets[PARTITION] = next_offset
    if known is not None:
        made._unverified[PARTITION] = Position(
            topic=topic,
            partition=PARTITION,
            partitions=24,
            epoch=1,
            next_offset=next_offset,
            batch=1,
            published=1,
            record_time=known.timestamp,
            record_hash=record_hash(known),
            malformed=(),
            stopped=None,
        )
    return made


def records(*offsets: int, value: bytes = b"{}") -> list[Record]:
    return [FakeRecord(value, offset, partition=PARTITION) for offset in offsets]


def offsets(found: Sequence[Record]) -> list[int]:
    return [each.offset for each in found]


def test_records_that_follow_are_handed_on() -> None:
    log = consumer(STOCK_CHANGES.name, 5)
    assert offsets(log._verified(PARTITION, records(5, 6, 7))) == [5, 6, 7]


def test_the_record_read_before_is_compared_and_left_out() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(offset=4))
    assert offsets(log._verified(PARTITION, records(4, 5))) == [5]
    log._offsets[PARTITION] = 6
    assert offsets(log._verified(PARTITION, records(6))) == [6]


def test_another_record_at_the_place_of_the_last_one_stops() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(b"other", offset=4))
    with pytest.raises(Stopped, match=r"partition 3: the record at 4 .* the topic was made anew"):
        log._verified(PARTITION, records(4, 5))


@pytest.mark.parametrize("first", [0, 4])
def test_a_log_that_starts_again_while_it_is_read_stops(first: int) -> None:
    log = consumer(STOCK_CHANGES.name, 5)
    with pytest.raises(Stopped, match="was read up to 5: the topic was made anew"):
        log._verified(PARTITION, records(first, first + 1))


def test_a_log_that_starts_again_before_the_known_record_was_seen_stops() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(offset=4))
    with pytest.raises(Stopped, match="the topic was made anew"):
        log._verified(PARTITION, records(3, 4))


def test_a_gap_in_a_log_that_keeps_everything_stops() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(offset=4))
    with pytest.raises(Stopped, match="records 5 to 6 are gone"):
        log._verified(PARTITION, records(4, 7))


def test_gaps_in_a_compacted_log_are_nothing_odd() -> None:
    log = consumer(STOCK_LEVELS.name, 5, known=FakeRecord(offset=4))
    assert offsets(log._verified(PARTITION, records(8, 11))) == [8, 11]
    log._offsets[PARTITION] = 12
    assert offsets(log._verified(PARTITION, records(20))) == [20]


def test_nothing_is_handed_on_before_a_claim_has_said_where_to_begin() -> None:
    log = consumer(STOCK_CHANGES.name, 5)
    assert log._verified(PARTITION + 1, records(0)) == []


def test_a_small_batch_waits_for_company_by_what_the_last_one_took() -> None:
    assert for_company(0.003, 0.0) == 0.003
    assert for_company(0.003, 0.004) == 0.003, "with room it waits as little as it may"
    assert for_company(0.003, 0.04) == 0.02
    assert for_company(0.003, 30.0) == COLLECT_MOST_SECONDS, "the database was away meanwhile"
    assert for_company(0.05, 0.0) == 0.05, "who asks for more has more"
