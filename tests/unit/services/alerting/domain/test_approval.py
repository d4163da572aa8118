from decimal import Decimal

import pytest

from services.alerting.domain.approval import ANYTHING, Limits
from services.alerting.domain.people import Role

LIMITS = Limits(
    {"lin": Decimal(500), "boss": ANYTHING}, {Role.OWNER: Decimal(100), Role.MANAGER: Decimal(2000)}
)


@pytest.mark.parametrize(
    ("person", "roles", "cost", "needed"),
    [
        ("an", [Role.OWNER], Decimal(100), False),
        ("an", [Role.OWNER], Decimal("100.01"), True),
        ("an", [Role.OWNER, Role.MANAGER], Decimal(2000), False),
        ("an", [Role.DEPUTY], Decimal(1), True),
        ("an", [], Decimal(1), True),
        ("an", [Role.OWNER], None, True),
        ("lin", [Role.MANAGER], Decimal(501), True),
        ("lin", [], Decimal(500), False),
        ("boss", [], None, False),
    ],
)
def test_what_is_over_a_limit_or_has_no_known_cost_needs_approval(
    person: str, roles: list[Role], cost: Decimal | None, needed: bool
) -> None:
    assert LIMITS.need_approval(cost, person, roles) is needed


def test_without_limits_nothing_needs_approval() -> None:
    assert not Limits().need_approval(None, "an", [])
