"""`archive`: move old days from the tables to files, and keep what goes on from them.

A day goes in steps, each of which holds by itself, so the command may be killed anywhere and run
again, and the ledger may go on meanwhile:

    its files are written → the openings of its levels take it in → the day is dropped

A day that is in the openings is still in the tables, but nobody looks at it there. It is dropped
only where files, openings and tables are found to agree while nothing can be written to it.
Periods of identities that nobody has to know any more are dropped, and filters made of those that
are closed. Reservations that ended long ago are forgotten, a portion at a time: their movements go
with their days. So are answers that no Idempotency-Key has to be given any more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from services.ledger.domain.commitments import keys_of
from services.ledger.domain.openings import Folding
from services.ledger.store import archive as files
from services.ledger.store import identity_filters, openings, retention
from services.ledger.store.codecs import prepare
from services.ledger.store.past import recorded
from services.ledger.store.periods import (
    days_of,
    forgettable,
    older_identities,
    present_partitions,
)
from services.ledger.store.retention import ArchivedDay
from shared.database.engine import Driver, Engine, driver
from shared.errors import LowtideError

LEVELS_AT_ONCE = 500
"""Whose openings move in one transaction: it keeps changes that happened long ago waiting."""

FORGOTTEN_AT_ONCE = 1_000
"""What one transaction forgets: a few milliseconds of the disk, between those of the ledger."""

_DROP_TRIES, _DROP_PAUSE_SECONDS = 60, 0.5
"""A reader of the whole past (`verify`) may take longer; the next run drops the day then."""

Progress = Callable[[str, int, int], None]

Place = TypeVar("Place", str, datetime)


class DayChangedError(LowtideError):
    """Something was written to a day after it was archived; it stays where it is."""


class StillReadError(LowtideError):
    """Somebody has been reading the past for long; what needs no day to go is done, run again."""

    def __init__(self, day: date) -> None:
        super().__init__(
            f"{day} could not be dropped: a reader such as `verify`, or a `statement` that is open "
            "in a pager, is at work; run again after it"
        )


@dataclass(slots=True)
class Report:
    """What was done; `days_kept` are those of age that had to stay."""

    days: int = 0
    days_kept: int = 0
    movements: int = 0
    repeats: int = 0
    identity_periods: int = 0
    filters: int = 0
    reservations: int = 0
    answers: int = 0


async def archive(
    engine: Engine,
    folder: Path,
    *,
    now: datetime,
    keep_days: int,
    keep_reservations_days: int,
    progress: Progress,
    tell: Callable[[str], None],
    dry_run: bool = False,
) -> Report:
    """Archive what was recorded more than so many days before today; returns what was done.

    Reservations that ended more than `keep_reservations_days` before `now` are forgotten, and
    answers that were given more than a week before.
    `progress` hears of (what, done, in all), `tell` of what is worth a line. Raises the
    database's errors, ForeignArchiveError, DayChangedError, StillReadError, and Stopped when
    another one is at work.
    """
    report = Report()
    today = now.date()
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        raw = await driver(connection)
        await prepare(raw)
        async with retention.alone(raw):
            ended = now - timedelta(days=keep_reservations_days)
            report.reservations = (
                await retention.ended_reservations(raw, ended)
                if dry_run
                else await _forgotten(
                    partial(retention.forget_reservations, raw, ended),
                    partial(progress, "reservations"),
                )
            )
            given = now - retention.ANSWERS_KEPT
            report.answers = (
                await retention.old_answers(raw, given)
                if dry_run
                else await _forgotten(
                    partial(retention.forget_answers, raw, given), partial(progress, "answers")
                )
            )
            present = await present_partitions(connection)
            archived = {each.day for each in await retention.archived_days(raw)}
            due = sorted(
                day
                for day in days_of("movement", present)
                if day < today - timedelta(days=keep_days)
            )
            still_read: StillReadError | None = None
            for day in due:
                if day in archived:
                    tell(f"{day} is archived already; what was recorded for it later stays")
                elif dry_run:
                    holds = {table: await files.contents(raw, table, day) for table in files.TABLES}
                    _count(report, holds["movement"].rows, holds["repeat"].rows)
                    tell(f"{day} would go: {holds['movement'].rows} movements")
                else:
                    try:
                        await _archive_day(raw, folder, day, now, report, progress, tell)
                    except StillReadError as error:
                        still_read = error  # the same reader is in the way of the days after it
                        break
            await _care_for_identities(raw, present, today, report, progress, tell, dry_run=dry_run)
            if still_read is not None:
                raise still_read
    return report


async def _care_for_identities(
    raw: Driver,
    present: Collection[str],
    today: date,
    report: Report,
    progress: Progress,
    tell: Callable[[str], None],
    *,
    dry_run: bool,
) -> None:
    """Forget the identities that are old enough, and make the filters of those that are settled."""
    for starts in days_of("identity", present):
        if forgettable(starts, today - identity_filters.SETTLED):
            if not dry_run:
                await _forget(raw, starts)
            report.identity_periods += 1
    for starts in await identity_filters.missing(raw, older_identities(present, today), today):
        what = f"filter of {starts}"
        progress(what, 0, 1)
        if dry_run or await identity_filters.build(raw, starts, partial(progress, what)):
            report.filters += 1
        else:
            tell(f"the identities of {starts} are too many for a filter: they are asked for")


def _count(report: Report, movements: int, repeats: int) -> None:
    report.days += 1
    report.movements += movements
    report.repeats += repeats


async def _archive_day(
    raw: Driver,
    folder: Path,
    day: date,
    now: datetime,
    report: Report,
    progress: Progress,
    tell: Callable[[str], None],
) -> None:
    progress(f"{day} to its files", 0, 1)
    holds = {table: await files.contents(raw, table, day) for table in files.TABLES}
    manifest = await files.write(raw, folder, day, holds)
    waiting = await _open_levels(raw, day, progress)
    if waiting:
        report.days_kept += 1
        tell(f"{day} stays: {waiting} levels have a count from until then that waits for somebody")
        return
    fault = await asyncio.to_thread(files.fault, folder, day, manifest.sha256)
    if fault is not None:
        raise DayChangedError(fault)
    both = [(table, day) for table in files.TABLES]
    movements, repeats = (holds[table].rows for table in files.TABLES)
    async with raw.transaction():
        await retention.close_to_writers(raw, both)
        left = await retention.levels_not_opened(raw, day)
        holds_now = {table: await files.contents(raw, table, day) for table in files.TABLES}
        if left or holds_now != holds:
            raise DayChangedError(
                f"{day} was written to while it was archived; delete its folder and run again"
            )
        await retention.remember_archived(
            raw, ArchivedDay(day, movements, repeats, manifest.sha256, now)
        )
        await _drop(raw, both)
    _count(report, movements, repeats)


async def _open_levels(raw: Driver, day: date, progress: Progress) -> int:
    """Move the openings of the levels that moved on a day to the last that happened there.

    Returns how many stay, because a count that waits may still become a part of their past.
    """
    after = done = waiting = 0
    while True:
        async with raw.transaction():
            await openings.hold_alone(raw)
            moved = await retention.levels_moved(raw, day, after, LEVELS_AT_ONCE)
            if not moved:
                return waiting
            held = await retention.levels_with_a_count_that_waits(raw, moved)
            waiting += len(held)
            before = await openings.reached(raw, moved)
            spans = [
                (level, before.get(level), until)
                for level, until in moved.items()
                if level not in held and (level not in before or before[level] < until)
            ]
            if spans:
                await _advance(raw, spans)
        after = max(moved)
        done += len(moved)
        progress(f"{day} to the openings", done, done + len(moved) // LEVELS_AT_ONCE)


async def _advance(raw: Driver, spans: Sequence[tuple[int, datetime | None, datetime]]) -> None:
    levels = [level for level, _, _ in spans]
    opened = await openings.of_levels(raw, levels, ())
    demanded = await retention.demanded(raw, levels)
    folding = {level: Folding(level, opened.get(level), demanded[level]) for level in levels}
    async for rows in retention.movements_between(raw, spans):
        some = [recorded(row) for row in rows]
        about = keys_of(each.change for each in some)
        for key, line in (await openings.orders_of(raw, opened, about)).items():
            folding[key.level].lines.setdefault(key, line)
        for level, movements in groupby(some, attrgetter("change.level")):
            folding[level].take([*movements])
    made = {level: each.opening for level, each in folding.items()}
    await openings.save(raw, {level: each for level, each in made.items() if each is not None})


async def _forget(raw: Driver, starts: date) -> None:
    async with raw.transaction():
        await identity_filters.forget(raw, starts)
        await _drop(raw, [("identity", starts)])


async def _forgotten(
    forget: Callable[[Place | None, int], Awaitable[tuple[int, Place | None]]],
    progress: Callable[[int, int], None],
) -> int:
    """Forget one portion after the other, each from where the one before has ended; how many."""
    done, place = 0, None
    while True:
        progress(done, done + 1)
        count, place = await forget(place, FORGOTTEN_AT_ONCE)
        done += count
        if count < FORGOTTEN_AT_ONCE:
            return done


async def _drop(raw: Driver, tables: Sequence[tuple[str, date]]) -> None:
    for _ in range(_DROP_TRIES):
        if await retention.drop(raw, tables):
            return
        await asyncio.sleep(_DROP_PAUSE_SECONDS)
    raise StillReadError(tables[0][1])
