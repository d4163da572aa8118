"""What a file's lines mean, as declared in a TOML file beside this module."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Shop:
    """Where the file's lines happened and who reports them."""

    zone: str
    warehouse: str
    warehouse_name: str
    sales_channel: str
    sales_channel_name: str
    supply_channel: str
    supply_channel_name: str

    @property
    def zone_info(self) -> ZoneInfo:
        """The zone of the file's wall times."""
        return ZoneInfo(self.zone)


@dataclass(frozen=True)
class Codes:
    """Which codes are no goods (upper case, `*` is any ending), which invoices cancel."""

    service: Sequence[str]
    cancellation_prefix: str


@dataclass(frozen=True)
class Opening:
    """The count of each SKU at the file's first midnight."""

    cover_days: int
    observed_days: int
    safety_percent: int
    pack_units: int


@dataclass(frozen=True)
class Receipts:
    """The weekly orders and their arrival; `weekday` counts from Monday = 0."""

    weekday: int
    observed_days: int
    covered_days: int
    lead_days: int
    arrival_hour: int
    pack_units: int


@dataclass(frozen=True)
class Declaration:
    """All that a replay of one kind of file has to know.

    `reasons` maps a folded description to an adjustment's reason; `rules` are bodies of
    `PUT /v1/rules/{id}`, their id included.
    """

    name: str
    shop: Shop
    codes: Codes
    opening: Opening
    receipts: Receipts
    reasons: Mapping[str, str]
    rules: Sequence[Mapping[str, object]]

    def checked_rules(self) -> dict[str, tuple[str, float]]:
        """Return id → (kind, highest enter limit) of the rules whose subjects are recounted.

        Those are the ones that fire at once on the level itself: `stock_out` and `below` without
        pending time.
        """
        return {
            str(rule["id"]): (str(rule["kind"]), max(level["enter"] for level in _levels(rule)))
            for rule in self.rules
            if rule["kind"] in {"stock_out", "below"} and rule["pending_seconds"] == 0
        }


def load(name: str) -> Declaration:
    """Read the declaration `<name>.toml`; raise FileNotFoundError when there is none."""
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    reasons: dict[str, str] = {}
    for reason, descriptions in content["reasons"].items():
        for description in descriptions:
            if reasons.setdefault(description, reason) != reason:
                raise ValueError(f"{description!r} is declared as two reasons")
    return Declaration(
        name=content["name"],
        shop=Shop(**content["shop"]),
        codes=Codes(**content["codes"]),
        opening=Opening(**content["opening"]),
        receipts=Receipts(**content["receipts"]),
        reasons=reasons,
        rules=content["rules"],
    )


def _levels(rule: Mapping[str, object]) -> Sequence[Mapping[str, float]]:
    levels = rule["levels"]
    if not isinstance(levels, list):
        raise TypeError(f"rule {rule['id']}: levels must be a list")
    return levels
