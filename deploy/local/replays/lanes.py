"""Lay the changes out in lanes of ready-made request bodies.

All changes of a SKU go through one lane, a lane is posted strictly in sequence, and within it
changes stand in the order in which they happened: that is the order the ledger receives them in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

import msgspec

from deploy.local.replays.mapping import Mapped
from deploy.local.replays.supply import Supplied

BATCH_EVENTS = 1_000
"""What one `POST /v1/events` may carry."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request: a JSON array of `events` events, the first of which happened at `at`."""

    body: bytes
    events: int
    at: datetime


def lay_out(
    lines: Iterable[Mapped],
    supplies: Iterable[Supplied],
    *,
    lanes: int,
    span: timedelta | None = None,
    batch_events: int = BATCH_EVENTS,
) -> list[list[Batch]]:
    """Return the batches of each lane, encoded.

    `lines` are consumed before `supplies`, which may depend on them. At one instant an opening
    count comes first, then receipts, then lines in file order. `span` bounds the time between a
    batch's first and last event, for replays at a multiple of real time.
    """
    encode = msgspec.json.Encoder().encode
    entries: list[tuple[datetime, int, int, int, bytes]] = []
    for position, line in enumerate(lines):
        entries.append((line.at, 2, position, lane_of(line.folded, lanes), encode(line.change)))
    for position, supply in enumerate(supplies):
        step = 0 if supply.change.type == "count" else 1
        lane = lane_of(supply.folded, lanes)
        entries.append((supply.at, step, position, lane, encode(supply.change)))
    entries.sort(key=lambda entry: entry[:3])

    batches: list[list[Batch]] = [[] for _ in range(lanes)]
    waiting: list[list[bytes]] = [[] for _ in range(lanes)]
    began: list[datetime | None] = [None] * lanes

    def close(lane: int) -> None:
        first = began[lane]
        if first is not None:
            batches[lane].append(_batch(waiting[lane], first))
        waiting[lane], began[lane] = [], None

    for at, _, _, lane, body in entries:
        first = began[lane]
        if len(waiting[lane]) == batch_events or (first and span and at - first >= span):
            close(lane)
        if began[lane] is None:
            began[lane] = at
        waiting[lane].append(body)
    for lane in range(lanes):
        close(lane)
    return batches


def lane_of(folded: str, lanes: int) -> int:
    """Return the lane of a SKU, the same for all spellings of its code."""
    return crc32(folded.encode()) % lanes


def _batch(events: Sequence[bytes], at: datetime) -> Batch:
    return Batch(b"[" + b",".join(events) + b"]", len(events), at)
