"""What every message on a topic has in common: a schema version and strict, frozen fields."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints


class Event(BaseModel):
    """A message. Unknown fields are ignored, so that a newer minor writer can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_max_length=100_000)

    def encode(self) -> bytes:
        """Return the message as UTF-8 JSON, the form it has on a topic."""
        return self.model_dump_json().encode()


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The first day of year 1 east of Greenwich, the last of 9999 west of it.
        raise ValueError("the time is outside the calendar once it is in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with a zone, held in UTC; microseconds."""

# "|" joins sku and warehouse in keys; control characters break logs, CSV files and SQL text.
_CODE = r"^[^|\x00-\x1f\x7f]+$"

Code = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_CODE)]
"""An identifier of the field: a SKU, a warehouse, a channel, a reference."""

MAX_QUANTITY = 10**12
"""Units: far above any stock, far below what a 64-bit sum of a year of them can hold."""


def plain_zero(value: Decimal) -> Decimal:
    """Return a number, zero without an exponent such as that of 0E+999999999.

    No limit of size refuses it, and no database takes it.
    """
    return value if value or value.adjusted() <= 0 else Decimal()
