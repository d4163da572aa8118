"""What the notifier is asked: how far its notices are."""

from pydantic import TypeAdapter

from services.console.upstream.answers import DeliverySummary
from services.console.upstream.service import Service
from shared.errors import Unavailable

_SUMMARY = TypeAdapter(DeliverySummary)


class Notifier:
    """The notifier as pages see it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def summary(self) -> DeliverySummary:
        """Return how many notices wait."""
        summary = await self._service.get(_SUMMARY, "/v1/deliveries/summary", {})
        if summary is None:
            raise Unavailable("the notifier")
        return summary
