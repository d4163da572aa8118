"""Where orders and their lines stand, and what about them a buyer should look at."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

UNDER_WAY = ("ordered", "confirmed", "incoming")
STANDINGS = (*UNDER_WAY, "received", "cancelled", "approved")
"""Where a line can stand."""
STAGES = ("open", "placed", "confirmed", "received", "cancelled")
"""Where an order can stand."""


def standing(state: str, confirmed_quantity: int | None, *, is_incoming: bool) -> str:
    """Return where a line stands: what was ordered is confirmed, then known to be on its way."""
    if state != "ordered":
        return state
    if is_incoming:
        return "incoming"
    return "ordered" if confirmed_quantity is None else "confirmed"


def stage(state: str, lines_by_state: Mapping[str, int]) -> str:
    """Return where an order stands: it is over once nothing of it is still to come."""
    if state == "open" or not lines_by_state or lines_by_state.get("ordered"):
        return state
    return "received" if lines_by_state.get("received") else "cancelled"


def days_later(asked: datetime | None, said: datetime | None) -> int:
    """Return how many days later than asked something comes (less than none: earlier).

    Within half a day nothing differs: who orders asks for an hour, a supplier says a day.
    """
    if asked is None or said is None:
        return 0
    return round((said - asked) / timedelta(days=1))


def share_of_minimum(money: Decimal | None, minimum: Decimal | None) -> int | None:
    """Return in per cent how much of a supplier's minimum there is; None without a minimum."""
    if not minimum:
        return None
    return min(100, int((money or 0) * 100 / minimum))


def pack_trouble(quantity: int | None, moq: int | None, pack_multiple: int | None) -> str:
    """Return why a supplier may not sell a quantity: `moq`, `pack`, or nothing."""
    if quantity is None:
        return ""
    if moq and quantity < moq:
        return "moq"
    return "pack" if pack_multiple and quantity % pack_multiple else ""
