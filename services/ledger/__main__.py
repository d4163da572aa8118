"""`python -m services.ledger consume | serve | migrate | resume`."""

import argparse
import asyncio
from functools import partial

from services.ledger import wiring
from services.ledger.settings import LedgerSettings
from shared.database import positions
from shared.database.engine import create_engine
from shared.database.migrations import upgrade_blocking
from shared.events.stock_changes import TOPIC
from shared.roles import run_role


def main() -> None:
    """Run a role or a command."""
    parser = argparse.ArgumentParser(prog="python -m services.ledger", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("consume", help="apply stock changes and publish levels")
    roles.add_parser("serve", help="answer questions about levels over HTTP")
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    arguments = parser.parse_args()
    settings = LedgerSettings()
    if arguments.role == "consume":
        run_role("ledger", "consume", settings, partial(wiring.consume, settings))
    elif arguments.role == "serve":
        run_role("ledger", "serve", settings, partial(wiring.answer, settings))
    elif arguments.role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "ledger")
    else:
        resumed = asyncio.run(_resume(settings, arguments.partition))
        print(f"resumed partitions: {resumed}" if resumed else "no partition was halted")


async def _resume(settings: LedgerSettings, partition: int | None) -> list[int]:
    engine = create_engine(settings.database_url.get_secret_value(), application="ledger resume")
    async with engine.begin() as connection:
        resumed = await positions.resume(connection, TOPIC, partition)
    await engine.dispose()
    return resumed


if __name__ == "__main__":
    main()
