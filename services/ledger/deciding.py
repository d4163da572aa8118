"""Reservations on one screen: how the requests that wait are decided in one transaction.

    answered before? → lock what they are about → decide one after the other → store → answer

Whoever needs a level, or a reservation, that somebody else holds just then is asked for again in a
moment, so that the others need not wait with it, and nobody waits who holds something himself.

Levels that change are left for the workers of their partitions, who alone publish. All instants
are taken under the locks, so that what happens to a level happens in the order of its commits.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from services.ledger.domain.commitments import Book, Key, Kind
from services.ledger.domain.effects import Known
from services.ledger.domain.items import Item
from services.ledger.domain.reservations import (
    CHANNEL,
    Decisions,
    Fulfil,
    LockedLevel,
    Outcome,
    Place,
    Request,
    Reservation,
    Reserve,
    Reused,
    taken_apart,
)
from services.ledger.domain.statement import openings_of
from services.ledger.store import commitments, past
from services.ledger.store import reservations as store
from services.ledger.store.changes import levels_of
from services.ledger.store.items import items_of
from services.ledger.store.reservations import Answer
from shared.clock import Clock
from shared.database.engine import Driver
from shared.events.topics import STOCK_CHANGES
from shared.kafka.partitions import partition_of

EXPIRED_AT_ONCE = 200
"""Reservations that one transaction lets expire at the most, so that levels are held shortly."""

Present = Callable[[Request, Outcome], tuple[int, bytes]]
"""Makes the HTTP status and the body of what became of a request."""


async def decide(
    driver: Driver,
    requests: Sequence[Request],
    clock: Clock,
    present: Present,
    *,
    wait: bool,
) -> list[tuple[int, bytes] | None]:
    """Return an answer to each request, within the caller's transaction.

    Without waiting, None for those of which somebody else holds a level, or the reservation, at the
    moment. No two of them have the same Idempotency-Key. Raises UniqueViolationError when somebody
    else has answered under one meanwhile: then the transaction is to be repeated.
    """
    keys = [each.once.key for each in requests if each.once is not None]
    known = await store.answers(driver, keys) if keys else {}
    new = [each for each in requests if each.once is None or each.once.key not in known]
    ends = {each.id for each in new if not isinstance(each, Reserve)}
    held = await store.lock(driver, ends, wait=wait) if ends else {}
    elsewhere: set[str] = set()
    if not wait and (missed := ends - held.keys()):
        elsewhere = await store.there_are(driver, missed)
    decisions, busy = await _locked(driver, new, held, clock, wait=wait)

    answered: list[Answer] = []
    answers: list[tuple[int, bytes] | None] = []
    for request in requests:
        once = request.once
        first = None if once is None else known.get(once.key)
        if once is not None and first is not None:
            same = first.content == once.content
            answers.append(first[2:] if same else present(request, Reused()))
            continue
        if request.id in elsewhere or (
            busy and not busy.isdisjoint(_places(request, decisions.items, held))
        ):
            answers.append(None)
            continue
        status, body = present(request, decisions.decide(request))
        answers.append((status, body))
        if once is not None:
            answered.append(Answer(once.key, once.content, status, body))
    await _store(driver, decisions, answered)
    return answers


async def expire(driver: Driver, partitions: Collection[int], clock: Clock) -> int:
    """Take back what reservations hold whose time is up; returns how many."""
    due = await store.lock_expired(driver, clock.now(), partitions, EXPIRED_AT_ONCE)
    if due:
        decisions, _ = await _locked(driver, (), {each.id: each for each in due}, clock, wait=True)
        for each in due:
            decisions.expire(decisions.reservations[each.id])
        await _store(driver, decisions, ())
    return len(due)


async def _locked(
    driver: Driver,
    requests: Sequence[Request],
    held: dict[str, Reservation],
    clock: Clock,
    *,
    wait: bool,
) -> tuple[Decisions, set[Place]]:
    """Lock the levels concerned, and read all that decisions on them depend on.

    Returns as well where somebody else holds a level, unless it is waited for.
    """
    wanted = [each for each in requests if isinstance(each, Reserve)]
    items = await _items(driver, wanted) if wanted else {}
    lines = [(each, line) for each in wanted for line in taken_apart(each.wanted, items)]
    places = {(line.sku, line.warehouse) for _, line in lines}
    places |= {(line.sku, line.warehouse) for each in held.values() for line in each.lines}
    levels = await store.lock_levels(driver, places, wait=wait) if places else {}
    busy: set[Place] = set()
    if not wait and (missed := places - levels.keys()):
        busy = await store.there(driver, missed)
    new = [
        place
        for place in places - levels.keys() - busy
        if (item := items.get(place[0])) is not None and item.oversell
    ]
    if new:
        partitions = STOCK_CHANGES.partitions
        await levels_of(driver, [(*place, partition_of(place[0], partitions)) for place in new])
        levels |= await store.lock_levels(driver, new)
    demanding = {each.id for each in levels.values() if each.demanding}
    intricate = {each.id for each in levels.values() if each.anchor.intricate}
    orders = {
        Key(level.id, Kind.ORDER, each.reference)
        for each, line in lines
        if each.reference is not None
        if (level := levels.get((line.sku, line.warehouse))) is not None
    } | {
        Key(line.level, Kind.ORDER, line.reference) for each in held.values() for line in each.lines
    }
    dated = demanding if any(isinstance(each, Fulfil) for each in requests) else ()
    book = Book(await commitments.lines_of(driver, dated, orders) if orders or dated else {})
    pasts = await past.of_levels(driver, intricate) if intricate else {}
    known = Known(
        standing={each.id: each.standing for each in levels.values()},
        past={level: each.changes for level, each in pasts.items()},
        openings=openings_of(pasts),
        book=book,
        demanding=demanding,
    )
    matched = await _as_matched(driver, held, book)
    return Decisions(levels, known, matched, clock.now(), items), busy


def _places(
    request: Request, items: Mapping[str, Item], held: Mapping[str, Reservation]
) -> set[Place]:
    if isinstance(request, Reserve):
        return {(line.sku, line.warehouse) for line in taken_apart(request.wanted, items)}
    found = held.get(request.id)
    return set() if found is None else {(line.sku, line.warehouse) for line in found.lines}


async def _items(driver: Driver, wanted: Sequence[Reserve]) -> dict[str, Item]:
    """Return what is known of the SKUs that are asked for, and of the components of kits."""
    items = await items_of(driver, {line.sku for each in wanted for line in each.wanted})
    components = {part.sku for item in items.values() for part in item.kit} - items.keys()
    return items | await items_of(driver, components) if components else items


async def _as_matched(
    driver: Driver, held: dict[str, Reservation], book: Book
) -> dict[str, Reservation]:
    """Read anew which reports are spoken for, where channels have reported any."""
    doubtful = {
        each.id
        for each in held.values()
        for line in each.lines
        if (order := book.lines.get(Key(line.level, Kind.ORDER, line.reference))) is not None
        and (order.shipped, order.cancelled) != line.since
    }
    if not doubtful:
        return held
    since = await store.since(driver, doubtful)
    return held | {id_: held[id_].with_since(since) for id_ in doubtful}


async def _store(driver: Driver, decisions: Decisions, answered: Sequence[Answer]) -> None:
    if decisions.known.book.changed:
        await commitments.closed(driver, decisions.known.book)
    if decisions.matches:
        await store.take_off(driver, decisions.matches)
    if decisions.effects or answered:
        await store.store(
            driver,
            at=decisions.at,
            channel=CHANNEL,
            entries=decisions.entries,
            effects=decisions.effects,
            levels=_partitions(decisions.levels),
            made=decisions.made,
            ended=decisions.ended,
            answered=answered,
        )


def _partitions(levels: Mapping[Place, LockedLevel]) -> dict[int, int]:
    return {each.id: each.partition for each in levels.values()}
