"""Which subjects a rule is for."""

import pytest

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
    assert scope.contains(LevelSubject("A", "W"), item) is inside
