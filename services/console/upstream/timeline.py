"""An episode as one story: what happened, and whom each step was told."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from services.console.upstream.answers import Revision
from services.console.upstream.delivery_answers import CountedDelivery


@dataclass(frozen=True, slots=True)
class Step:
    """A revision and the notices that tell it, the earliest first."""

    revision: Revision
    notices: tuple[CountedDelivery, ...] = ()


def timeline(
    history: Sequence[Revision], deliveries: Sequence[CountedDelivery]
) -> tuple[Step, ...]:
    """Return the steps, the newest first; `deliveries` are those of the episode."""
    by_revision: defaultdict[int | None, list[CountedDelivery]] = defaultdict(list)
    for delivery in sorted(deliveries, key=lambda one: one.created_at):
        # What nobody wanted is told once by the list of notices, not at every step.
        if delivery.destination is not None:
            by_revision[delivery.revision].append(delivery)
    steps = sorted(history, key=lambda one: one.revision, reverse=True)
    return tuple(Step(one, tuple(by_revision[one.revision])) for one in steps)
