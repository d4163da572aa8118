"""Parameters as a person writes them, checked; the form they have over HTTP and in imports."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.alerting.domain.parameters import Parameters
from shared.events.base import MAX_QUANTITY, Code, plain_zero

MAX_DAYS = 3_650

Units = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
SomeUnits = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
Days = Annotated[float, Field(ge=0, le=MAX_DAYS, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4), AfterValidator(plain_zero)]
Label = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
]

_UNITS = f"a whole number of base units from 0 to {MAX_QUANTITY:,}, or leave it out"
_SOME_UNITS = f"a whole number of base units from 1 to {MAX_QUANTITY:,}, or leave it out"
_DAYS = f"days from 0 to {MAX_DAYS:,}, such as 7.5, or leave it out"
_MONEY = "an amount such as 12.50 without a currency sign, or leave it out"

EXPECTED: Final = {
    "sku": "the code of a SKU, text of 1 to 128 characters without |",
    "warehouse": "the code of a warehouse, or leave it out for all warehouses",
    "safety_stock": _UNITS,
    "reorder_point": _UNITS,
    "order_quantity": _SOME_UNITS,
    "moq": _SOME_UNITS,
    "pack_multiple": _SOME_UNITS,
    "lead_time_days": _DAYS,
    "lead_time_sd_days": _DAYS,
    "stock_class": "a class such as A or AX, text of 1 to 64 characters, or leave it out",
    "supplier": "the code of a supplier, text of 1 to 128 characters, or leave it out",
    "unit_cost": _MONEY,
    "price": _MONEY,
}
"""What each field has to be, to end a sentence with."""


class ParameterValues(BaseModel):
    """Parameters; null or left out: not set. Units, days, and money in the books' currency."""

    model_config = ConfigDict(extra="forbid")

    safety_stock: Units | None = None
    reorder_point: Units | None = None
    order_quantity: SomeUnits | None = None
    moq: SomeUnits | None = None
    pack_multiple: SomeUnits | None = None
    lead_time_days: Days | None = None
    lead_time_sd_days: Days | None = None
    stock_class: Label | None = None
    supplier: Code | None = None
    unit_cost: Money | None = None
    price: Money | None = None

    def parameters(self) -> Parameters:
        """Return the values as they are kept."""
        return Parameters._make(getattr(self, name) for name in Parameters._fields)

    @property
    def said(self) -> frozenset[str]:
        """The names of the values that were given, null included."""
        return frozenset(Parameters._fields) & self.model_fields_set


class ParameterLine(ParameterValues):
    """One line of an import: values left out stay as they are, null takes one away."""

    sku: Code
    warehouse: Code | None = None
