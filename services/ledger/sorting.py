"""Sort the changes of a batch out: what is new, what is a repeat, what is refused."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from services.ledger.domain.changes import (
    NAME_OF,
    TYPE_OF,
    Change,
    Type,
    content_hash,
    identity_hash,
)
from services.ledger.domain.identities import RecentIdentities
from services.ledger.inbound.stock_changes import Incoming
from services.ledger.memory import Place
from services.ledger.store import identities, openings
from services.ledger.store.identities import First
from services.ledger.store.identities import Known as KnownIdentity
from services.ledger.store.identity_filters import Filters
from services.ledger.store.periods import CLOSED_DAYS, Periods
from shared.database.engine import Driver
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import Bucket, ChangeType
from shared.kafka.handler import Batch

# Bound once: these are asked of every change there is.
_TRANSFER_SHIPPED, _ON_HAND = ChangeType.TRANSFER_SHIPPED, Bucket.ON_HAND

FUTURE = timedelta(minutes=5)
"""A change dated further ahead is refused: one count dated 2099 would freeze a level."""


def identified(
    batch: Batch,
    incoming: Sequence[Incoming | None],
    places: Sequence[Place | None],
    find: Callable[[str, str], Place | None],
) -> list[Change]:
    """Return the batch's changes; one in another partition than its SKU's is refused.

    `places` has the place of each, `find` those of transfers' other warehouses.
    """
    changes = []
    for position, (record, each, place) in enumerate(
        zip(batch.records, incoming, places, strict=True)
    ):
        if each is None:
            continue
        if place is None or place.partition != record.partition:
            batch.dead(
                record,
                DeadReason.MISPLACED,
                "not in its SKU's partition; once all that writes is of this release, replay it",
            )
            continue
        bucket = None if each.bucket is _ON_HAND else each.bucket
        other = None
        if each.type is _TRANSFER_SHIPPED and each.counterparty is not None:
            other = find(each.sku, each.counterparty)
        changes.append(
            Change(
                place.id,
                TYPE_OF[each.type],
                each.quantity,
                each.occurred_at,
                each.received_at,
                each.channel,
                each.id,
                each.line,
                each.reason,
                each.reference,
                each.actor,
                identity_hash(each.channel, each.id, each.line),
                content_hash(
                    each.type,
                    each.sku,
                    each.warehouse,
                    each.quantity,
                    each.reason,
                    each.reference,
                    each.counterparty,
                    bucket,
                    each.eta,
                ),
                position,
                record.offset,
                each.counterparty,
                bucket,
                each.eta,
                None if other is None else other.id,
            )
        )
    return changes


class Sorting:
    """Knows the newest identities by heart, and asks the database about the others."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._recent = RecentIdentities()
        self._met_old_repeat = False
        """Whether the last batch had repeats older than memory: they come in runs."""

    def remember(self, known: Iterable[bytes]) -> None:
        """Take in identities whose transaction is durable."""
        self._recent.add(known)

    async def sort_out(
        self,
        database: Driver,
        periods: Periods,
        batch: Batch,
        changes: list[Change],
        recorded_at: datetime,
        *,
        add: bool,
        place_of: Callable[[int], Place],
    ) -> tuple[list[Change], list[tuple[Change, datetime]]]:
        """Part new changes from repeats; a known identity with other content is refused.

        Identity comes first: a repeat is a repeat, whatever its times say. Unless the identities
        are to be added here, those of the current period that memory does not know pass for new.
        `place_of` finds a level's place by its id.
        """
        closed = await _closed(database, changes, recorded_at)
        fresh, again, doubtful = self._sort_by_memory(changes, recorded_at + FUTURE, closed)
        known = await identities.known_identities(database, doubtful) if doubtful else {}
        for change in doubtful:
            if change.hash in known:
                again.append(change)
            elif change.occurred_at > recorded_at + FUTURE:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.FROM_THE_FUTURE,
                    f"occurred_at {change.occurred_at.isoformat()} is more than five minutes "
                    "ahead; check the clock of what sent it",
                )
            elif change.position in closed:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.TOO_OLD,
                    f"occurred_at {change.occurred_at.isoformat()} is not after "
                    f"{closed[change.position].isoformat()}, up to which the past of its level "
                    "is archived; count what is there now",
                )
            elif fresh.setdefault(change.hash, change) is not change:
                again.append(change)
        if fresh:
            met = await identities.earlier_identities(
                database, periods, self._filters, list(fresh.values())
            )
            again += [fresh.pop(identity) for identity in met]
            if add:
                added = list(fresh.values())
                old = await identities.add_identities(
                    database, periods, added, recorded_at, ask_first=self._met_old_repeat
                )
                self._met_old_repeat = bool(old)
                again += [fresh.pop(identity) for identity in old]
                met |= old
            known |= met
        repeats = []
        for change in again:
            first = known.get(change.hash) or _known(fresh[change.hash])
            if change.content == first.content:
                repeats.append((change._replace(level=first.level), first.occurred_at))
            else:
                batch.dead(
                    batch.records[change.position],
                    DeadReason.ID_REUSED,
                    f"({change.channel}, {change.id}, {change.line}) is known with other content",
                    first=await _first_told(database, change, first, fresh, place_of),
                )
        return list(fresh.values()), repeats

    def _sort_by_memory(
        self, changes: list[Change], horizon: datetime, closed: Collection[int]
    ) -> tuple[dict[bytes, Change], list[Change], list[Change]]:
        """Part changes into those probably new, repeats within them, and those to ask about."""
        fresh: dict[bytes, Change] = {}
        again: list[Change] = []
        doubtful: list[Change] = []
        recent = self._recent.among(change.hash for change in changes)
        for change in changes:
            identity = change.hash
            if (
                identity in recent
                or change.occurred_at > horizon
                or (closed and change.position in closed)
            ):
                (again if identity in fresh else doubtful).append(change)
            elif fresh.setdefault(identity, change) is not change:
                again.append(change)
        return fresh, again, doubtful


async def _closed(
    database: Driver, changes: Sequence[Change], recorded_at: datetime
) -> dict[int, datetime]:
    """Return until when the past is archived where changes happened before, by position.

    Only what is older than any archived day can be is asked about, so nothing needs to be
    remembered, and a day may be archived at any moment.
    """
    limit = recorded_at - CLOSED_DAYS
    old = [change for change in changes if change.occurred_at < limit]
    if not old:
        return {}
    await openings.hold_still(database)
    concerned = {change.level for change in old}
    concerned.update(change.other for change in old if change.other is not None)
    until = await openings.reached(database, concerned)
    closed = {}
    for change in old:
        ends = [until[level] for level in (change.level, change.other) if level in until]
        if ends and change.occurred_at <= max(ends):
            closed[change.position] = max(ends)
    return closed


async def _first_told(
    database: Driver,
    change: Change,
    known: KnownIdentity,
    fresh: dict[bytes, Change],
    place_of: Callable[[int], Place],
) -> str | None:
    first = fresh.get(change.hash)
    if first is not None:
        place = place_of(first.level)
        return _told(
            First(
                place.sku,
                place.warehouse,
                first.type,
                first.quantity,
                first.reason,
                first.reference,
                first.occurred_at,
                first.counterparty,
                first.bucket,
                first.eta,
            )
        )
    row = await identities.first_content(database, known.level, known.occurred_at, change)
    return None if row is None else _told(row)


def _known(change: Change) -> KnownIdentity:
    return KnownIdentity(change.hash, change.content, change.level, change.occurred_at)


def _told(first: First) -> str:
    """Return what was first recorded under an identity, as JSON for a person to compare."""
    kind = Type.COUNT if first.type == Type.COUNT_WAITING else first.type
    said = first._asdict() | {
        "type": NAME_OF[kind],
        "occurred_at": first.occurred_at.isoformat(),
        "eta": None if first.eta is None else first.eta.isoformat(),
    }
    for rare in ("counterparty", "bucket", "eta"):
        if said[rare] is None:
            del said[rare]
    return json.dumps(said, ensure_ascii=False)
