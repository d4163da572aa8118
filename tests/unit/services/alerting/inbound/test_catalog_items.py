"""The catalogue at hand: which SKU is an option of which product."""

from decimal import Decimal

import pytest

from services.alerting.domain.parameters import Parameters
from services.alerting.inbound.catalog_items import Catalogue, values_of
from shared.events.catalog_items import CatalogItem, LifeCycle
from tests.factories.records import FakeRecord
from tests.unit.services.alerting.cases import NOON


def told(catalogue: Catalogue, version: int, **fields: object) -> int:
    """Take in a version of SKU A; returns by how much the revision grew."""
    before = catalogue.revision
    item = CatalogItem.model_validate({"sku": "A", "version": version, "updated_at": NOON} | fields)
    catalogue.take(FakeRecord(item.encode(), version))
    return catalogue.revision - before


def test_a_sku_is_an_option_of_the_product_that_its_attribute_names() -> None:
    catalogue = Catalogue()
    assert told(catalogue, 1, attributes={"product": " T-1 "}) == 1
    assert (catalogue.items["A"].product, catalogue.products) == ("T-1", {"T-1": {"A"}})
    assert told(catalogue, 2, attributes={"product": "T-1"}, name="Shirt") == 0
    assert told(catalogue, 3, attributes={"product": "T-2"}) == 1
    assert catalogue.products == {"T-1": set(), "T-2": {"A"}}
    assert told(catalogue, 4) == 1
    assert catalogue.products["T-2"] == set()


def test_what_people_call_a_product_changes_nothing_that_is_watched() -> None:
    catalogue = Catalogue()
    told(catalogue, 1, attributes={"product": "T-1"})
    assert told(catalogue, 2, attributes={"product": "T-1", "product_name": " Shirt "}) == 0
    assert catalogue.items["A"].product_name == "Shirt"


@pytest.mark.parametrize("said", ["", "  ", "a|b", "x" * 129], ids=len)
def test_what_is_no_code_names_no_product(said: str) -> None:
    catalogue = Catalogue()
    told(catalogue, 1, name="Shirt", attributes={"product": said})
    assert (catalogue.items["A"].product, catalogue.products) == (None, {})


def test_the_end_of_an_option_changes_its_product_and_that_of_another_sku_nothing() -> None:
    catalogue = Catalogue()
    told(catalogue, 1, attributes={"product": "T-1"})
    ended = {"life_cycle": LifeCycle.ENDED}
    assert told(catalogue, 2, attributes={"product": "T-1"}, **ended) == 1
    alone = Catalogue()
    told(alone, 1)
    assert told(alone, 2, **ended) == 0


def test_what_has_changed_since_a_revision_is_told_once_and_not_what_changed_before() -> None:
    catalogue = Catalogue()
    told(catalogue, 1, attributes={"product": "T-1"})
    told(catalogue, 1, sku="B", category="cups")
    told(catalogue, 2, attributes={"product": "T-2"})
    told(catalogue, 3, attributes={"product": "T-2"}, name="Shirt")
    assert catalogue.since(0) == ({"A", "B"}, {"T-1", "T-2"})
    assert catalogue.since(2) == ({"A"}, {"T-1", "T-2"})
    assert catalogue.since(3) == (set(), set())


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ({"stock_class": " A "}, Parameters(stock_class="A")),
        ({"cost": "2.500000"}, Parameters(unit_cost=Decimal("2.5"))),
        (
            {"cost": "0.00004", "price": "1200"},
            Parameters(unit_cost=Decimal(0), price=Decimal(1200)),
        ),
        ({}, Parameters()),
        ({"stock_class": "  ", "cost": "-1", "price": "1E+30"}, Parameters()),
        ({"stock_class": "x" * 65, "price": "123456789012345"}, Parameters()),
        ({"stock_class": "A\x00"}, Parameters()),
    ],
)
def test_what_is_no_class_and_no_money_is_as_if_not_said(
    said: dict[str, object], given: Parameters
) -> None:
    item = {"sku": "A", "version": 1, "updated_at": NOON}
    assert values_of(CatalogItem.model_validate(item | said)) == given
