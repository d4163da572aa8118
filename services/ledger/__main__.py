"""`python -m services.ledger consume | serve | migrate | resume | verify | archive`."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from services.ledger import wiring
from services.ledger.commands.archive import archive
from services.ledger.commands.verify import Difference, verify
from services.ledger.settings import LedgerSettings
from services.ledger.store.periods import KEPT_DAYS
from shared.clock import WallClock
from shared.database import positions
from shared.database.engine import create_engine
from shared.database.migrations import upgrade_blocking
from shared.errors import LowtideError
from shared.events import catalog_items, catalog_warehouses, stock_changes
from shared.roles import run_role

TOPICS = (stock_changes.TOPIC, catalog_items.TOPIC, catalog_warehouses.TOPIC)
"""What `consume` consumes."""


def main() -> None:
    """Run a role or a command."""
    settings = LedgerSettings()
    parser = argparse.ArgumentParser(prog="python -m services.ledger", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("consume", help="apply stock changes and publish levels")
    roles.add_parser("serve", help="answer questions about levels over HTTP")
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    resume.add_argument("--topic", choices=TOPICS, help="of this one only")
    verifying = roles.add_parser(
        "verify", help="recompute all levels from their movements; exit 1 if any differs"
    )
    verifying.add_argument(
        "--archive",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        const=settings.ledger_archive_folder,
        help="check the archive's files, too, and recompute the opening balances from them",
    )
    archiving = roles.add_parser(
        "archive", help="move old days to Parquet files; keep opening balances and filters"
    )
    archiving.add_argument(
        "--keep-days",
        metavar="N",
        type=int,
        default=settings.ledger_keep_days,
        help=f"leave what was recorded in the last N days, {KEPT_DAYS} or more (%(default)s)",
    )
    archiving.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        default=settings.ledger_archive_folder,
        help="where the files go (%(default)s)",
    )
    archiving.add_argument("--dry-run", action="store_true", help="only say what would go")
    arguments = parser.parse_args()
    if arguments.role == "consume":
        run_role("ledger", "consume", settings, partial(wiring.consume, settings))
    elif arguments.role == "serve":
        run_role("ledger", "serve", settings, partial(wiring.answer, settings))
    elif arguments.role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "ledger")
    elif arguments.role == "verify":
        sys.exit(asyncio.run(_verify(settings, arguments.archive)))
    elif arguments.role == "archive":
        if arguments.keep_days < KEPT_DAYS:
            parser.error(f"--keep-days: {KEPT_DAYS} at least, so that late changes find their past")
        sys.exit(
            asyncio.run(_archive(settings, arguments.to, arguments.keep_days, arguments.dry_run))
        )
    else:
        for topic in TOPICS if arguments.topic is None else (arguments.topic,):
            resumed = asyncio.run(_resume(settings, arguments.partition, topic))
            done = f"resumed partitions: {resumed}" if resumed else "no partition was halted"
            print(f"{topic}: {done}")


async def _resume(
    settings: LedgerSettings, partition: int | None, topic: str = stock_changes.TOPIC
) -> list[int]:
    engine = create_engine(settings.database_url.get_secret_value(), application="ledger resume")
    async with engine.begin() as connection:
        resumed = await positions.resume(connection, topic, partition)
    await engine.dispose()
    return resumed


async def _verify(settings: LedgerSettings, folder: Path | None) -> int:
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
            folder=folder,
            faulty=lambda fault: bar.console.print(fault, markup=False),
        )
    await engine.dispose()
    print(json.dumps(report.said()))
    return 0 if report.right else 1


async def _archive(settings: LedgerSettings, folder: Path, keep_days: int, dry_run: bool) -> int:
    """Return the exit code: 0 when everything that was due is done."""
    engine = create_engine(settings.database_url.get_secret_value(), application="ledger archive")
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        try:
            report = await archive(
                engine,
                folder,
                now=WallClock().now(),
                keep_days=keep_days,
                progress=lambda what, done, total: bar.update(
                    task, description=what, completed=done, total=total
                ),
                tell=lambda line: bar.console.print(line, markup=False),
                dry_run=dry_run,
            )
        except LowtideError as error:
            bar.console.print(str(error), markup=False)
            return 1
        finally:
            await engine.dispose()
    print(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    main()
