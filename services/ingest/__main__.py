"""`python -m services.ingest serve | consume | migrate | republish`."""

import argparse
import sys
from datetime import datetime
from functools import partial
from pkgutil import resolve_name

from services.ingest.settings import IngestSettings
from services.ingest.store import catalogue, configuration
from services.ingest.store.database import Database
from shared.clock import WallClock
from shared.commands import carried_out, engine_of
from shared.database.migrations import upgrade_blocking
from shared.roles import run_role
from shared.settings import from_environment

RENEWED_AT_ONCE = 1_000
"""SKUs that one transaction keeps from being edited."""


def main() -> None:
    """Run a role or a command."""
    parser = argparse.ArgumentParser(prog="python -m services.ingest", description=__doc__)
    commands = parser.add_subparsers(dest="role", required=True)
    commands.add_parser("serve", help="answer HTTP: events, catalogue, quarantine")
    commands.add_parser("consume", help="bring what the ledger refused into quarantine")
    commands.add_parser("migrate", help="bring the database to the newest schema")
    commands.add_parser(
        "republish", help="tell the whole catalogue anew; to be run after the database was restored"
    )
    role = parser.parse_args().role
    settings = from_environment(IngestSettings)
    if role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "ingest")
    elif role == "republish":
        sys.exit(carried_out(republish(settings, WallClock().now())))
    else:
        # A role loads its own parts alone.
        run = resolve_name(f"services.ingest.wiring.{role}:run")
        run_role("ingest", role, settings, partial(run, settings))


async def republish(settings: IngestSettings, now: datetime) -> int:
    """Give the catalogue new versions, which a running `serve` publishes; returns 0."""
    async with engine_of(settings.database_url, "ingest republish") as engine:
        database = Database(engine)
        warehouses = await database.write(configuration.renew_warehouses, now)
        skus, after = 0, ""
        while True:
            renewed, after = await database.write(catalogue.renew, after, RENEWED_AT_ONCE, now)
            skus += renewed
            if renewed < RENEWED_AT_ONCE:
                break
    print(f"to be told anew by `serve`: {skus} SKUs, {warehouses} warehouses")
    return 0


if __name__ == "__main__":
    main()
