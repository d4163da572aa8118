from collections import Counter

import pytest

from shared.kafka.partitions import partition_of


@pytest.mark.parametrize(
    ("key", "partition"), [("A", 11), ("85123A", 1), ("货号-1", 2), ("", 0), ("a", 3)]
)
def test_a_key_keeps_its_partition_for_life(key: str, partition: int) -> None:
    # Written down once: another answer would move keys that are in use.
    assert partition_of(key, 24) == partition


def test_keys_spread_over_all_partitions() -> None:
    found = Counter(partition_of(f"SKU-{number}", 24) for number in range(24_000))
    assert set(found) == set(range(24))
    assert max(found.values()) < 1.2 * min(found.values())
