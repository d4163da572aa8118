"""Run a role of alerting: `python -m services.alerting consume | serve | tick | migrate`."""

import argparse
import asyncio
from functools import partial

from services.alerting import wiring
from services.alerting.settings import AlertingSettings
from shared.database import positions
from shared.database.engine import create_engine
from shared.database.migrations import upgrade_blocking
from shared.events.alert_responses import TOPIC as RESPONSES
from shared.events.stock_levels import TOPIC
from shared.roles import run_role

_ROLES = {"consume": wiring.consume, "serve": wiring.serve, "tick": wiring.tick}


def main() -> None:
    """Run a role or a command."""
    parser = argparse.ArgumentParser(prog="python -m services.alerting", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("consume", help="evaluate level messages, fire timers, hear people")
    roles.add_parser("serve", help="answer HTTP: rules and alerts")
    roles.add_parser("tick", help="relay notices from the outbox to the broker")
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    arguments = parser.parse_args()
    settings = AlertingSettings()
    if arguments.role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "alerting")
    elif arguments.role == "resume":
        resumed = asyncio.run(_resume(settings, arguments.partition))
        print(f"resumed partitions: {resumed}" if resumed else "no partition was halted")
    else:
        run = partial(_ROLES[arguments.role], settings)
        run_role("alerting", arguments.role, settings, run)


async def _resume(settings: AlertingSettings, partition: int | None) -> list[int]:
    engine = create_engine(settings.database_url.get_secret_value(), application="alerting resume")
    async with engine.begin() as connection:
        resumed = [
            number
            for topic in (TOPIC, RESPONSES)
            for number in await positions.resume(connection, topic, partition)
        ]
    await engine.dispose()
    return resumed


if __name__ == "__main__":
    main()
