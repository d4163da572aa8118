from decimal import Decimal

import pytest
from pydantic import ValidationError

from services.ingest.domain.catalogue import (
    Conflict,
    Kits,
    SkuItem,
    conflicts,
    kit_conflicts,
    repeated,
)


def item(sku: str, **fields: object) -> SkuItem:
    return SkuItem.model_validate({"sku": sku, **fields})


def test_fields_left_out_stay_and_named_ones_change() -> None:
    stored = item("A", name="Lamp", cost="2.50", aliases=["a"], tags=["x"])
    changed = stored.changed_by(item("A", name="Lantern", tags=[]))
    assert changed == item("A", name="Lantern", cost="2.50", aliases=["a"], tags=[])
    assert stored.changed_by(item("A", name=None)).name is None


def test_the_same_said_again_is_the_same() -> None:
    stored = item("A", name="Lamp", cost=Decimal("2.5"), aliases=["a"])
    assert stored.changed_by(item("A", cost="2.50", aliases=["a", "a", "A"])) == stored


def test_a_spelling_counts_once_and_never_for_the_sku_itself() -> None:
    tidy = item("A", aliases=["a", "A", "a", "77"], barcodes=["77"]).tidied()
    assert (tidy.barcodes, tidy.aliases) == (("77",), ("a",))


def test_a_sku_named_twice_in_a_request_is_named() -> None:
    assert [(each.index, each.code) for each in repeated(["A", "B", "A"])] == [(2, "repeated")]


@pytest.mark.parametrize(
    ("items", "skus", "owners", "expected"),
    [
        ([item("A", aliases=["x"]), item("B", barcodes=["x"])], {"A", "B"}, {}, "taken"),
        ([item("A", aliases=["x"])], {"A"}, {"x": "Z"}, "taken"),
        ([item("A", aliases=["B"]), item("B")], {"A", "B"}, {}, "is_sku"),
        ([item("A")], {"A"}, {"A": "Z"}, "is_spelling"),
    ],
)
def test_a_code_never_means_two_skus(
    items: list[SkuItem], skus: set[str], owners: dict[str, str], expected: str
) -> None:
    (found,) = conflicts(items, frozenset(skus), owners)
    assert found.code == expected
    assert ";" in found.message


@pytest.mark.parametrize(
    "fields",
    [
        {"sku": "a|b"},
        {"sku": ""},
        {"unit": None},
        {"cost": -1},
        {"cost": "NaN"},
        {"aliases": ["x"] * 101},
        {"name": "a\x00b"},
        {"life_cycle": "dead"},
        {"colour": "red"},
        {"kit": [{"sku": "B", "quantity": 0}]},
        {"kit": [{"sku": "B"}]},
        {"kit": [{"sku": "B", "quantity": 1, "unit": "box"}]},
        {"kit": [{"sku": "B", "quantity": 1}] * 101},
        {"stock_class": ""},
    ],
    ids=str,
)
def test_master_data_that_nobody_could_use_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SkuItem.model_validate({"sku": "A", **fields})


def test_a_zero_is_plain_however_it_is_written() -> None:
    free = item("A", cost="0E+9999999999", price="0.00")
    assert (str(free.cost), str(free.price)) == ("0", "0.00")


def kit(sku: str, *components: str, **fields: object) -> SkuItem:
    return item(sku, kit=[{"sku": each, "quantity": 2} for each in components], **fields)


NOTHING = Kits(frozenset(), {}, {})


@pytest.mark.parametrize(
    ("items", "stored", "expected"),
    [
        ([kit("K", "A", "K")], NOTHING, [(0, "is_itself")]),
        ([kit("K", "A", "A")], NOTHING, [(0, "repeated")]),
        ([kit("K", "L")], Kits(frozenset({"L"}), {}, {}), [(0, "is_kit")]),
        ([kit("K", "A")], Kits(frozenset(), {"K": "M"}, {}), [(0, "is_component")]),
        ([item("A"), kit("K", "L"), kit("L", "A")], NOTHING, [(1, "is_kit"), (2, "is_component")]),
        ([kit("K", "x")], Kits(frozenset(), {}, {"x": "A"}), [(0, "is_spelling")]),
        ([item("A", aliases=["x"]), kit("K", "x")], NOTHING, [(1, "is_spelling")]),
    ],
)
def test_a_kit_is_made_of_what_is_stocked_itself(
    items: list[SkuItem], stored: Kits, expected: list[tuple[int, str]]
) -> None:
    found = kit_conflicts(items, stored)
    assert [(each.index, each.code) for each in found] == expected
    assert {each.field for each in found} == {"kit"}


@pytest.mark.parametrize("field", ["barcodes", "aliases"])
def test_a_component_that_nobody_has_told_of_yet_becomes_nobodys_spelling(field: str) -> None:
    (found,) = kit_conflicts(
        [item("B"), item("A", **{field: ["x"]})], Kits(frozenset(), {"x": "K"}, {})
    )
    assert (found.index, found.field, found.code) == (1, field, "is_component")
    assert "K" in found.message


def test_a_kit_of_what_nobody_has_told_of_yet_is_taken() -> None:
    found: list[Conflict] = kit_conflicts([kit("K", "A", "B"), kit("L", "A"), item("A")], NOTHING)
    assert found == []
