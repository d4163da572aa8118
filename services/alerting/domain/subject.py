"""What a rule watches."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from shared.events.stock_alerts import SubjectKind


class LevelSubject(NamedTuple):
    """One SKU in one warehouse."""

    sku: str
    warehouse: str

    @property
    def kind(self) -> SubjectKind:
        """The sort of subject, as it is stored."""
        return SubjectKind.LEVEL


class PoolSubject(NamedTuple):
    """One SKU over the pool of a rule: some warehouses, or all, that sell as one.

    `warehouse` is what people call the pool. Each rule has its own, as its scope names the
    warehouses: two rules may mean different ones by a name.
    """

    sku: str
    warehouse: str
    rule: str
    kind: SubjectKind = SubjectKind.POOL


class ProductSubject(NamedTuple):
    """All SKUs of a product over the pool of a rule; `sku` is the product's code."""

    sku: str
    warehouse: str
    rule: str
    kind: SubjectKind = SubjectKind.PRODUCT


Subject = LevelSubject | PoolSubject | ProductSubject


def subject_of(kind: SubjectKind, sku: str, warehouse: str, rule_id: str) -> Subject:
    """Return a subject as it was stored, with the rule that watches it."""
    if kind is SubjectKind.LEVEL:
        return LevelSubject(sku, warehouse)
    if kind is SubjectKind.POOL:
        return PoolSubject(sku, warehouse, rule_id)
    return ProductSubject(sku, warehouse, rule_id)


class Due(Protocol):
    """An incoming line: units, when they are due (None: nobody has said), and of which order."""

    @property
    def quantity(self) -> int: ...  # noqa: D102
    @property
    def due_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def reference(self) -> str: ...  # noqa: D102


class Correction(Protocol):
    """What came to light late; see `shared.events.stock_levels.Correction`."""

    @property
    def since(self) -> datetime | None: ...  # noqa: D102
    @property
    def raised(self) -> int: ...  # noqa: D102
    @property
    def lowered(self) -> int | None: ...  # noqa: D102
    @property
    def sold_long_ago(self) -> int: ...  # noqa: D102


class Level(Protocol):
    """A level as the ledger last told it; see `shared.events.stock_levels.StockLevel`."""

    @property
    def sku(self) -> str: ...  # noqa: D102
    @property
    def warehouse(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def on_hand(self) -> int: ...  # noqa: D102
    @property
    def incoming(self) -> int: ...  # noqa: D102
    @property
    def available(self) -> int: ...  # noqa: D102
    @property
    def low_water(self) -> int: ...  # noqa: D102
    @property
    def counted_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def last_change_at(self) -> datetime: ...  # noqa: D102
    @property
    def sold_total(self) -> int: ...  # noqa: D102
    @property
    def supply(self) -> Sequence[Due]: ...  # noqa: D102
    @property
    def flags(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def corrected(self) -> Correction | None: ...  # noqa: D102


class Item(NamedTuple):
    """What the catalogue says of a SKU, as far as rules and notices ask."""

    name: str | None
    category: str | None
    tags: frozenset[str]
    is_bought: bool = True
    """False when it is being phased out, and after its end."""
    product: str | None = None
    """The code of the product that it is an option of."""
    product_name: str | None = None
    """What people call that product, where the catalogue says."""
