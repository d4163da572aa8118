"""`verify --topic`: compare what `stock.levels` tells of each level with the database.

    snapshot of the database → the topic up to its end → compare → look again at what is newer

See `comparing`. It reads the whole topic; `checking` does so for what has changed since it looked
last.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.ledger.comparing import Finding, Told, compare_all, unexplained
from services.ledger.store import levels as stored_levels
from shared.database import positions
from shared.database.engine import Engine, driver, snapshot
from shared.events.stock_changes import TOPIC as STOCK_CHANGES
from shared.events.stock_levels import GENERATION_SHIFT
from shared.kafka.log import LogReader


@dataclass(slots=True)
class Report:
    """What was looked at and found; `waiting` levels are to be told by the next claim."""

    levels: int = 0
    records: int = 0
    waiting: int = 0
    differing: int = 0
    republished: int = 0


async def verify_topic(
    engine: Engine,
    reader: LogReader,
    *,
    progress: Callable[[int, int], None],
    found: Callable[[Finding], None],
) -> tuple[Report, list[Finding]]:
    """Compare; returns the findings, each of which `found` has heard of.

    `progress` hears of (levels done, levels in all). Raises the database's errors, and
    Unavailable while the broker is away.
    """
    report, topic = Report(), Told(reader)
    findings: list[Finding] = []
    newer: list[Finding] = []
    await reader.seek_to_beginning()
    async with snapshot(engine) as connection:
        expected = await stored_levels.number_of_levels(connection)
        published = {
            each.partition: each.published
            for each in await positions.read(connection, STOCK_CHANGES)
        }
        await topic.read_to_end()
        report.records = topic.records
        async for done in compare_all(await driver(connection), published, topic.values):
            report.levels += done.levels
            report.waiting += done.waiting
            findings += done.findings
            newer += done.newer
            progress(report.levels, expected)
    findings += await unexplained(engine, newer)
    for finding in findings:
        found(finding)
    report.differing = len(findings)
    return report, findings


def newest_generation(findings: list[Finding]) -> int:
    """Return the newest generation that the topic tells of where something is wrong."""
    return max((each.told or 0 for each in findings), default=0) >> GENERATION_SHIFT
