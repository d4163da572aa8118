"""`/v1/summary`: what the ledger has done so far, for consoles and reports."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.ledger.api.dependencies import FromBooks
from shared.http.auth import Scope, require

router = APIRouter(tags=["summary"], dependencies=[Depends(require(Scope.STOCK_READ))])

_REJECTED = "rejected."


class Summary(BaseModel):
    """Totals since the ledger began; `lag_records` are changes that wait, null if unknown."""

    movements: int
    repeats: int
    rejected: dict[str, int]
    levels: int
    behind_seconds: float | None
    lag_records: int | None


@router.get("/v1/summary")
async def summary(ledger: FromBooks) -> Summary:
    """Return totals and how far behind the ledger is."""
    # The lag first: what is counted afterwards includes all that it saw applied.
    lag = await ledger.lag()
    totals, levels = await ledger.tallies()
    return Summary(
        movements=totals.get("movements", 0),
        repeats=totals.get("repeats", 0),
        rejected={
            name.removeprefix(_REJECTED): total
            for name, total in totals.items()
            if name.startswith(_REJECTED)
        },
        levels=levels,
        behind_seconds=None if lag is None else lag.seconds,
        lag_records=None if lag is None else lag.records,
    )
