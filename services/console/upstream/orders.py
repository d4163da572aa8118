"""What alerting is asked of purchases: what waits, what is collected, and what was ordered."""

import asyncio
from typing import TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from services.console.upstream.answers import Page
from services.console.upstream.order_answers import (
    Order,
    OrderDestination,
    OrderLink,
    OrderWithLines,
    Purchase,
)
from services.console.upstream.service import Service
from shared.errors import Unavailable

_ORDERS = TypeAdapter(Page[Order])
_ORDER = TypeAdapter(OrderWithLines)
_PURCHASES = TypeAdapter(Page[Purchase])
_LINK = TypeAdapter(OrderLink)
_DESTINATION = TypeAdapter(OrderDestination)
_ANYTHING = TypeAdapter(object)

_A_PART = 200
# What is open is asked for order by order; not all at once.
_READ_AT_ONCE = 4

T = TypeVar("T")


class Orders:
    """Orders as pages see them. What changes them raises Refused."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def acting_for(self, person: str | None) -> "Orders":
        """Return the same, with what is done being a person's."""
        return Orders(self._service.acting_for(person))

    async def collected(self) -> list[OrderWithLines]:
        """Return the open orders with their lines, one a supplier, the newest first."""
        orders = await self._all(_ORDERS, "/v1/orders", {"state": "open", "limit": _A_PART})
        at_once = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(order_id: UUID) -> OrderWithLines | None:
            async with at_once:
                return await self.one(order_id)

        found = await asyncio.gather(*(read(each.id) for each in orders))
        # Between both questions one may have been placed, or lost its last line.
        return [each for each in found if each is not None and each.state == "open"]

    async def placed(self, cursor: str = "", limit: int = 25) -> Page[Order]:
        """Return a part of the placed orders, the newest first."""
        asked: dict[str, str | int] = {"state": "placed", "limit": limit}
        page = await self._service.get(
            _ORDERS, "/v1/orders", asked | ({"cursor": cursor} if cursor else {})
        )
        return page or Page[Order](items=[])

    async def one(self, order_id: UUID) -> OrderWithLines | None:
        """Return an order with its lines, or None where there is none."""
        return await self._service.get(_ORDER, f"/v1/orders/{order_id}", {})

    async def to_approve(self) -> list[Purchase]:
        """Return the purchases that wait for an approval, the newest first."""
        return await self._purchases("proposed")

    async def uncollected(self) -> list[Purchase]:
        """Return the approved purchases that have no supplier to collect them for."""
        return [each for each in await self._purchases("approved") if each.order is None]

    async def _purchases(self, state: str) -> list[Purchase]:
        asked: dict[str, str | int] = {"kind": "buy", "state": state, "limit": _A_PART}
        return await self._all(_PURCHASES, "/v1/actions", asked)

    async def _all(
        self, kind: TypeAdapter[Page[T]], path: str, asked: dict[str, str | int]
    ) -> list[T]:
        """Read a list to its end: what nobody has seen to is the oldest."""
        found: list[T] = []
        while page := await self._service.get(kind, path, asked):
            found += page.items
            if not page.next_cursor:
                break
            asked["cursor"] = page.next_cursor
        return found

    async def place(self, order_id: str, body: dict[str, object], key: str) -> None:
        """Place an order; again with the same key, or without, changes nothing."""
        await self._service.post(
            _ANYTHING, f"/v1/orders/{order_id}/place", body, idempotency_key=key
        )

    async def mail(self, order_id: str, key: str) -> None:
        """Have a placed order mailed to its supplier; the same key sends one mail only."""
        await self._service.post(
            _ANYTHING, f"/v1/orders/{order_id}/mails", None, idempotency_key=key
        )

    async def destination(self) -> OrderDestination:
        """Return where orders are mailed through."""
        found = await self._service.get(_DESTINATION, "/v1/order-destination", {})
        if found is None:
            raise Unavailable("alerting")
        return found

    async def choose_destination(self, destination: str) -> None:
        """Have orders mailed through another destination from now on."""
        await self._service.put(_DESTINATION, "/v1/order-destination", {"destination": destination})

    async def sheet(self, order_id: str) -> bytes:
        """Return an order as a workbook in the supplier's language."""
        return await self._service.file(f"/v1/orders/{order_id}.xlsx")

    async def link(self, order_id: str) -> str | None:
        """Return a new link for the supplier; None where alerting cannot make any."""
        found = await self._service.get(_LINK, f"/v1/orders/{order_id}", {})
        if found is None:
            raise Unavailable("alerting")
        return found.link
