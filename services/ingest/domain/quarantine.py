"""What waits in quarantine, why, and what may be sent on its way again."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from services.ingest.domain.codes import IGNORED, Codes, Ignored
from shared.events.stock_changes import Bucket, ChangeType

FUTURE_TOLERANCE: Final = timedelta(minutes=5)
"""The ledger's own: what is dated further ahead comes back from it."""


class Reason(StrEnum):
    """Why a change waits: the first two are found by ingest, the others by the ledger.

    A newer release may have left others: they are kept and shown as they are.
    """

    UNKNOWN_SKU = "unknown_sku"
    UNKNOWN_WAREHOUSE = "unknown_warehouse"
    ID_REUSED = "id_reused"
    FROM_THE_FUTURE = "from_the_future"
    TOO_OLD = "too_old"
    MISPLACED = "misplaced"
    UNDECODABLE = "undecodable"
    INVALID = "invalid"


REPLAYABLE: Final = frozenset(
    {Reason.UNKNOWN_SKU, Reason.UNKNOWN_WAREHOUSE, Reason.FROM_THE_FUTURE, Reason.MISPLACED}
)
"""The same change can be accepted one day; the others need a new one."""


class State(StrEnum):
    """What became of an entry."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    """Sent to the ledger."""
    IGNORED = "ignored"
    """Its code has since been mapped to ignore; it waits again once that is changed."""
    DISMISSED = "dismissed"
    """Somebody has seen to it otherwise."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a dead letter's record lies; with the reason, its identity here."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in quarantine.

    `payload` is the change as it came (JSON; the raw text where it is none), `first_payload` for
    id_reused what the identity already has. `identity` makes repeats of a request one entry.
    """

    reason: str
    detail: str
    payload: str
    channel: str | None = None
    event_id: str | None = None
    line: str | None = None
    sku: str | None = None
    warehouse: str | None = None
    counterparty: str | None = None
    unknown_sku: str | None = None
    unknown_warehouse: str | None = None
    unknown_counterparty: str | None = None
    first_payload: str | None = None
    identity: bytes | None = None
    source: Source | None = None
    occurred_at: datetime | None = None
    received_at: datetime | None = None


class Change(Protocol):
    """What a waiting change says."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def line(self) -> str: ...  # noqa: D102
    @property
    def channel(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> ChangeType: ...  # noqa: D102
    @property
    def sku(self) -> str: ...  # noqa: D102
    @property
    def warehouse(self) -> str: ...  # noqa: D102
    @property
    def quantity(self) -> int: ...  # noqa: D102
    @property
    def occurred_at(self) -> datetime: ...  # noqa: D102
    @property
    def received_at(self) -> datetime: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102
    @property
    def reference(self) -> str | None: ...  # noqa: D102
    @property
    def counterparty(self) -> str | None: ...  # noqa: D102
    @property
    def bucket(self) -> Bucket | None: ...  # noqa: D102
    @property
    def eta(self) -> datetime | None: ...  # noqa: D102


def unknown_code(
    change: Change,
    payload: str,
    unknown_sku: str | None,
    unknown_warehouse: str | None,
    unknown_counterparty: str | None = None,
) -> Entry:
    """Return the entry of a change with a code that nobody knows (None: that one is known)."""
    unknown = [
        f"{what} {code!r}"
        for what, code in (
            ("SKU", unknown_sku),
            ("warehouse", unknown_warehouse),
            ("warehouse", unknown_counterparty),
        )
        if code is not None
    ]
    return Entry(
        reason=Reason.UNKNOWN_WAREHOUSE if unknown_sku is None else Reason.UNKNOWN_SKU,
        detail=f"there is no {' and no '.join(unknown)}; map, create or ignore it, then replay",
        payload=payload,
        channel=change.channel,
        event_id=change.id,
        line=change.line,
        sku=change.sku,
        warehouse=change.warehouse,
        counterparty=change.counterparty,
        unknown_sku=unknown_sku,
        unknown_warehouse=unknown_warehouse,
        unknown_counterparty=unknown_counterparty,
        identity=identity(change),
        occurred_at=change.occurred_at,
        received_at=change.received_at,
    )


def identity(change: Change) -> bytes:
    """Return what a change and its exact repeats share: identity and content.

    Content is everything but when it happened, when it came and who did it. The same identity
    with other content is another entry: the ledger must see it to refuse it.
    """
    parts = [
        *(change.channel, change.id, change.line),
        *(change.type.value, change.sku, change.warehouse, change.quantity),
        *(change.reason, change.reference),
    ]
    eta = None if change.eta is None else change.eta.astimezone(UTC).isoformat()
    added = (change.counterparty, change.bucket, eta)
    if added != (None, None, None):
        # Left out where none is there: a change stays the entry that it was before these came.
        parts += added
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def resolve(
    reason: str, change: Change, codes: Codes, now: datetime
) -> tuple[str, str, str | None] | Ignored | None:
    """Return SKU, warehouse and counterparty to send a waiting change with, or IGNORED.

    None: not yet. A transfer whose two codes were mapped to one warehouse waits until one of the
    mappings is corrected.
    """
    if reason not in REPLAYABLE:
        return None
    sku = codes.sku(change.channel, change.sku)
    warehouse = codes.warehouse(change.channel, change.warehouse)
    named = change.counterparty
    counterparty = None if named is None else codes.warehouse(change.channel, named)
    if sku is IGNORED or warehouse is IGNORED or counterparty is IGNORED:
        return IGNORED
    if sku is None or warehouse is None or counterparty == warehouse:
        return None
    if counterparty is None and named is not None:
        return None
    if reason == Reason.FROM_THE_FUTURE and change.occurred_at > now + FUTURE_TOLERANCE:
        return None
    return sku, warehouse, counterparty
