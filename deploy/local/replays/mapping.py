"""Map the file's lines to changes of stock, one each, by the declaration alone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from deploy.local.replays.declaration import Codes, Declaration
from deploy.local.replays.source import Line


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of one event for `POST /v1/events`; `occurred_at` is in UTC, with its zone."""

    id: str
    line: str
    channel: str
    type: str
    sku: str
    warehouse: str
    quantity: int
    occurred_at: str
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Mapped:
    """A line's change, and what the poster needs to know of it.

    `folded` is the SKU that all spellings of the code share. `is_repeat` marks an exact
    duplicate of an earlier line: its identity is the earlier line's.
    """

    change: Change
    folded: str
    at: datetime
    invoiced_at: datetime
    is_goods: bool
    is_repeat: bool


def map_lines(lines: Iterable[Line], declaration: Declaration) -> Iterator[Mapped]:
    """Yield a change for every line, in file order.

    The identity is (channel, InvoiceNo, folded code and ordinal among the invoice's distinct
    lines), so that an exact duplicate of all eight columns repeats it and nothing else can.
    A line whose sign contradicts its kind (the file has none) is mapped as it stands; ingest
    rejects it and the recount leaves it out.
    """
    shop, codes = declaration.shop, declaration.codes
    instants = Instants(shop.zone_info)
    ordinals: defaultdict[str, dict[Line, int]] = defaultdict(dict)
    for line in lines:
        of_invoice = ordinals[line.invoice]
        is_repeat = line in of_invoice
        ordinal = of_invoice.setdefault(line, len(of_invoice) + 1)
        folded = fold(line.code)
        kind, quantity = _kind_and_quantity(line, codes)
        at, text = instants.of(line.invoiced_at)
        yield Mapped(
            Change(
                id=line.invoice,
                line=f"{folded}-{ordinal}",
                channel=shop.sales_channel,
                type=kind,
                sku=line.code,
                warehouse=shop.warehouse,
                quantity=quantity,
                occurred_at=text,
                reason=reason(line.description, declaration) if kind == "adjustment" else None,
            ),
            folded=folded,
            at=at,
            invoiced_at=line.invoiced_at,
            is_goods=not is_service(folded, codes.service),
            is_repeat=is_repeat,
        )


def fold(code: str) -> str:
    """Return the one spelling that stands for all letter cases of a code."""
    return code.upper()


def is_service(folded: str, patterns: Sequence[str]) -> bool:
    """Tell whether a folded code is a charge rather than goods."""
    return any(
        folded.startswith(pattern[:-1]) if pattern.endswith("*") else folded == pattern
        for pattern in patterns
    )


def reason(description: str | None, declaration: Declaration) -> str:
    """Return why an adjustment was made, as far as its description says."""
    return declaration.reasons.get((description or "").strip().lower(), "correction")


def _kind_and_quantity(line: Line, codes: Codes) -> tuple[str, int]:
    if line.unit_price <= 0 and line.customer is None:
        return "adjustment", line.quantity
    if line.invoice.startswith(codes.cancellation_prefix):
        return "return", -line.quantity
    return "sale", line.quantity


class Instants:
    """Wall times of a zone as instants; the file has about 20 lines to a minute, so remembered.

    A wall time that occurs twice (the hour after summer time ends) is taken as the first one; one
    that never occurs (the hour skipped in spring) as if the clock had not been changed yet.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._known: dict[datetime, tuple[datetime, str]] = {}

    def of(self, wall: datetime) -> tuple[datetime, str]:
        """Return the instant in UTC, and as text."""
        known = self._known.get(wall)
        if known is None:
            instant = wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
            known = self._known[wall] = (instant, instant.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return known
