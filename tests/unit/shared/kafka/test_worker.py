"""What a worker of the partition consumer waits for."""

from unittest.mock import Mock

import pytest

from shared.kafka.worker import Owned, Worker


@pytest.mark.parametrize(("parts_with", "waits"), [([0], True), ([0, 1], False)])
async def test_who_owns_nothing_waits_for_nothing(parts_with: list[int], *, waits: bool) -> None:
    handler = Mock(spec_set=("part_with",))
    handler.part_with.return_value = {}
    worker = Worker[object](
        service="ledger",
        topic="stock.changes",
        owner="host:1",
        engine=Mock(),
        producer=Mock(),
        handler=handler,
        clock=Mock(),
    )
    for partition in (0, 1):
        worker.owned[partition] = Owned(
            epoch=1, next_offset=0, batch=0, published=0, stored_published=0, malformed=()
        )
    worker.trouble = "the database cannot be reached"
    await worker.part_with(parts_with)
    assert (worker.trouble is not None) == waits
