"""Which subjects a rule is for."""

import pytest

from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.rule import Scope
from services.alerting.domain.subject import Item, LevelSubject

LAMP = Item("Lamp", "lighting", frozenset({"seasonal", "fragile"}))


@pytest.mark.parametrize(
    ("scope", "item", "inside"),
    [
        (Scope(), None, True),
        (Scope(skus=frozenset({"A"})), None, True),
        (Scope(skus=frozenset({"B"})), None, False),
        (Scope(warehouses=frozenset({"W", "V"})), None, True),
        (Scope(warehouses=frozenset({"V"})), None, False),
        (Scope(skus=frozenset({"A"}), warehouses=frozenset({"V"})), None, False),
        (Scope(categories=frozenset({"lighting"})), LAMP, True),
        (Scope(categories=frozenset({"toys"})), LAMP, False),
        (Scope(categories=frozenset({"lighting"})), None, False),
        (Scope(tags=frozenset({"fragile", "heavy"})), LAMP, True),
        (Scope(tags=frozenset({"heavy"})), LAMP, False),
        (Scope(tags=frozenset({"heavy"})), None, False),
    ],
)
def test_each_list_that_is_not_empty_must_contain_the_subject(
    scope: Scope, item: Item | None, *, inside: bool
) -> None:
    assert scope.contains(LevelSubject("A", "W"), item, NOTHING_SET) is inside


@pytest.mark.parametrize(
    ("scope", "given", "inside"),
    [
        (Scope(classes=frozenset({"A", "B"})), Parameters(stock_class="B"), True),
        (Scope(classes=frozenset({"A"})), Parameters(stock_class="AX"), True),
        (Scope(classes=frozenset({"AX"})), Parameters(stock_class="A"), False),
        (Scope(classes=frozenset({"A"})), Parameters(stock_class="C"), False),
        (Scope(classes=frozenset({"A"})), NOTHING_SET, False),
        (Scope(suppliers=frozenset({"acme"})), Parameters(supplier="acme"), True),
        (Scope(suppliers=frozenset({"acme"})), Parameters(supplier="other"), False),
        (Scope(suppliers=frozenset({"acme"})), NOTHING_SET, False),
    ],
)
def test_class_and_supplier_are_those_of_the_parameters(
    scope: Scope, given: Parameters, inside: bool
) -> None:
    assert scope.contains(LevelSubject("A", "W"), None, given) is inside
