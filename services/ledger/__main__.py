"""`python -m services.ledger consume | serve | migrate | resume | verify | statement`."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from datetime import datetime
from functools import partial

import msgspec
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import Progress

from services.ledger import wiring
from services.ledger.commands.statement import TEXTS, Period, as_document, as_table, read
from services.ledger.commands.verify import Difference, verify
from services.ledger.settings import LedgerSettings
from shared.database import positions
from shared.database.engine import create_engine
from shared.database.migrations import upgrade_blocking
from shared.events import catalog_items, catalog_warehouses, stock_changes
from shared.events.base import Instant
from shared.roles import run_role

TOPICS = (stock_changes.TOPIC, catalog_items.TOPIC, catalog_warehouses.TOPIC)
"""What `consume` consumes."""


def main() -> None:
    """Run a role or a command."""
    parser = argparse.ArgumentParser(prog="python -m services.ledger", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("consume", help="apply stock changes and publish levels")
    roles.add_parser("serve", help="answer questions about levels over HTTP")
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    resume.add_argument("--topic", choices=TOPICS, help="of this one only")
    roles.add_parser(
        "verify", help="recompute all levels from their movements; exit 1 if any differs"
    )
    _add_statement(roles.add_parser("statement", help="show the movements of a level"))
    arguments = parser.parse_args()
    settings = LedgerSettings()
    if arguments.role == "consume":
        run_role("ledger", "consume", settings, partial(wiring.consume, settings))
    elif arguments.role == "serve":
        run_role("ledger", "serve", settings, partial(wiring.answer, settings))
    elif arguments.role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "ledger")
    elif arguments.role == "verify":
        sys.exit(asyncio.run(_verify(settings)))
    elif arguments.role == "statement":
        sys.exit(asyncio.run(_statement(settings, arguments)))
    else:
        for topic in TOPICS if arguments.topic is None else (arguments.topic,):
            resumed = asyncio.run(_resume(settings, arguments.partition, topic))
            done = f"resumed partitions: {resumed}" if resumed else "no partition was halted"
            print(f"{topic}: {done}")


def _add_statement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sku")
    parser.add_argument("warehouse")
    parser.add_argument("--from", dest="start", type=_instant, help="first instant")
    parser.add_argument("--to", dest="end", type=_instant, help="first instant after")
    parser.add_argument("--as-of", type=_instant, help="what had happened by then")
    parser.add_argument("--known-at", type=_instant, help="what had been recorded by then")
    parser.add_argument("--language", choices=sorted(TEXTS), default="en")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each movement")


def _instant(text: str) -> datetime:
    """Return an instant of ISO 8601; argparse tells of the ValueError of one that has no zone."""
    return TypeAdapter(Instant).validate_python(text)


async def _statement(settings: LedgerSettings, asked: argparse.Namespace) -> int:
    """Return the exit code: 2 when there is no such level."""
    engine = create_engine(settings.database_url.get_secret_value(), application="ledger statement")
    period = Period(asked.start, asked.end, asked.as_of, asked.known_at)
    told = await read(engine, asked.sku, asked.warehouse, period)
    await engine.dispose()
    if told is None:
        print(
            f"There is no level of SKU {asked.sku} in warehouse {asked.warehouse}; "
            "check both codes.",
            file=sys.stderr,
        )
        return 2
    if asked.json:
        for line in told.lines:
            print(msgspec.json.encode(as_document(told, line)).decode())
    else:
        Console().print(as_table(told, asked.language))
    return 0


async def _resume(
    settings: LedgerSettings, partition: int | None, topic: str = stock_changes.TOPIC
) -> list[int]:
    engine = create_engine(settings.database_url.get_secret_value(), application="ledger resume")
    async with engine.begin() as connection:
        resumed = await positions.resume(connection, topic, partition)
    await engine.dispose()
    return resumed


async def _verify(settings: LedgerSettings) -> int:
    """Return the exit code: 0 when every level is what its movements make it."""

    def tell(difference: Difference) -> None:
        bar.console.print(
            f"{difference.sku} in {difference.warehouse}: {difference.field} is stored as "
            f"{difference.stored}, its movements make it {difference.recomputed}",
            markup=False,
        )

    engine = create_engine(settings.database_url.get_secret_value(), application="ledger verify")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("levels", total=None)
        report = await verify(
            engine,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            found=tell,
        )
    await engine.dispose()
    print(json.dumps(asdict(report)))
    return 1 if report.differing else 0


if __name__ == "__main__":
    main()
