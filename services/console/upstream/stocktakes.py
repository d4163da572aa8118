"""What the ledger is asked of counts that wait for a decision."""

from datetime import datetime
from decimal import Decimal

from pydantic import TypeAdapter

from services.console.upstream.answers import Answer, Page
from services.console.upstream.service import Refused, Service
from shared.errors import Unavailable

# A request decides on up to 20,000 counts.
_DECIDE_SECONDS = 30.0


class Stocktake(Answer):
    """The counts of a reference in a warehouse that wait in one state, added up; base units."""

    reference: str
    warehouse: str
    state: str
    counts: int
    variance: int
    absolute_variance: int
    variance_money: Decimal | None = None
    without_cost: int = 0
    up_to: int


class Count(Answer):
    """A count beside what was expected; base units."""

    id: int
    sku: str
    sku_name: str | None = None
    warehouse: str
    bucket: str = "on_hand"
    counted: int
    expected: int
    variance: int
    variance_money: Decimal | None = None
    reference: str | None = None
    reason: str | None = None
    actor: str | None = None
    occurred_at: datetime


class Decided(Answer):
    """How many counts were decided on, and how many are left of those chosen."""

    decided: int
    left: int


_STOCKTAKES = TypeAdapter(Page[Stocktake])
_COUNTS = TypeAdapter(Page[Count])
_DECIDED = TypeAdapter(Decided)
_ANYTHING = TypeAdapter(object)


class Stocktakes:
    """Counts that wait, as pages see them. What decides raises Refused."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def acting_for(self, person: str | None) -> "Stocktakes":
        """Return the same, with what is decided being a person's."""
        return Stocktakes(self._service.acting_for(person))

    async def waiting(self, reference: str = "", limit: int = 50) -> Page[Stocktake]:
        """Return the newest stocktakes of which counts wait, all or those of a reference."""
        asked: dict[str, str | int] = {"limit": limit}
        if reference:
            asked["reference"] = reference
        page = await self._service.get(_STOCKTAKES, "/v1/stocktakes", asked)
        return page or Page[Stocktake](items=[])

    async def counts(
        self, state: str, reference: str = "", cursor: str = "", limit: int = 50
    ) -> Page[Count]:
        """Return a part of the counts that wait in a state, the newest recorded first."""
        asked: dict[str, str | int] = {"state": state, "limit": limit}
        given = {"reference": reference, "cursor": cursor}
        asked |= {name: value for name, value in given.items() if value}
        page = await self._service.get(_COUNTS, "/v1/counts", asked)
        return page or Page[Count](items=[])

    async def decide(self, chosen: Stocktake, step: str) -> int:
        """Decide on a stocktake as far as it was seen; returns how many counts that were.

        Raises Refused where more waits, with how many were decided on by then.
        """
        body: dict[str, object] = {
            "reference": chosen.reference,
            "warehouse": chosen.warehouse,
            "state": chosen.state,
            "up_to": chosen.up_to,
        }
        decided = 0
        while True:
            try:
                answer = await self._service.post(
                    _DECIDED,
                    f"/v1/stocktakes/{step}",
                    body | {"counts": chosen.counts - decided},
                    patience_seconds=_DECIDE_SECONDS,
                )
            except Refused as error:
                error.decided += decided
                raise
            if answer is None:
                raise Unavailable("the ledger")
            decided += answer.decided
            if not (answer.left and answer.decided):
                return decided

    async def decide_one(self, number: int, step: str) -> None:
        """Decide on one count."""
        await self._service.post(_ANYTHING, f"/v1/counts/{number}/{step}", None)
