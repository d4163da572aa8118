"""What waits for a client is bounded, and of each level only the newest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.changed_levels import ChangedLevel, Filter, Waiting


def changed(sku: str, version: int, warehouse: str = "W") -> ChangedLevel:
    return ChangedLevel(sku, warehouse, version, f"{sku}{version}".encode())


def test_of_a_level_that_changed_again_only_the_newest_is_left_in_its_new_place() -> None:
    waiting = Waiting(10)
    for each in (changed("A", 1), changed("B", 1), changed("A", 2)):
        assert waiting.add(each)
    assert waiting.take() == [changed("B", 1), changed("A", 2)]
    assert waiting.take() == []


def test_what_is_not_newer_changes_nothing() -> None:
    waiting = Waiting(10)
    for each in (changed("A", 2), changed("B", 1), changed("A", 2), changed("A", 1)):
        assert waiting.add(each)
    assert waiting.take() == [changed("A", 2), changed("B", 1)]


def test_one_level_too_many_is_not_taken_but_a_known_one_is() -> None:
    waiting = Waiting(2)
    assert waiting.add(changed("A", 1))
    assert waiting.add(changed("A", 1, "N"))
    assert not waiting.add(changed("B", 1))
    assert waiting.add(changed("A", 2))
    assert len(waiting) == 2
    assert waiting.take() == [changed("A", 1, "N"), changed("A", 2)]
    assert waiting.add(changed("B", 1))


changes = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("MN"), st.integers(1, 5)))


@given(changes)
def test_the_newest_of_every_level_is_taken_in_the_order_in_which_it_came(
    told: list[tuple[str, str, int]],
) -> None:
    waiting = Waiting(6)
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for place, (sku, warehouse, version) in enumerate(told):
        assert waiting.add(changed(sku, version, warehouse))
        if version > newest.get((sku, warehouse), (0, 0))[0]:
            newest[sku, warehouse] = (version, place)
    expected = sorted((place, key, version) for key, (version, place) in newest.items())
    assert [((each.sku, each.warehouse), each.version) for each in waiting.take()] == [
        (key, version) for _, key, version in expected
    ]


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Filter(), {"AW", "AN", "BW"}),
        (Filter(frozenset("A")), {"AW", "AN"}),
        (Filter(frozenset(), frozenset("W")), {"AW", "BW"}),
        (Filter(frozenset("A"), frozenset("W")), {"AW"}),
        (Filter(frozenset("CAD")), {"AW", "AN"}),
    ],
)
def test_a_filter_takes_what_every_part_of_it_takes(wanted: Filter, taken: set[str]) -> None:
    assert {each for each in ("AW", "AN", "BW") if wanted.takes(*each)} == taken
