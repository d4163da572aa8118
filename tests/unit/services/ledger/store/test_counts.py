"""What was on hand at old counts is asked in portions that a statement has the time for."""

from datetime import UTC, datetime, timedelta
from typing import cast

from services.ledger.domain.counts import OlderCount
from services.ledger.store import counts
from shared.database.engine import Driver

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Asked:
    """Answers for each level that as much as its number was counted, and sold since."""

    def __init__(self) -> None:
        self.portions: list[int] = []

    async def fetch(
        self, _: str, levels: list[int], instants: list[datetime], keys: list[str]
    ) -> list[tuple[object, ...]]:
        assert len(levels) == len(instants) == len(keys)
        self.portions.append(len(levels))
        return [(NOON, "k", level, [NOON], [-level]) for level in levels]


async def test_a_batch_full_of_old_counts_is_asked_about_in_portions() -> None:
    late = [
        OlderCount(level, NOON + timedelta(hours=1), "key")
        for level in range(2 * counts.COUNTS_AT_ONCE + 1)
    ]
    asked = Asked()
    found = await counts.stretches(cast("Driver", asked), late)
    assert asked.portions == [counts.COUNTS_AT_ONCE] * 2 + [1]
    assert [*found] == late
    assert all(found[each] == (NOON, "k", each.level, [(NOON, -each.level)]) for each in late)
