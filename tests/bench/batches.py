"""The batches that the bare transaction is given: what the ledger's pipeline would have decided."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.ingest.outbound.stock_changes import ChangeRecord
from services.ledger.domain.changes import TYPE_OF, Change, content_hash, identity_hash
from services.ledger.domain.effects import Anchor, Effect, Entry, Known, apply
from tests.bench import workload


@dataclass(frozen=True)
class Prepared:
    """One transaction's rows, all of one partition."""

    partition: int
    changes: list[Change]
    entries: list[Entry]
    effects: dict[int, Effect]


def prepared(
    distribution: workload.Distribution,
    start: datetime,
    seed: int,
    size: int,
    ids: Mapping[tuple[str, str], int],
) -> Iterator[Prepared]:
    """Yield batches without end, each of `size` changes of one partition, as backlogs drain."""
    waiting: dict[int, list[Change]] = {}
    anchors = dict.fromkeys(ids.values(), Anchor())
    for number, (partition, record) in enumerate(
        workload.changes(distribution, 2**40, start, seed)
    ):
        some = waiting.setdefault(partition, [])
        some.append(_change(record, ids[record.sku, record.warehouse], len(some), number))
        if len(some) == size:
            entries, effects = apply(some, anchors, Known())
            anchors |= {level: effect.anchor for level, effect in effects.items()}
            yield Prepared(partition, waiting.pop(partition), entries, effects)


def _change(record: ChangeRecord, level: int, position: int, offset: int) -> Change:
    return Change(
        level,
        TYPE_OF[record.type],
        record.quantity,
        record.occurred_at,
        record.received_at,
        record.channel,
        record.id,
        record.line,
        record.reason,
        record.reference,
        record.actor,
        identity_hash(record.channel, record.id, record.line),
        content_hash(
            record.type,
            record.sku,
            record.warehouse,
            record.quantity,
            record.reason,
            record.reference,
        ),
        position,
        offset,
    )
