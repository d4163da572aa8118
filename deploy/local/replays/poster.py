"""Post the lanes through `POST /v1/events`, each strictly in sequence, all of them together."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from deploy.local.replays.lanes import Batch
from deploy.local.replays.lowtide import Lowtide


@dataclass(slots=True)
class Tally:
    """What ingest answered, in events, as it grows; `posted` are all that were answered.

    `repeated` counts requests that had to be made again, for want of an answer or after a 503.
    """

    total: int
    posted: int = 0
    accepted: int = 0
    ignored: int = 0
    quarantined: int = 0
    rejected: int = 0
    repeated: int = 0

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1."""
        return self.posted / self.total if self.total else 1.0


class Gate(Protocol):
    """Lets a lane go on; waits while something has to happen at this point of the run."""

    async def passed(self) -> None:
        """Return when the next batch may be posted; called after each."""


class OpenGate:
    """A gate that is always open."""

    async def passed(self) -> None:
        """Return at once."""


@dataclass(frozen=True)
class Pace:
    """A multiple of real time: a batch is due when its first event would happen at this speed."""

    speed: float
    begin: datetime

    def due_s(self, batch: Batch) -> float:
        """Return when a batch is due, in seconds after the start."""
        return (batch.at - self.begin).total_seconds() / self.speed


async def post_lanes(
    lowtide: Lowtide,
    lanes: Sequence[Sequence[Batch]],
    tally: Tally,
    *,
    gate: Gate,
    pace: Pace | None = None,
) -> None:
    """Post everything and return when the last batch is answered.

    A batch that was not answered is posted again before anything else of its lane, so the order
    within a SKU survives; Lowtide recognises what it had already taken. The first batches go one
    after the other: a broker that has just started takes seconds for eight at once.
    """
    began = time.monotonic()

    async def post(batches: Iterable[Batch]) -> None:
        for batch in batches:
            if pace is not None:
                await asyncio.sleep(max(0.0, began + pace.due_s(batch) - time.monotonic()))
            await _post(lowtide, batch, tally)
            await gate.passed()

    for lane in lanes:
        await post(lane[:1])
    async with asyncio.TaskGroup() as posting:
        for lane in lanes:
            posting.create_task(post(lane[1:]))


async def _post(lowtide: Lowtide, batch: Batch, tally: Tally) -> None:
    def repeating() -> None:
        tally.repeated += 1

    response = await lowtide.post_events(batch.body, repeating)
    answer = response.json()
    if response.is_success:
        tally.accepted += answer["accepted"]
        tally.ignored += answer["ignored"]
        tally.quarantined += answer["quarantined"]
        tally.rejected += len({entry["index"] for entry in answer["rejected"]})
    else:
        tally.rejected += len({entry["index"] for entry in answer["errors"]})
    tally.posted += batch.events
