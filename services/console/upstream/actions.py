"""What alerting is asked of actions: what could be done about an alert, and what is."""

from uuid import UUID

from pydantic import TypeAdapter

from services.console.upstream.action_answers import Action, Proposal, Proposals
from services.console.upstream.answers import Page
from services.console.upstream.service import Service

_PROPOSALS = TypeAdapter(Proposals)
_ACTIONS = TypeAdapter(Page[Action])
_ANYTHING = TypeAdapter(object)


class Actions:
    """Actions as pages see them. What changes them raises Refused."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def acting_for(self, person: str | None) -> "Actions":
        """Return the same, with what is done being a person's."""
        return Actions(self._service.acting_for(person))

    async def proposals(self, alert_id: UUID) -> list[Proposal]:
        """Return what could be done about an alert, the best first."""
        found = await self._service.get(_PROPOSALS, f"/v1/alerts/{alert_id}/proposals", {})
        return found.items if found else []

    async def of_alert(self, alert_id: UUID) -> list[Action]:
        """Return what is done about an alert, the newest first."""
        found = await self._service.get(_ACTIONS, "/v1/actions", {"alert": str(alert_id)})
        return found.items if found else []

    async def request(self, alert_id: UUID, body: dict[str, object], key: str) -> None:
        """Have something done about an alert; the same key makes one action only."""
        path = f"/v1/alerts/{alert_id}/actions"
        await self._service.post(_ANYTHING, path, body, idempotency_key=key)

    async def step(self, action_id: str, step: str, body: dict[str, object]) -> None:
        """Do a step with an action: approve, reject, order, cancel, receive or done."""
        await self._service.post(_ANYTHING, f"/v1/actions/{action_id}/{step}", body)
