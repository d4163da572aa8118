"""`catalog.warehouses`: where stock lies, the newest per key (compacted).

Key: the warehouse.
"""

from typing import Annotated, Literal

from pydantic import Field

from shared.events.base import Code, Event, Instant

TOPIC = "catalog.warehouses"
VERSION = 1


class CatalogWarehouse(Event):
    """A warehouse; `zone` is the IANA time zone its days are counted in.

    `version` grows with each change of it.
    """

    v: Literal[1] = 1
    warehouse: Code
    version: Annotated[int, Field(ge=1)]
    name: str
    zone: Annotated[str, Field(min_length=1)]
    updated_at: Instant
