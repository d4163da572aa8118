"""Keep a copy of the catalogue in memory: names for notices, categories and tags for scopes."""

from decimal import Decimal
from itertools import takewhile
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from typing_extensions import override

from services.alerting.domain.parameter_values import Label, Money
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.recatalogued import Recatalogued
from services.alerting.domain.subject import Item
from services.alerting.inbound.whole_topic import WholeTopic
from shared.events.base import Code
from shared.events.catalog_items import PRODUCT, PRODUCT_NAME, TOPIC, CatalogItem, LifeCycle
from shared.kafka.messages import Record
from shared.observability.logs import get_logger

_log = get_logger("alerting.catalogue")


def read(record: Record) -> CatalogItem | None:
    """Return a record's item; None where it cannot be read, which is logged.

    A wrong name must not hold up a warning, so nothing is put aside.
    """
    try:
        return CatalogItem.model_validate_json(record.value or b"")
    except ValidationError as error:
        _log.warning("unreadable item", offset=record.offset, reason=str(error)[:300])
        return None


def values_of(item: CatalogItem) -> Parameters:
    """Return what the catalogue says of class, cost and price; what is none as if not said."""
    return Parameters(
        stock_class=_valid(_label, (item.stock_class or "").strip()),
        unit_cost=_valid(_money, _rounded(item.cost)),
        price=_valid(_money, _rounded(item.price)),
    )


class Catalogue:
    """The newest master data by SKU, as far as alerting asks for it."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.products: dict[str, set[str]] = {}
        """The SKUs of each product."""
        self.revision = 0
        """Grows when a category, a tag or a product's options change: what a rule watches may have
        changed then."""
        self._versions: dict[str, int] = {}
        self._changed_skus: dict[str, int] = {}
        """The revision that changed each last, in the order of revisions."""
        self._changed_products: dict[str, int] = {}

    def take(self, record: Record) -> None:
        """Take in a record; one that cannot be read, or is not newer than known, is passed over."""
        item = read(record)
        if item is None or item.version <= self._versions.get(item.sku, 0):
            return
        before = self.items.get(item.sku, _UNKNOWN)
        is_bought = item.life_cycle in {LifeCycle.NEW, LifeCycle.ACTIVE}
        product = _product(item)
        called = item.attributes.get(PRODUCT_NAME, "").strip() or None
        new = Item(item.name, item.category, frozenset(item.tags), is_bought, product, called)
        self._versions[item.sku] = item.version
        if _watched(before) != _watched(new):
            self.revision += 1
            _note(self._changed_skus, item.sku, self.revision)
            for each in filter(None, {before.product, product}):
                _note(self._changed_products, each, self.revision)
        if before.product != product:
            if before.product is not None:
                self.products[before.product].discard(item.sku)
            if product is not None:
                self.products.setdefault(product, set()).add(item.sku)
        if new != before:
            self.items[item.sku] = new

    def since(self, revision: int) -> Recatalogued:
        """Return what has changed since a revision."""
        return Recatalogued(
            _newer(self._changed_skus, revision), _newer(self._changed_products, revision)
        )


_label: TypeAdapter[str] = TypeAdapter(Label)
_money: TypeAdapter[Decimal] = TypeAdapter(Money)
_DECIMALS, _MOST_DIGITS = 4, 13
"""Of money, as parameters have it; what has more before the point is none."""

_T = TypeVar("_T")


def _valid(kind: TypeAdapter[_T], said: object) -> _T | None:
    try:
        return kind.validate_python(said)
    except ValidationError:
        return None


def _rounded(money: Decimal | None) -> Decimal | None:
    if money is None or money.adjusted() > _MOST_DIGITS:
        return None
    return Decimal(f"{round(money, _DECIMALS).normalize():f}")


def _note(changed: dict[str, int], code: str, revision: int) -> None:
    changed.pop(code, None)
    changed[code] = revision


def _newer(changed: dict[str, int], revision: int) -> set[str]:
    newest_first = reversed(changed.items())
    return {code for code, _ in takewhile(lambda each: each[1] > revision, newest_first)}


def _product(item: CatalogItem) -> str | None:
    """Return the code of the product that a SKU is an option of; what is no code is none."""
    said = item.attributes.get(PRODUCT, "").strip()
    try:
        return _code(said)
    except ValidationError:
        return None


def _watched(item: Item) -> tuple[object, ...]:
    """Return what decides which rules and products a SKU belongs to."""
    return item.category, item.tags, item.product, item.product is None or item.is_bought


_code = TypeAdapter(Code).validate_python

_UNKNOWN = Item(None, None, frozenset())


class CatalogueReader(WholeTopic):
    """Reads the topic into a catalogue."""

    topic = TOPIC
    what = "SKUs of the catalogue"

    def __init__(self, bootstrap: str, prefix: str) -> None:
        super().__init__(bootstrap, prefix)
        self.catalogue = Catalogue()

    def whole(self) -> Catalogue | None:
        """Return the catalogue; None while it has not been read to its end yet."""
        return self.catalogue if self.caught_up.is_set() else None

    @override
    def take(self, record: Record) -> None:
        self.catalogue.take(record)
