"""The demonstration's stand-in WeCom and mailbox, and what they received."""

from pydantic import TypeAdapter

from services.console.upstream.answers import Message, Page
from services.console.upstream.service import Service

_MESSAGES = TypeAdapter(Page[Message])


class StandIn:
    """The stand-ins as the inbox page sees them."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def newest(self, limit: int = 50) -> list[Message]:
        """Return the newest messages of both, newest first."""
        page = await self._service.get(_MESSAGES, "/inbox", {"limit": limit})
        return page.items if page else []
