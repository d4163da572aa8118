"""What goes next where the vendor counts what each person gets: everybody has a queue of their own.

A message for several people goes to all who have room, and those who have had enough get their part
of it later, with whatever else they have not had, as a digest. So nobody waits because somebody
else has much to read, but for a message that may have arrived: it is repeated as it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from services.notifier.domain.limits import (
    Candidate,
    Merge,
    Rest,
    Send,
    Step,
    Window,
    next_step,
)


def next_step_by_reader(
    waiting: Sequence[Candidate],
    window: Callable[[str], Window],
    now: datetime,
    resting: Collection[str] = (),
) -> Step:
    """Decide what to do next for whoever may be written to now.

    `waiting` is what may be sent now, most important first; `window` returns a reader's; `resting`
    are those who have had enough by what came before. Returns Rest where that is everybody, until
    the first of the others may have more.
    """
    queues: dict[str, list[Candidate]] = {}
    for each in waiting:
        for reader in each.readers:
            queues.setdefault(reader, []).append(each)
    steps = {
        reader: Rest(None) if reader in resting else next_step(own, window(reader), now)
        for reader, own in queues.items()
    }
    for each in waiting:
        step = _step_of(each, steps)
        if step is not None:
            return step
    moments = [step.until for step in steps.values() if isinstance(step, Rest) and step.until]
    return Rest(min(moments, default=None))


def _step_of(candidate: Candidate, steps: Mapping[str, Step]) -> Send | Merge | None:
    """Return what may be done with a candidate, or because of it; None: nothing for now."""
    key = candidate.together
    whole: Step = Send(candidate.id) if key is None else Merge(key)
    ready = tuple(reader for reader in candidate.readers if steps[reader] == whole)
    apart = tuple(reader for reader in candidate.readers if steps[reader] != whole)
    if ready and not (apart and candidate.whole):
        return Send(candidate.id, apart) if key is None else Merge(key, ready, apart)
    crowded = next((reader for reader in apart if steps[reader] == Merge()), None)
    return None if crowded is None else Merge(readers=(crowded,))
