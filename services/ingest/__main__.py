"""Run a role of ingest: `python -m services.ingest serve | consume | migrate`."""

import argparse
from functools import partial
from pkgutil import resolve_name

from services.ingest.settings import IngestSettings
from shared.database.migrations import upgrade_blocking
from shared.roles import run_role


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m services.ingest", description=__doc__)
    commands = parser.add_subparsers(dest="role", required=True)
    commands.add_parser("serve", help="answer HTTP: events, catalogue, quarantine")
    commands.add_parser("consume", help="bring what the ledger refused into quarantine")
    commands.add_parser("migrate", help="bring the database to the newest schema")
    role = parser.parse_args().role
    settings = IngestSettings()
    if role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "ingest")
    else:
        # A role loads its own parts alone.
        run = resolve_name(f"services.ingest.wiring.{role}:run")
        run_role("ingest", role, settings, partial(run, settings))


if __name__ == "__main__":
    main()
