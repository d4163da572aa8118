"""Which destinations an alert is for, by level, labels and rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.notifier.domain.manners import Manners
from shared.events.stock_alerts import AlertLevel, StockAlert


@dataclass(frozen=True, slots=True)
class Route:
    """A way to a destination; an empty condition is met by every alert."""

    id: str
    destination: str
    levels: frozenset[AlertLevel] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    rules: frozenset[str] = frozenset()
    enabled: bool = True

    def matches(self, alert: StockAlert) -> bool:
        """Return whether the alert meets every condition."""
        return (
            self.enabled
            and (not self.levels or alert.level in self.levels)
            and (not self.rules or alert.rule.id in self.rules)
            and all(alert.labels.get(name) == value for name, value in self.labels.items())
        )


_AT_ONCE = Manners()


class Reach(StrEnum):
    """How a destination that can tell one person alone knows them; the recipient's field."""

    WECOM_USERID = "wecom_userid"
    SLACK_USER_ID = "slack_user_id"
    EMAIL = "email"


class RoutingTable:
    """The routes and destinations at one moment; `destinations` are those that are enabled.

    A destination without any route receives everything: a message too many is noticed, one that
    never came is not. A disabled route counts as a route. A disabled destination wants nothing
    new, but what has been announced there goes on there once it is enabled.
    """

    def __init__(
        self,
        destinations: Sequence[str],
        routes: Iterable[Route],
        manners: Mapping[str, Manners] | None = None,
        personal: Mapping[str, Reach] | None = None,
        disabled: Sequence[str] = (),
    ) -> None:
        self.destinations = tuple(destinations)
        self.disabled = tuple(disabled)
        self._manners = manners or {}
        self._personal = personal or {}
        enabled = set(destinations)
        self._routes = [route for route in routes if route.destination in enabled]
        routed = {route.destination for route in self._routes}
        self._unrouted = frozenset(enabled - routed)

    def manners(self, destination: str) -> Manners:
        """Return how a destination wants to be told."""
        return self._manners.get(destination, _AT_ONCE)

    def wanted_by(self, alert: StockAlert) -> frozenset[str]:
        """Return the destinations that want an alert."""
        return self._unrouted | {
            route.destination for route in self._routes if route.matches(alert)
        }

    def reaches_alone(self, destination: str, alert: StockAlert) -> bool:
        """Return whether a destination can tell those a revision is for, and nobody else."""
        reach = self._personal.get(destination)
        return reach is not None and any(getattr(each, reach) for each in alert.to)
