"""Master data of a SKU, and what may not be said about two of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.ingest.domain.codes import taken
from shared.events.base import Code, plain_zero
from shared.events.catalog_items import Component, LifeCycle

_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Text = Annotated[str, StringConstraints(max_length=512, pattern=_TEXT)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_TEXT)]
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6), AfterValidator(plain_zero)]


class KitComponent(Component):
    """What one unit of a kit takes of another SKU, named by its own code."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SkuItem(BaseModel):
    """A SKU with its other spellings. In an upsert, fields left out stay as they are.

    `aliases` and `barcodes` resolve to the SKU exactly as they are written here, letter case
    included; `unit` is the base unit that quantities count. Money is per base unit. `kit` is
    what one unit is put together from, none for what is stocked itself; `oversell` lets
    reservations take what is available below zero; `stock_class` is a label such as A, B or C.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Code
    name: Text | None = None
    category: Label | None = None
    brand: Label | None = None
    unit: Label = "piece"
    life_cycle: LifeCycle = LifeCycle.ACTIVE
    cost: Money | None = None
    price: Money | None = None
    kit: Annotated[tuple[KitComponent, ...], Field(max_length=100)] = ()
    oversell: bool = False
    stock_class: Label | None = None
    barcodes: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    aliases: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    tags: Annotated[tuple[Label, ...], Field(max_length=100)] = ()
    attributes: Annotated[dict[Label, Text], Field(max_length=100)] = Field(default_factory=dict)

    def changed_by(self, change: "SkuItem") -> "SkuItem":
        """Return the item with the fields that a change names, tidied."""
        given = {name: getattr(change, name) for name in change.model_fields_set}
        return self.model_copy(update=given).tidied()

    def tidied(self) -> "SkuItem":
        """Return the item with spellings and tags once each, its own code not among them."""
        known = {self.sku}
        tidy: dict[str, tuple[str, ...]] = {}
        for name in ("barcodes", "aliases"):
            own = dict.fromkeys(getattr(self, name))
            tidy[name] = tuple(each for each in own if each not in known)
            known.update(tidy[name])
        return self.model_copy(update={**tidy, "tags": tuple(dict.fromkeys(self.tags))})

    @property
    def spellings(self) -> tuple[str, ...]:
        """All codes that lead to this SKU beside its own."""
        return self.barcodes + self.aliases


@dataclass(frozen=True, slots=True)
class Conflict:
    """What may not be said of a SKU beside the others; `index` counts within the request."""

    index: int
    field: str
    code: str
    message: str


def repeated(skus: Iterable[str]) -> list[Conflict]:
    """Return a conflict for each SKU that a request names again."""
    seen: set[str] = set()
    conflicts = []
    for index, sku in enumerate(skus):
        if sku in seen:
            conflicts.append(
                Conflict(index, "sku", "repeated", f"{sku} is in this request twice; send it once")
            )
        seen.add(sku)
    return conflicts


def conflicts(
    items: Sequence[SkuItem], skus: frozenset[str], owners: Mapping[str, str]
) -> list[Conflict]:
    """Return where items would make a code mean two SKUs.

    `items` are as they would be stored, `skus` all codes of SKUs that collide with one of their
    spellings (or are in the request), `owners` who has their codes and spellings as a spelling
    now, the request's own SKUs left out.
    """
    found: list[Conflict] = []
    claimed: dict[str, str] = {}
    for index, item in enumerate(items):
        if item.sku in owners:
            found.append(
                Conflict(
                    index,
                    "sku",
                    "is_spelling",
                    f"{item.sku} is another spelling of {owners[item.sku]}; remove it there first",
                )
            )
        for field in ("barcodes", "aliases"):
            for spelling in getattr(item, field):
                owner = claimed.get(spelling) or owners.get(spelling)
                if spelling in skus:
                    message = f"{spelling} is a SKU itself; leave it out"
                    found.append(Conflict(index, field, "is_sku", message))
                elif owner is not None:
                    message = f"{spelling} already leads to {owner}; remove it there first"
                    found.append(Conflict(index, field, "taken", message))
                claimed[spelling] = item.sku
    return found


def mapped_conflicts(items: Sequence[SkuItem], mapped: Mapping[str, str]) -> list[Conflict]:
    """Return where new items take codes that a channel has mapped, of which `mapped` says one."""
    return [
        Conflict(index, "sku", "is_mapped", taken(item.sku, mapped[item.sku]))
        for index, item in enumerate(items)
        if item.sku in mapped
    ]


@dataclass(frozen=True, slots=True)
class Kits:
    """What the stored SKUs, the request's own left out, have to do with the kits of a request.

    `kits` are those of its components that are kits, `containing` has for those of its kits and
    new spellings that are a component somewhere a kit that has them, `owners` who has its
    components' codes as another spelling. A component that nobody has told of yet is taken for
    one that is no kit: when it turns out to be one, or a spelling, that is refused then.
    """

    kits: frozenset[str]
    containing: Mapping[str, str]
    owners: Mapping[str, str]


def kit_conflicts(items: Sequence[SkuItem], stored: Kits) -> list[Conflict]:
    """Return where items, as they would be stored, would make kits that cannot be taken apart.

    A kit's components are stocked themselves, and named by their own codes: kits do not nest.
    """
    kits = stored.kits | {item.sku for item in items if item.kit}
    containing = dict(stored.containing)
    owners = dict(stored.owners)
    for item in items:
        containing.update((each.sku, item.sku) for each in item.kit if each.sku != item.sku)
        owners.update((spelling, item.sku) for spelling in item.spellings)
    found: list[Conflict] = []
    for index, item in enumerate(items):
        found += _component_spellings(index, item, stored.containing)
        if not item.kit:
            continue
        if item.sku in containing:
            found.append(
                Conflict(
                    index,
                    "kit",
                    "is_component",
                    f"{item.sku} is a component of the kit {containing[item.sku]} and cannot be a "
                    "kit itself; name its components there instead",
                )
            )
        seen: set[str] = set()
        for component in item.kit:
            mistake = _component_mistake(item.sku, component.sku, seen, kits, owners)
            if mistake is not None:
                found.append(Conflict(index, "kit", *mistake))
            seen.add(component.sku)
    return found


def _component_spellings(
    index: int, item: SkuItem, containing: Mapping[str, str]
) -> Iterable[Conflict]:
    for field in ("barcodes", "aliases"):
        for spelling in getattr(item, field):
            if spelling in containing:
                kit = containing[spelling]
                message = f"{spelling} is a component of the kit {kit}; name {item.sku} there first"
                yield Conflict(index, field, "is_component", message)


def _component_mistake(
    kit: str, component: str, seen: set[str], kits: Collection[str], owners: Mapping[str, str]
) -> tuple[str, str] | None:
    if component == kit:
        return "is_itself", f"{kit} cannot be a component of itself; leave it out"
    if component in seen:
        return "repeated", f"{component} is in the kit twice; name it once with the whole quantity"
    if component in kits:
        return "is_kit", f"{component} is a kit itself; name its components instead"
    if component in owners:
        owner = owners[component]
        return "is_spelling", f"{component} is another spelling of {owner}; name {owner}"
    return None
