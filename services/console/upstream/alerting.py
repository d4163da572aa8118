"""What alerting is asked: episodes, their numbers, and to note that somebody is on it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

from pydantic import TypeAdapter

from services.console.upstream.answers import Alert, AlertSummary, Page
from services.console.upstream.service import Service
from shared.errors import Unavailable
from shared.events.stock_alerts import AlertLevel, SubjectKind

_ALERT = TypeAdapter(Alert)
_ALERTS = TypeAdapter(Page[Alert])
_SUMMARY = TypeAdapter(AlertSummary)
_ANYTHING = TypeAdapter(object)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which alerts are looked for; what is empty is met by all."""

    state: str = "open"
    level: str = ""
    owner: str = ""
    warehouse: str = ""
    rule: str = ""
    sku: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """What is asked beyond all open ones, by the name that alerting has for it."""
        asked = {name: value for name, value in asdict(self).items() if value}
        if self.state == "open":
            del asked["state"]
        return asked


class Alerting:
    """Alerting as pages see it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def acting_for(self, person: str | None) -> "Alerting":
        """Return the same, with what is done being a person's."""
        return Alerting(self._service.acting_for(person))

    async def pressing(self, level: AlertLevel, limit: int) -> list[Alert]:
        """Return the open episodes of a level with the most at risk, the most first."""
        return await self._listed({"level": level}, limit)

    async def of_level(self, sku: str, warehouse: str, limit: int = 12) -> list[Alert]:
        """Return the open episodes of a SKU in a warehouse, those with the most at risk first.

        None of a pool, which may have the warehouse's name.
        """
        of_it = {"sku": sku, "warehouse": warehouse, "subject": SubjectKind.LEVEL}
        return await self._listed(of_it, limit)

    async def found(self, sought: Sought, *, cursor: str = "", limit: int = 25) -> Page[Alert]:
        """Return a part of the alerts: open ones with the most at risk first, others newest first.

        Raises Refused for a code that cannot be one.
        """
        parameters: dict[str, str | int] = {"limit": limit, **sought.parameters}
        if sought.state == "open":
            parameters["order"] = "at_risk"
        if cursor:
            parameters["cursor"] = cursor
        page = await self._service.get(_ALERTS, "/v1/alerts", parameters)
        return page or Page[Alert](items=[])

    async def _listed(self, wanted: Mapping[str, str], limit: int) -> list[Alert]:
        parameters: dict[str, str | int] = {
            "state": "open",
            "order": "at_risk",
            "limit": limit,
            **wanted,
        }
        page = await self._service.get(_ALERTS, "/v1/alerts", parameters)
        return page.items if page else []

    async def alert(self, alert_id: UUID) -> Alert | None:
        """Return an episode with its history, or None where there is none."""
        return await self._service.get(_ALERT, f"/v1/alerts/{alert_id}", {})

    async def acknowledge(self, alert_id: UUID) -> None:
        """Note that somebody takes care of it. Raises Refused when it may not be."""
        await self._service.post(_ANYTHING, f"/v1/alerts/{alert_id}/acknowledge", {})

    async def snooze(self, alert_id: UUID, minutes: int) -> None:
        """Put an episode off for a while. Raises Refused when it may not be."""
        body = {"minutes": minutes}
        await self._service.post(_ANYTHING, f"/v1/alerts/{alert_id}/snooze", body)

    async def end_snooze(self, alert_id: UUID) -> None:
        """End a snooze now. Raises Refused when it may not be."""
        await self._service.delete(f"/v1/alerts/{alert_id}/snooze")

    async def assign(self, alert_id: UUID, person: str, note: str) -> None:
        """Give an episode to somebody. Raises Refused when it may not be."""
        body = {"to": person} | ({"note": note} if note else {})
        await self._service.post(_ANYTHING, f"/v1/alerts/{alert_id}/assign", body)

    async def resolve(self, alert_id: UUID, note: str) -> None:
        """End an episode by hand. Raises Refused when it may not be."""
        body = {"note": note}
        await self._service.post(_ANYTHING, f"/v1/alerts/{alert_id}/resolve", body)

    async def feedback(self, alert_id: UUID, reason: str) -> None:
        """Say whether an alert was right."""
        body = {"reason": reason}
        await self._service.post(_ANYTHING, f"/v1/alerts/{alert_id}/feedback", body)

    async def summary(self) -> AlertSummary:
        """Return how many episodes are open."""
        summary = await self._service.get(_SUMMARY, "/v1/alerts/summary", {})
        if summary is None:
            raise Unavailable("alerting")
        return summary
