import pytest

from services.notifier.domain.routes import Route, RoutingTable
from shared.events.stock_alerts import AlertLevel
from tests.factories.stock_alerts import stock_alert

ALERT = stock_alert(level="urgent", labels={"team": "kitchen", "zone": "north"})


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        (Route("r", "d"), True),
        (Route("r", "d", levels=frozenset({AlertLevel.URGENT, AlertLevel.OUT})), True),
        (Route("r", "d", levels=frozenset({AlertLevel.OUT})), False),
        (Route("r", "d", labels={"team": "kitchen"}), True),
        (Route("r", "d", labels={"team": "kitchen", "zone": "south"}), False),
        (Route("r", "d", labels={"buyer": "kitchen"}), False),
        (Route("r", "d", rules=frozenset({"stock-out"})), True),
        (Route("r", "d", rules=frozenset({"below-20"})), False),
        (Route("r", "d", enabled=False), False),
    ],
)
def test_a_route_matches_when_every_condition_is_met(route: Route, matches: bool) -> None:
    assert route.matches(ALERT) is matches


def test_a_destination_without_a_route_wants_everything() -> None:
    table = RoutingTable(
        ["all", "some", "none"],
        [
            Route("r", "some", labels={"team": "kitchen"}),
            Route("s", "none", enabled=False),
        ],
    )
    assert table.wanted_by(ALERT) == {"all", "some"}


def test_a_disabled_destination_wants_nothing() -> None:
    assert RoutingTable([], [Route("r", "gone")]).wanted_by(ALERT) == frozenset()
