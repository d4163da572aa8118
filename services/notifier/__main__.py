"""`python -m services.notifier consume | send | serve | migrate | resume | forget`."""

import argparse
import sys
from datetime import datetime, timedelta
from functools import partial
from pkgutil import resolve_name

from services.notifier.settings import NotifierSettings, SecretSettings
from services.notifier.store import retention
from shared.clock import WallClock
from shared.commands import carried_out, engine_of
from shared.database import positions
from shared.database.migrations import upgrade_blocking
from shared.events.alert_reports import TOPIC as REPORTS_TOPIC
from shared.events.stock_alerts import TOPIC
from shared.roles import run_role
from shared.settings import from_environment


def main() -> None:
    """Run a role or a command."""
    parser = argparse.ArgumentParser(prog="python -m services.notifier", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser(
        "consume", help="turn alerts and reports into deliveries, and publish what people answer"
    )
    roles.add_parser("send", help="send deliveries to their destinations")
    roles.add_parser(
        "serve", help="answer HTTP: destinations, routes, deliveries, what people answer"
    )
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    roles.add_parser("forget", help="forget what was over long ago; to be run every day")
    arguments = parser.parse_args()
    sealing = arguments.role in {"send", "serve"}
    settings = from_environment(SecretSettings if sealing else NotifierSettings)
    if arguments.role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "notifier")
    elif arguments.role == "resume":
        sys.exit(carried_out(_resume(settings, arguments.partition)))
    elif arguments.role == "forget":
        sys.exit(carried_out(_forget(settings, WallClock().now())))
    else:
        # A role loads its own parts alone.
        run = resolve_name(f"services.notifier.wiring.{arguments.role}:run")
        run_role("notifier", arguments.role, settings, partial(run, settings))


async def _resume(settings: NotifierSettings, partition: int | None) -> int:
    """Return the exit code: 0."""
    async with (
        engine_of(settings.database_url, "notifier resume") as engine,
        engine.begin() as connection,
    ):
        resumed = await positions.resume(connection, TOPIC, partition)
        # It has one partition only.
        resumed += await positions.resume(connection, REPORTS_TOPIC, partition)
    print(f"resumed partitions: {resumed}" if resumed else "no partition was halted")
    return 0


async def _forget(settings: NotifierSettings, now: datetime) -> int:
    """Return the exit code: 0."""
    async with engine_of(settings.database_url, "notifier forget") as engine:
        before = now - timedelta(days=settings.notifier_keep_days)
        forgotten = await retention.forget(engine, before)
    print(
        f"forgotten of before {before:%Y-%m-%d %H:%M} UTC: {forgotten.deliveries} deliveries, "
        f"{forgotten.responses} responses"
    )
    return 0


if __name__ == "__main__":
    main()
