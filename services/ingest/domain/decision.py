"""What is to become of each event of a request: accepted, ignored, quarantined or rejected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from services.ingest.domain.codes import IGNORED, Codes
from services.ingest.domain.mistakes import (
    EXPECTED,
    Mistake,
    Rejected,
    missing_channel,
    same_warehouse,
    unknown_channel,
)
from shared.errors import LowtideError
from shared.events.stock_changes import ABOUT_A_LINE, SHAPES, Shaped, fault_of

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""Times a database and every zone can hold. Whether a time is plausible the ledger judges."""

UNDEMANDING = (
    frozenset(kind for kind, shape in SHAPES.items() if shape.least <= 1 and not shape.needs)
    - ABOUT_A_LINE
)
"""Types that fit with a positive quantity and none of the fields that only some types take."""


class Submitted(Shaped, Protocol):
    """What a decision needs to know of an event."""

    @property
    def channel(self) -> str | None: ...  # noqa: D102
    @property
    def sku(self) -> str: ...  # noqa: D102
    @property
    def warehouse(self) -> str: ...  # noqa: D102
    @property
    def occurred_at(self) -> datetime: ...  # noqa: D102


E = TypeVar("E", bound=Submitted)


class ForeignChannel(LowtideError):  # noqa: N818 - a state of the request, answered with 403
    """An event names another channel than the token's own."""


@dataclass(frozen=True, slots=True)
class Unknown(Generic[E]):
    """An event with a code that nobody knows; the code is None where it is known or not there."""

    event: E
    channel: str
    sku: str | None
    warehouse: str | None
    counterparty: str | None


@dataclass(slots=True)
class Decision(Generic[E]):
    """The events of a request by what becomes of them, each list in the request's order.

    `accepted` holds (event, channel, sku, warehouse, counterparty) with the codes as they are in
    the catalogue; the counterparty is None for all but transfers.
    """

    accepted: list[tuple[E, str, str, str, str | None]] = field(default_factory=list)
    unknown: list[Unknown[E]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """The channels of the events that were dropped."""
    rejected: list[Rejected] = field(default_factory=list)
    misses: bool = False
    """Whether something was not known that a fresher catalogue may know."""


def decide(events: Sequence[E | None], codes: Codes, own_channel: str | None = None) -> Decision[E]:
    """Decide about events (None: already rejected) by the codes known now.

    `own_channel` is the channel of the token: implied where an event names none. Ignored codes
    win over everything but an unreadable event: what is no stock change need not be a valid one.
    Raises ForeignChannel for an event of another channel than the token's.
    """
    decision: Decision[E] = Decision()
    for index, event in enumerate(events):
        if event is None:
            continue
        channel = event.channel or own_channel
        if channel is None:
            decision.rejected.append(Rejected(index, [missing_channel()]))
            continue
        if own_channel is not None and channel != own_channel:
            raise ForeignChannel(f"this token writes as {own_channel}, not as {channel}")
        if channel not in codes.channels:
            decision.misses = True
            decision.rejected.append(Rejected(index, [unknown_channel(channel)]))
            continue
        sku = codes.sku(channel, event.sku)
        warehouse = codes.warehouse(channel, event.warehouse)
        named = event.counterparty
        counterparty = None if named is None else codes.warehouse(channel, named)
        if sku is IGNORED or warehouse is IGNORED or counterparty is IGNORED:
            decision.ignored.append(channel)
            continue
        mistake = _mistake(event, warehouse, counterparty)
        if mistake is not None:
            decision.rejected.append(Rejected(index, [mistake], channel))
        elif sku is None or warehouse is None or (counterparty is None and named is not None):
            decision.misses = True
            decision.unknown.append(
                Unknown(
                    event,
                    channel,
                    event.sku if sku is None else None,
                    event.warehouse if warehouse is None else None,
                    named if counterparty is None else None,
                )
            )
        else:
            decision.accepted.append((event, channel, sku, warehouse, counterparty))
    return decision


def _mistake(event: Submitted, warehouse: str | None, counterparty: str | None) -> Mistake | None:
    # The common case, a sale of some units, costs a few comparisons and no call.
    if (
        event.quantity < 1
        or event.type not in UNDEMANDING
        or event.counterparty is not None
        or event.bucket is not None
        or event.eta is not None
    ):
        misfit = _misfit(event, warehouse, counterparty)
        if misfit is not None:
            return misfit
    if not EARLIEST <= event.occurred_at < LATEST:
        return _outside("occurred_at")
    return None


def _misfit(event: Submitted, warehouse: str | None, counterparty: str | None) -> Mistake | None:
    fault = fault_of(event)
    if fault is not None:
        return Mistake(*fault)
    if event.counterparty is not None:
        # Two spellings may be one warehouse, and one spelling is, even while nobody knows it.
        source = warehouse or event.warehouse
        if source == (counterparty or event.counterparty):
            return same_warehouse(source)
    if event.eta is not None and not EARLIEST <= event.eta < LATEST:
        return _outside("eta")
    return None


def _outside(field_name: str) -> Mistake:
    return Mistake(
        field_name,
        "out_of_range",
        f"{field_name} lies outside 1970 to 9998; send {EXPECTED[field_name]}",
    )
