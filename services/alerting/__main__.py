"""A role of alerting (consume, serve, tick), or a command for operators (all the others)."""

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pkgutil import resolve_name

from services.alerting.repartitioning import repartition
from services.alerting.settings import AlertingSettings
from shared.commands import carried_out, engine_of
from shared.database import positions
from shared.database.migrations import upgrade_blocking
from shared.events.alert_responses import TOPIC as RESPONSES
from shared.events.stock_levels import TOPIC
from shared.events.topics import STOCK_LEVELS
from shared.roles import run_role
from shared.settings import from_environment


def main() -> None:
    """Run a role or a command."""
    parser = argparse.ArgumentParser(prog="python -m services.alerting", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("consume", help="evaluate level messages, fire timers, hear people")
    roles.add_parser(
        "serve", help="answer HTTP: rules, people, alerts, what is done about them, review"
    )
    roles.add_parser(
        "tick",
        help="relay notices and reports to the broker, and do what is due: reminders, playbooks, "
        "approvals, orders, stock-outs, reports",
    )
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    moving = roles.add_parser("repartition", help="go on when the topic has more partitions")
    moving.add_argument(
        "--partitions", type=int, required=True, help="how many this release declares"
    )
    arguments = parser.parse_args()
    settings = from_environment(AlertingSettings)
    if arguments.role == "migrate":
        upgrade_blocking(settings.database_url.get_secret_value(), "alerting")
    elif arguments.role == "resume":
        sys.exit(carried_out(_resume(settings, arguments.partition)))
    elif arguments.role == "repartition":
        sys.exit(carried_out(_repartition(settings, arguments.partitions)))
    else:
        # A role loads its own parts alone.
        run = resolve_name(f"services.alerting.wiring.{arguments.role}:run")
        run_role("alerting", arguments.role, settings, partial(run, settings))


async def _resume(settings: AlertingSettings, partition: int | None) -> int:
    """Return the exit code: 0."""
    async with (
        engine_of(settings.database_url, "alerting resume") as engine,
        engine.begin() as connection,
    ):
        resumed = [
            number
            for topic in (TOPIC, RESPONSES)
            for number in await positions.resume(connection, topic, partition)
        ]
    print(f"resumed partitions: {resumed}" if resumed else "no partition was halted")
    return 0


async def _repartition(settings: AlertingSettings, partitions: int) -> int:
    """Return the exit code: 0 when everything is in its new partition."""
    declared = STOCK_LEVELS.partitions
    if partitions != declared:
        print(
            f"this release declares {declared} partitions (PARTITIONS in shared/events/topics.py), "
            f"not {partitions}",
            file=sys.stderr,
        )
        return 2
    async with engine_of(settings.database_url, "alerting repartition") as engine:
        report = await repartition(engine, settings.kafka, settings.topic_prefix, partitions)
    print(json.dumps(asdict(report)))
    return 0


if __name__ == "__main__":
    main()
