"""What the codes of channels mean: the catalogue in memory, asked for every event.

Kept by deltas: `Codes.apply` takes what changed since a version of the catalogue.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Literal


class Kind(StrEnum):
    """What a code stands for."""

    SKU = "sku"
    WAREHOUSE = "warehouse"


class Action(StrEnum):
    """What a channel's mapping of a code does."""

    MAP = "map"
    """The code is another spelling of the target."""
    IGNORE = "ignore"
    """Whatever carries the code is no stock change (postage, discounts) and is dropped."""
    REMOVE = "remove"
    """The mapping does not exist any more."""


class Ignored(Enum):
    """The meaning of a code that is mapped to ignore."""

    IGNORED = "ignored"


IGNORED = Ignored.IGNORED

Meaning = str | Literal[Ignored.IGNORED] | None
"""The SKU or warehouse a code stands for, IGNORED, or None for a code nobody knows."""


@dataclass(frozen=True, slots=True)
class SkuSpellings:
    """A SKU with all its other spellings: aliases and barcodes."""

    sku: str
    spellings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a channel's spelling means; `target` is set for Action.MAP alone."""

    channel: str
    kind: Kind
    external: str
    action: Action
    target: str | None = None


def taken(code: str, channel: str) -> str:
    """Return why nothing new can be called by a code that a channel has a mapping of."""
    return (
        f"channel {channel} has a mapping of {code}, which would no longer act; choose another "
        "code, or remove the mapping first"
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new in the catalogue up to `version`."""

    version: int
    channels: Iterable[str] = ()
    warehouses: Iterable[str] = ()
    skus: Iterable[SkuSpellings] = ()
    mappings: Iterable[Mapping] = ()


@dataclass(slots=True)
class Codes:
    """All codes that are known. A code resolves exactly, letter case included.

    The order is: the code of a SKU itself, the channel's mapping, an alias or barcode.
    """

    version: int = 0
    channels: set[str] = field(default_factory=set)
    _skus: dict[str, str] = field(default_factory=dict)
    _warehouses: dict[str, str] = field(default_factory=dict)
    _spellings: dict[str, str] = field(default_factory=dict)
    _spellings_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _mapped_skus: dict[tuple[str, str], str | Ignored] = field(default_factory=dict)
    _mapped_warehouses: dict[tuple[str, str], str | Ignored] = field(default_factory=dict)

    def sku(self, channel: str, code: str) -> Meaning:
        """Return what a channel means by the code of a SKU."""
        # Nearly every code is a SKU's own: one look-up, before anything is built.
        found: Meaning = self._skus.get(code)
        if found is None:
            found = self._mapped_skus.get((channel, code))
            if found is None:
                found = self._spellings.get(code)
        return found

    def warehouse(self, channel: str, code: str) -> Meaning:
        """Return what a channel means by the code of a warehouse."""
        found: Meaning = self._warehouses.get(code)
        return found if found is not None else self._mapped_warehouses.get((channel, code))

    def all_skus(self) -> Iterable[str]:
        """Return the code of every SKU."""
        return self._skus.keys()

    def all_warehouses(self) -> Iterable[str]:
        """Return the code of every warehouse."""
        return self._warehouses.keys()

    def spelled(self, code: str) -> str | None:
        """Return the SKU that an alias or barcode leads to."""
        return self._spellings.get(code)

    def apply(self, changes: Changes) -> None:
        """Take over what changed; repeating it changes nothing."""
        self.channels.update(changes.channels)
        self._warehouses.update((each, each) for each in changes.warehouses)
        skus = list(changes.skus)
        # All old spellings go before the new ones come: one may have moved to another SKU.
        for each in skus:
            for spelling in self._spellings_of.pop(each.sku, ()):
                self._spellings.pop(spelling, None)
        for each in skus:
            self._skus[each.sku] = each.sku
            if each.spellings:
                self._spellings_of[each.sku] = each.spellings
                self._spellings.update(dict.fromkeys(each.spellings, each.sku))
        for mapping in changes.mappings:
            self._apply_mapping(mapping)
        self.version = changes.version

    def _apply_mapping(self, mapping: Mapping) -> None:
        mapped = self._mapped_skus if mapping.kind is Kind.SKU else self._mapped_warehouses
        key = (mapping.channel, mapping.external)
        match mapping.action:
            case Action.MAP:
                if mapping.target is None:
                    raise ValueError(f"the mapping of {mapping.external} leads nowhere")
                mapped[key] = mapping.target
            case Action.IGNORE:
                mapped[key] = IGNORED
            case Action.REMOVE:
                mapped.pop(key, None)
