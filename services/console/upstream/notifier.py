"""What the notifier is asked: what became of every notice, another try, and a test message."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from services.console.upstream.answers import Page
from services.console.upstream.delivery_answers import (
    CountedDelivery,
    DeliverySummary,
    DeliveryWithAttempts,
    Destination,
    Replayed,
    Route,
)
from services.console.upstream.service import Service
from shared.errors import Unavailable

_SUMMARY = TypeAdapter(DeliverySummary)
_DELIVERY = TypeAdapter(DeliveryWithAttempts)
_DELIVERIES = TypeAdapter(Page[CountedDelivery])
_COUNTED = TypeAdapter(CountedDelivery)
_DESTINATIONS = TypeAdapter(Page[Destination])
_ROUTES = TypeAdapter(Page[Route])

_REPLAYED = TypeAdapter(Replayed)

# Hundreds are judged in one go.
_REPLAY_SECONDS = 15.0

# The notifier waits for ten seconds for what becomes of a test.
_TEST_SECONDS = 13.0


@dataclass(frozen=True, slots=True)
class Sought:
    """Which deliveries are looked for; what is empty is met by all."""

    state: str = ""
    destination: str = ""
    alert_id: str = ""
    digest_id: str = ""
    order_id: str = ""


class Notifier:
    """The notifier as pages see it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def summary(self) -> DeliverySummary:
        """Return how many notices there are and wait."""
        summary = await self._service.get(_SUMMARY, "/v1/deliveries/summary", {})
        if summary is None:
            raise Unavailable("the notifier")
        return summary

    async def deliveries(
        self, sought: Sought, *, cursor: str = "", limit: int = 25
    ) -> Page[CountedDelivery]:
        """Return a part of the deliveries, newest first."""
        given = {
            "state": sought.state,
            "destination": sought.destination,
            "alert_id": sought.alert_id,
            "digest_id": sought.digest_id,
            "order_id": sought.order_id,
            "cursor": cursor,
        }
        parameters: dict[str, str | int] = {"limit": limit}
        parameters |= {name: value for name, value in given.items() if value}
        page = await self._service.get(_DELIVERIES, "/v1/deliveries", parameters)
        return page or Page[CountedDelivery](items=[])

    async def delivery(self, delivery_id: UUID) -> DeliveryWithAttempts | None:
        """Return a delivery with its attempts, or None where there is none."""
        return await self._service.get(_DELIVERY, f"/v1/deliveries/{delivery_id}", {})

    async def retry(self, delivery_id: UUID) -> None:
        """Have a delivery tried again at once. Raises Refused when it cannot be."""
        await self._service.post(_COUNTED, f"/v1/deliveries/{delivery_id}/retry", None)

    async def replay(
        self, destination: str, *, key: str | None = None, dry_run: bool = False
    ) -> Replayed:
        """Have sent again what died at a destination, or only count it.

        A key is good for one replay. Raises Refused when there can be none.
        """
        body = {"destination": destination, "dry_run": dry_run}
        found = await self._service.post(
            _REPLAYED,
            "/v1/deliveries/replay",
            body,
            idempotency_key=key,
            patience_seconds=_REPLAY_SECONDS,
        )
        if found is None:
            raise Unavailable("the notifier")
        return found

    async def destinations(self) -> list[Destination]:
        """Return all destinations."""
        page = await self._service.get(_DESTINATIONS, "/v1/destinations", {})
        return page.items if page else []

    async def routes(self) -> list[Route]:
        """Return all routes."""
        page = await self._service.get(_ROUTES, "/v1/routes", {})
        return page.items if page else []

    async def test(self, destination: str, key: str) -> CountedDelivery:
        """Send a test message and return what became of it within some seconds.

        A key is good for one message. Raises Refused when there can be none.
        """
        path = f"/v1/destinations/{destination}/test"
        found = await self._service.post(
            _COUNTED, path, None, idempotency_key=key, patience_seconds=_TEST_SECONDS
        )
        if found is None:
            raise Unavailable("the notifier")
        return found
