"""More levels than a worker remembers."""

from datetime import timedelta

import pytest

from services.ledger import memory
from tests.integration.ledger.service import PARTITIONS, START, Ledger, change

SKUS = [f"SKU-{number}" for number in range(30)]
LATER = START + timedelta(minutes=1)


async def test_a_forgotten_level_still_knows_its_last_count(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PLACES", 6)
    handler = ledger.handler()
    async with ledger.consuming(handler=lambda: handler, workers=1, max_records=4):
        # One type after the other, over all SKUs: by its turn each was forgotten.
        for number, (kind, quantity, at) in enumerate(
            [("count", 10, START), ("sale", 1, LATER), ("sale", 5, START), ("sale", 2, LATER)], 1
        ):
            await ledger.publish(
                *(
                    change(
                        id=f"{number}",
                        line=sku,
                        sku=sku,
                        type=kind,
                        quantity=quantity,
                        occurred_at=at,
                    )
                    for sku in SKUS
                )
            )
            await ledger.until_recorded(number * len(SKUS))
        remembered = sum(len(places) for places in handler.part_with(range(PARTITIONS)).values())
    assert remembered <= 6
    assert [await ledger.on_hand(sku) for sku in SKUS] == [7] * len(SKUS)
