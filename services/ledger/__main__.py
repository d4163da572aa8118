"""A role of the ledger (consume, serve), or a command for operators (all the others)."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import msgspec
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import Progress

from services.ledger.commands.archive import archive
from services.ledger.commands.rebuild import Selection, rebuild
from services.ledger.commands.repartition import repartition
from services.ledger.commands.restored import restored
from services.ledger.commands.statement import (
    TEXTS,
    Period,
    Statement,
    as_table,
    read,
)
from services.ledger.commands.verify import Difference, verify
from services.ledger.commands.verify_topic import newest_generation, verify_topic
from services.ledger.comparing import Finding
from services.ledger.domain.statement import as_document, opening_as_document
from services.ledger.settings import LedgerSettings
from services.ledger.store.periods import KEPT_DAYS
from shared.clock import WallClock
from shared.commands import carried_out, engine_of
from shared.database import positions
from shared.database.migrations import upgrade_blocking
from shared.events import catalog_items, catalog_warehouses, stock_changes
from shared.events.base import Instant
from shared.events.topics import STOCK_CHANGES, STOCK_LEVELS
from shared.kafka.log import LogReader
from shared.roles import run_role
from shared.settings import from_environment

TOPICS = (stock_changes.TOPIC, catalog_items.TOPIC, catalog_warehouses.TOPIC)
"""What `consume` consumes."""


def main() -> None:
    """Run a role or a command."""
    settings = from_environment(LedgerSettings)
    arguments = _parser(settings).parse_args()
    match arguments.role:
        case "consume" | "serve" as role:
            # A role loads its own parts alone.
            run = resolve_name(f"services.ledger.wiring.{role}:run")
            run_role("ledger", role, settings, partial(run, settings))
        case "migrate":
            upgrade_blocking(settings.database_url.get_secret_value(), "ledger")
        case _:
            sys.exit(carried_out(_command(settings, arguments)))


async def _command(settings: LedgerSettings, arguments: argparse.Namespace) -> int:
    """Return the exit code of an operator's command."""
    match arguments.role:
        case "resume":
            topics = TOPICS if arguments.topic is None else (arguments.topic,)
            return await _resume_all(settings, arguments.partition, topics)
        case "verify" if arguments.topic:
            return await _verify_topic(settings, republish=arguments.republish)
        case "verify":
            return await _verify(settings, arguments.archive)
        case "archive":
            return await _archive(settings, arguments.to, arguments.keep_days, arguments.dry_run)
        case "statement":
            return await _statement(settings, arguments)
        case "restored":
            return await _restored(settings)
        case "repartition":
            return await _repartition(settings, arguments.partitions)
        case _:
            selection = Selection(arguments.sku, arguments.warehouse)
            if not arguments.yes and not _agreed(selection):
                print("Nothing was done; --yes goes on without asking.", file=sys.stderr)
                return 1
            return await _rebuild(settings, selection, arguments.archive)


def _parser(settings: LedgerSettings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.ledger", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("consume", help="apply stock changes and publish levels")
    roles.add_parser("serve", help="answer HTTP: levels, reservations, counts, demand, streams")
    roles.add_parser("migrate", help="bring the database schema up to date")
    resume = roles.add_parser("resume", help="let partitions halted by malformed records go on")
    resume.add_argument("--partition", type=int, help="only this one")
    resume.add_argument("--topic", choices=TOPICS, help="of this one only")
    verify = roles.add_parser(
        "verify", help="recompute all levels from their movements; exit 1 if any differs"
    )
    verify.add_argument(
        "--topic", action="store_true", help="compare what the topic tells of them instead"
    )
    verify.add_argument(
        "--republish", action="store_true", help="with --topic: have what is wrong told again"
    )
    _add_folder(
        verify,
        settings,
        "check the archive's files, too, and recompute the opening balances from them",
    )
    _add_archive(
        roles.add_parser("archive", help="move old days to files, and forget what nobody asks for"),
        settings,
    )
    repartition = roles.add_parser("repartition", help="go on with more partitions, once drained")
    repartition.add_argument(
        "--partitions", type=int, required=True, help="how many this release declares"
    )
    roles.add_parser(
        "restored", help="after a restore of the database: have all levels told as newer than ever"
    )
    rebuild = roles.add_parser("rebuild", help="make levels anew from their movements")
    rebuild.add_argument("--sku", action="append", default=[], help="only this one; repeatable")
    rebuild.add_argument(
        "--warehouse", action="append", default=[], help="only this one; repeatable"
    )
    _add_folder(
        rebuild,
        settings,
        "make their opening balances anew as well, from the archive's files",
    )
    rebuild.add_argument("--yes", action="store_true", help="do not ask")
    _add_statement(roles.add_parser("statement", help="show the movements of a level"))
    return parser


def _add_folder(command: argparse.ArgumentParser, settings: LedgerSettings, help_: str) -> None:
    command.add_argument(
        "--archive",
        metavar="FOLDER",
        nargs="?",
        type=Path,
        const=settings.ledger_archive_folder,
        help=help_,
    )


def _add_archive(parser: argparse.ArgumentParser, settings: LedgerSettings) -> None:
    parser.add_argument(
        "--keep-days",
        metavar="N",
        type=_days,
        default=settings.ledger_keep_days,
        help=f"leave what was recorded in the last N days, {KEPT_DAYS} or more (%(default)s)",
    )
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        default=settings.ledger_archive_folder,
        help="where the files go (%(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def _days(text: str) -> int:
    if int(text) < KEPT_DAYS:
        raise argparse.ArgumentTypeError(f"{KEPT_DAYS} at least: late changes need their past")
    return int(text)


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
    period = Period(asked.start, asked.end, asked.as_of, asked.known_at)
    found = False
    async with engine_of(settings.database_url, "ledger statement") as engine:
        with _progress() as (progress, bar):
            told = read(engine, asked.sku, asked.warehouse, period, partial(progress, "movements"))
            async with aclosing(told):
                async for part in told:
                    found = True
                    if sys.stdout.isatty():
                        bar.stop()  # the lines are there instead
                    _show(part, asked.language, as_json=asked.json)
    if not found:
        print(
            f"There is no level of SKU {asked.sku} in warehouse {asked.warehouse}; "
            "check both codes.",
            file=sys.stderr,
        )
        return 2
    return 0


def _show(told: Statement, language: str, *, as_json: bool) -> None:
    if as_json:
        if told.opening is not None:
            print(msgspec.json.encode(opening_as_document(told.opening)).decode())
        for line in told.lines:
            print(msgspec.json.encode(as_document(line, told.again)).decode())
    else:
        Console().print(as_table(told, language))


async def _resume_all(
    settings: LedgerSettings, partition: int | None, topics: Sequence[str]
) -> int:
    for topic in topics:
        resumed = await _resume(settings, partition, topic)
        done = f"resumed partitions: {resumed}" if resumed else "no partition was halted"
        print(f"{topic}: {done}")
    return 0


async def _resume(
    settings: LedgerSettings, partition: int | None, topic: str = stock_changes.TOPIC
) -> list[int]:
    async with (
        engine_of(settings.database_url, "ledger resume") as engine,
        engine.begin() as connection,
    ):
        return await positions.resume(connection, topic, partition)


async def _verify(settings: LedgerSettings, folder: Path | None) -> int:
    """Return the exit code: 0 when every level is what its movements make it."""

    def tell(difference: Difference) -> None:
        bar.console.print(
            f"{difference.sku} in {difference.warehouse}: {difference.field} is stored as "
            f"{difference.stored}, its movements make it {difference.recomputed}",
            markup=False,
        )

    async with engine_of(settings.database_url, "ledger verify") as engine:
        with _progress() as (progress, bar):
            report = await verify(
                engine,
                progress=progress,
                found=tell,
                folder=folder,
                faulty=lambda fault: bar.console.print(fault, markup=False),
            )
    print(json.dumps(report.said()))
    return 0 if report.right else 1


async def _archive(settings: LedgerSettings, folder: Path, keep_days: int, dry_run: bool) -> int:
    """Return the exit code: 0 when everything that was due is done."""
    async with engine_of(settings.database_url, "ledger archive") as engine:
        with _progress() as (progress, bar):
            report = await archive(
                engine,
                folder,
                now=WallClock().now(),
                keep_days=keep_days,
                keep_reservations_days=settings.ledger_keep_reservations_days,
                progress=progress,
                tell=lambda line: bar.console.print(line, markup=False),
                dry_run=dry_run,
            )
    print(json.dumps(asdict(report)))
    return 0


async def _verify_topic(settings: LedgerSettings, *, republish: bool) -> int:
    """Return the exit code: 0 when the topic tells of every level as it is stored."""

    def tell(finding: Finding) -> None:
        bar.console.print(
            f"{finding.sku} in {finding.warehouse}: {finding.fault} on the topic "
            f"(version {finding.told}, stored is {finding.stored})",
            markup=False,
        )

    async with engine_of(settings.database_url, "ledger verify") as engine:
        with _progress() as (progress, bar):
            async with LogReader(settings.kafka, settings.topic_prefix, STOCK_LEVELS.name) as log:
                report, findings = await verify_topic(
                    engine, log, progress=partial(progress, "levels"), found=tell
                )
            wrong = [each.level for each in findings if each.level is not None]
            if republish and wrong:
                rebuilt = await rebuild(
                    engine,
                    Selection(levels=wrong),
                    progress=progress,
                    beyond=newest_generation(findings),
                )
                report.republished = rebuilt.levels
    print(json.dumps(asdict(report)))
    return 1 if report.differing else 0


def _agreed(selection: Selection) -> bool:
    """Ask whether to go on; nobody there to ask is a no."""
    what = "all levels" if selection.everything else "the chosen levels"
    print(
        f"This makes {what} anew. The consumers of their partitions stop now and go on when it "
        "is over;\nmeanwhile changes wait, and levels can be asked for as they are.",
        file=sys.stderr,
    )
    return sys.stdin.isatty() and input("Go on? [y/N] ").strip().lower() in {"y", "yes"}


async def _rebuild(settings: LedgerSettings, selection: Selection, folder: Path | None) -> int:
    """Return the exit code: 0 when all is rebuilt."""
    async with engine_of(settings.database_url, "ledger rebuild") as engine:
        with _progress() as (progress, bar):
            report = await rebuild(
                engine,
                selection,
                progress=progress,
                folder=folder,
                faulty=lambda fault: bar.console.print(fault, markup=False),
            )
    print(json.dumps(report.said()))
    return 0


async def _restored(settings: LedgerSettings) -> int:
    """Return the exit code: 0 when the next claims tell all levels as newer than ever."""
    async with engine_of(settings.database_url, "ledger restored") as engine:
        with _progress() as (progress, _):
            async with LogReader(settings.kafka, settings.topic_prefix, STOCK_LEVELS.name) as log:
                report = await restored(engine, log, progress=partial(progress, "records"))
    print(json.dumps(asdict(report)))
    return 0


async def _repartition(settings: LedgerSettings, partitions: int) -> int:
    """Return the exit code: 0 when everything is in its new partition."""
    declared = STOCK_CHANGES.partitions
    if partitions != declared:
        print(
            f"this release declares {declared} partitions (PARTITIONS in shared/events/topics.py), "
            f"not {partitions}",
            file=sys.stderr,
        )
        return 2
    async with engine_of(settings.database_url, "ledger repartition") as engine:
        report = await repartition(engine, settings.kafka, settings.topic_prefix, partitions)
    print(json.dumps(asdict(report)))
    return 0


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str, int, int], None], Progress]]:
    """Show how many of what are done, and how long the others will take; yields the bar as well."""
    # What is printed meanwhile is for the standard output, which may be a file.
    with Progress(console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task("", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield progress, bar


if __name__ == "__main__":
    main()
