"""Days go from the tables to files, and nobody can tell but by what is refused from then on."""

import asyncio
import json
import random
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from sqlalchemy import text

from deploy.local.instance import REPOSITORY, home
from services.ledger.archiving import Archiving
from services.ledger.commands import archive as commands_archive
from services.ledger.commands import rebuild as commands_rebuild
from services.ledger.commands import rebuild_openings as commands_rebuild_openings
from services.ledger.commands import verify as commands_verify
from services.ledger.commands import verify_archive as commands_verify_archive
from services.ledger.commands.archive import StillReadError
from services.ledger.commands.rebuild import Selection
from services.ledger.commands.rebuild_openings import UnfitArchiveError
from services.ledger.store import archive as archive_files
from services.ledger.store import opening_proof, openings, retention, stretches
from services.ledger.store.locks import Lock
from services.ledger.wiring import consume as ledger_consume
from shared import daily
from shared.clock import ManualClock, WallClock
from shared.database.engine import create_engine, driver
from shared.errors import Stopped
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import StockChange
from shared.kafka.consumer import BACKLOG_RECORDS
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.factories.changes import course
from tests.integration.ledger.service import Ledger, change

DAY = timedelta(days=1)
FIRST = datetime.combine(WallClock().now().date() - 85 * DAY, datetime.min.time(), UTC) + timedelta(
    hours=12
)
"""When recording begins: far enough back for the command, which goes by the wall clock, and not so
far that an identity may be forgotten."""


@pytest.fixture
def clock(ledger: Ledger) -> ManualClock:
    ledger.clock = manual = ManualClock(FIRST)
    return manual


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


async def start(ledger: Ledger, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ledger", *arguments),
        env={
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "LOWTIDE_KAFKA": ledger.settings.kafka,
            "LOWTIDE_DATABASE_URL": ledger.settings.database_url.get_secret_value(),
        },
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(ledger: Ledger, *arguments: str) -> tuple[int, dict[str, int], str]:
    """Run a command; returns its exit code, its report and what it said on the way."""
    process = await start(ledger, *arguments)
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out or "{}"), " ".join(said.decode().split())


async def archive(ledger: Ledger, folder: Path, keep_days: int) -> dict[str, int]:
    """Do what the command does, here."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await commands_archive.archive(
            engine,
            folder,
            now=WallClock().now(),
            keep_days=keep_days,
            keep_reservations_days=90,
            progress=lambda *_: None,
            tell=lambda _: None,
        )
    finally:
        await engine.dispose()
    return asdict(report)


async def verify(ledger: Ledger, folder: Path) -> tuple[dict[str, int], list[str]]:
    """Do what the command does with the archive, here; returns its report and what it found."""
    said: list[str] = []
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await commands_verify.verify(
            engine,
            progress=lambda *_: None,
            found=lambda difference: said.append(difference.field),
            folder=folder,
            faulty=said.append,
        )
    finally:
        await engine.dispose()
    return report.said(), said


async def days(ledger: Ledger) -> list[str]:
    """Return the days whose movements are in the tables, those ahead left out."""
    rows = await ledger.rows(
        "SELECT DISTINCT to_char(recorded_at, 'YYYY-MM-DD') FROM movement ORDER BY 1"
    )
    return [row[0] for row in rows]


@asynccontextmanager
async def connected(ledger: Ledger) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ledger.database.administrator_url)
    try:
        await connection.execute("SET search_path = ledger")
        yield connection
    finally:
        await connection.close()


async def told(api: httpx.AsyncClient, path: str, **parameters: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/levels{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


async def paged(api: httpx.AsyncClient, path: str, limit: int) -> list[object]:
    """Return all lines, asked for in pages."""
    page = await told(api, path, limit=str(limit))
    found: list[object] = [*page["items"]]
    while page["next_cursor"] is not None:
        page = await told(api, path, limit=str(limit), cursor=page["next_cursor"])
        found += page["items"]
    return found


async def history(ledger: Ledger, clock: ManualClock, chance: random.Random) -> int:
    """Record a course of all types over ten days, late and told again here and there."""
    changes = course(chance, 240, skus=("A", "B", "C"), warehouses=("north", "south"), until=FIRST)
    shift = FIRST - max(each.occurred_at for each in changes)
    recorded = 0
    for number in range(10):
        clock.set(FIRST + number * DAY)
        some = [
            each.model_copy(
                update={
                    "occurred_at": each.occurred_at
                    + shift
                    + timedelta(hours=24 * max(0, number - chance.choice((0, 0, 0, 1, 5)))),
                    "reason": chance.choice(("damaged", "", 'of "two",\nlines \\N; 货', None)),
                }
            )
            for each in changes[number::10]
        ]
        await ledger.publish(*some)
        recorded += len(some)
        await ledger.until_recorded(recorded)
        await ledger.publish(some[0])
        await ledger.until_tallied(repeats=number + 1)
    return recorded


async def test_levels_statements_and_verification_stay_when_days_go(
    ledger: Ledger, clock: ManualClock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "AT_ONCE", 3)
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - a course of events, not a secret
    async with ledger.consuming(), ledger.api() as api:
        recorded = await history(ledger, clock, chance)
        recently = (FIRST + 9 * DAY).isoformat()
        levels = await told(api, "")
        before = await told(api, "/A/north/statement", limit="500")
        past = await told(api, "/A/north", as_of=recently, known_at=recently)
        report = await archive(ledger, folder, keep_days=80)
        assert (report["days"], report["repeats"]) == (5, 5)
        assert await days(ledger) == [f"{FIRST + n * DAY:%Y-%m-%d}" for n in range(5, 10)]

        assert (await told(api, ""))["items"] == levels["items"]
        assert await told(api, "/A/north", as_of=recently, known_at=recently) == past
        after = await told(api, "/A/north/statement", limit="500")
        for limit in (7, len(after["items"]) - 1):
            assert await paged(api, "/A/north/statement", limit) == after["items"]
        *kept, opening = after["items"]
        assert kept == before["items"][: len(kept)]
        assert opening["type"] == "opening_balance"
        last = before["items"][len(kept)]
        assert [opening[name] for name in ("balance", "reserved", "unavailable", "incoming")] == [
            last[name] for name in ("balance", "reserved", "unavailable", "incoming")
        ]
        gone = await api.get("/v1/levels/A/north", params={"as_of": FIRST.isoformat()})
        assert gone.status_code == 410
        assert gone.json()["type"].endswith(":archived")
        again = await api.get("/v1/levels/A/north", params={"as_of": gone.json()["since"]})
        assert again.status_code == 200

        # The rest goes later; what was told again since is known all the same.
        assert (await archive(ledger, folder, keep_days=77))["days"] == 3
        assert (await archive(ledger, folder, keep_days=77))["days"] == 0
        clock.advance(DAY)
        await ledger.publish(
            *(
                change(id=f"new {n}", sku=sku, warehouse="north", occurred_at=clock.now())
                for n, sku in enumerate("ABC")
            )
        )
        await ledger.until_recorded(recorded + 3)
    report, said = await verify(ledger, folder)
    assert report == {
        "levels": len(levels["items"]),
        "movements": await halves(ledger),
        "differing": 0,
        "archived_days": 8,
        "archive_faults": 0,
    }, said

    file = folder / f"day={FIRST.date()}" / "movement.parquet"
    written = bytearray(file.read_bytes())
    written[len(written) // 2] ^= 1
    file.write_bytes(written)
    report, said = await verify(ledger, folder)
    assert (report["differing"], report["archive_faults"]) == (0, 1)
    assert said == [f"{FIRST.date()}: movement.parquet is not what was written"]
    written[len(written) // 2] ^= 1
    file.write_bytes(written)

    async with connected(ledger) as meddler:
        await meddler.execute("UPDATE opening SET on_hand = on_hand + 1 WHERE level_id = 1")
    report, said = await verify(ledger, folder)
    assert (report["differing"], report["archive_faults"]) == (1, 0)
    assert "opening standing" in said


async def halves(ledger: Ledger) -> int:
    """Return how many movements there were: those done, and the arriving halves of transfers."""
    rows = await ledger.rows(
        "SELECT (SELECT sum(movements) FROM opening) + (SELECT count(*) FROM movement AS m "
        "LEFT JOIN opening AS o USING (level_id) WHERE o.at IS NULL OR m.occurred_at > o.at)"
    )
    return int(rows[0][0])


async def test_a_killed_command_leaves_a_day_that_the_next_one_takes(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    arguments = ("archive", "--keep-days", "40", "--to", str(folder))
    async with ledger.consuming(), connected(ledger) as other:
        await ledger.publish(
            change(id="r", type="receipt", quantity=9, occurred_at=FIRST),
            change(id="o", type="order_placed", quantity=2, reference="1", occurred_at=FIRST),
        )
        await ledger.until_recorded(2)
        clock.advance(2 * DAY)
        await ledger.publish(
            change(id="late", quantity=3, occurred_at=FIRST - DAY),
            change(id="f", type="order_fulfilled", reference="1", occurred_at=clock.now()),
        )
        await ledger.until_recorded(4)

        # Between the files and the openings: a change of long ago is just being recorded.
        await other.execute("SELECT pg_advisory_lock_shared($1)", Lock.OPENINGS)
        process = await start(ledger, *arguments)
        manifest = folder / f"day={FIRST.date()}" / "manifest.json"

        async def written() -> bool:
            assert process.returncode is None, await process.communicate()
            return manifest.exists()

        await until(written, seconds=60)
        process.kill()
        await process.wait()
        assert await ledger.rows("SELECT 1 FROM opening") == []
        await other.execute("SELECT pg_advisory_unlock_all()")

        # Between the openings and the tables: somebody reads the past.
        async with other.transaction():
            await other.execute("SELECT 1 FROM movement LIMIT 1")
            process = await start(ledger, *arguments)

            async def opened() -> bool:
                return len(await ledger.rows("SELECT 1 FROM opening")) == 1

            await until(opened, seconds=60)
            process.kill()
            await process.wait()
            assert await ledger.rows("SELECT 1 FROM archived_day") == []
            async with ledger.api() as api:
                answer = await api.get("/v1/levels/A/W/statement")
            assert [each["id"] for each in answer.json()["items"]] == ["f", "opening"]

        assert (await archive(ledger, folder, keep_days=40))["days"] == 4  # with those between
        clock.set(WallClock().now())
        await ledger.publish(change(id="now", occurred_at=clock.now()))
        await ledger.until_recorded(5)
        assert await ledger.on_hand() == 9 - 3 - 1 - 1
    code, report, words = await run(ledger, "verify", "--archive", str(folder))
    assert (code, report["movements"], report["archived_days"]) == (0, 5, 4), words
    assert drafts(folder) == []


async def test_a_reader_of_the_past_keeps_its_days_and_nothing_else(
    ledger: Ledger, clock: ManualClock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_archive, "_DROP_TRIES", 1)
    async with ledger.consuming():
        await ledger.publish(change(id="r", type="receipt", occurred_at=FIRST))
        await ledger.until_recorded(1)
    filters = "SELECT count(*) FROM identity_filter"
    async with connected(ledger) as other:
        async with other.transaction():
            await other.execute("SELECT 1 FROM movement LIMIT 1")
            with pytest.raises(StillReadError, match="in a pager"):
                await archive(ledger, folder, keep_days=40)
        assert await ledger.rows("SELECT 1 FROM archived_day") == []
        assert (await ledger.rows(filters))[0][0] > 0
    assert (await archive(ledger, folder, keep_days=40))["days"] > 0


def drafts(folder: Path) -> list[Path]:
    return [*folder.glob(".*")]


async def test_openings_that_move_keep_nobody_from_claiming(ledger: Ledger) -> None:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))
        await openings.hold_alone(await driver(connection))
        async with ledger.consuming():
            await ledger.publish(change(occurred_at=WallClock().now()))
            await ledger.until_recorded(1)
    await engine.dispose()


async def test_a_late_change_of_an_order_in_an_opening_is_about_that_order(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    def order(reference: str, kind: str, quantity: int, at: datetime) -> StockChange:
        fields = {"type": kind, "quantity": quantity, "occurred_at": at}
        return change(id=f"{kind} {reference}", reference=reference, **fields)

    async with ledger.consuming():
        await ledger.publish(
            order("1", "order_placed", 5, FIRST), order("2", "order_placed", 3, FIRST)
        )
        await ledger.until_recorded(2)
        clock.set(WallClock().now())
        await archive(ledger, folder, keep_days=40)
        counted = {"type": "count", "bucket": "available", "quantity": 10}
        await ledger.publish(change(id="c", occurred_at=FIRST + 2 * DAY, **counted))
        await ledger.until_recorded(3)
        assert await ledger.on_hand() == 10 + 5 + 3
        # More than was left of it, so it matters how much that was.
        await ledger.publish(order("1", "order_cancelled", 7, FIRST + DAY))
        await ledger.until_recorded(4)
        assert await ledger.on_hand() == 10 + 3
    report, said = await verify(ledger, folder)
    assert (report["movements"], said) == (4, [])


async def test_what_happened_before_an_opening_is_refused_and_a_repeat_is_a_repeat(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    receipt = change(id="r", type="receipt", quantity=9, occurred_at=FIRST)
    async with ledger.consuming():
        await ledger.publish(receipt)
        await ledger.until_recorded(1)
        clock.set(WallClock().now())
        ancient = FIRST - 300 * DAY
        # Nothing is archived: nothing is too old, and it goes into the opening with the rest.
        await ledger.publish(change(id="ancient", quantity=2, occurred_at=ancient))
        await ledger.until_recorded(2)
        # A count that waits for somebody may still become a part of what happened then.
        await ledger.rows(
            "INSERT INTO stock_count (level_id, occurred_at, recorded_at, received_at, counted, "
            'expected, "offset", within, state, channel, change_id, line) '
            "SELECT id, $1, $1, $1, 8, 9, 0, false, 'waiting', 'app', 'c', '0' FROM level",
            FIRST - DAY,
        )
        report = await archive(ledger, folder, keep_days=40)
        assert (report["days"], report["days_kept"]) == (1, 1)
        assert await ledger.rows("SELECT 1 FROM opening") == []
        await ledger.rows("UPDATE stock_count SET settled_at = $1, state = 'rejected'", FIRST)
        assert (await archive(ledger, folder, keep_days=40))["days"] == 1

        shipped = change(
            id="t",
            type="transfer_shipped",
            warehouse="X",
            counterparty="W",
            reference="1",
            occurred_at=FIRST - DAY,
        )
        await ledger.publish(
            receipt,
            change(id="old", occurred_at=FIRST),
            change(id="old", type="count", quantity=4, occurred_at=ancient),
            shipped,
            change(id="elsewhere", warehouse="Y", occurred_at=ancient),
            change(id="after", occurred_at=FIRST + timedelta(microseconds=1)),
        )
        await ledger.until_tallied(repeats=1, movements=4)
        await ledger.until_rejected(DeadReason.TOO_OLD, 3)
        assert await ledger.on_hand() == 9 - 2 - 1
    letters = await ledger.dead_letters()
    assert {(each.reason, json.loads(each.value or "")["id"]) for each in letters} == {
        (DeadReason.TOO_OLD, "old"),
        (DeadReason.TOO_OLD, "t"),
    }
    report, said = await verify(ledger, folder)
    assert (report["movements"], said) == (4, [])


async def test_what_is_wholly_archived_is_gone_and_not_empty(
    ledger: Ledger, clock: ManualClock, folder: Path
) -> None:
    later = FIRST + timedelta(hours=1)
    async with ledger.consuming():
        await ledger.publish(change(id="a", sku="A", type="receipt", occurred_at=FIRST))
        await ledger.until_recorded(1)
        clock.set(later)
        await ledger.publish(change(id="b", sku="B", type="receipt", occurred_at=later))
        await ledger.until_recorded(2)
    await archive(ledger, folder, keep_days=40)
    async with ledger.api() as api:
        gone = await api.get("/v1/levels/B/W/statement", params={"to": later.isoformat()})
        assert (gone.status_code, gone.json().get("since")) == (410, later.isoformat())
        after = (later + timedelta(microseconds=1)).isoformat()
        (opening,) = (await told(api, "/B/W/statement", to=after))["items"]
        assert opening["type"] == "opening_balance"

        # What is answered for some levels holds for all of them.
        gone = await api.get("/v1/levels", params={"as_of": (FIRST - DAY).isoformat()})
        assert (gone.status_code, gone.json()["since"]) == (410, later.isoformat())
        assert len((await told(api, "", as_of=gone.json()["since"]))["items"]) == 2
        await ledger.rows("INSERT INTO warehouse VALUES ('W', 1, 'W', 'UTC')")
        day = f"{FIRST:%Y-%m-%d}"
        days = {"skus": ["A", "B"], "from": day, "to": day}
        gone = await api.post("/v1/demand/daily/query", json=days)
        assert (gone.status_code, gone.json()["since"]) == (410, later.isoformat())
    code, _, said = await run(ledger, "statement", "B", "W", "--to", later.isoformat())
    assert code == 1
    assert later.isoformat() in said


@dataclass
class Waiting:
    """How many changes wait."""

    lag: int | None = 0


@pytest.fixture
def by_itself(ledger: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment that a consumer, and what it runs, would have."""
    for name, value in {
        "KAFKA": ledger.settings.kafka,
        "DATABASE_URL": ledger.settings.database_url.get_secret_value(),
        "LEDGER_KEEP_DAYS": "80",
        "LEDGER_ARCHIVE_FOLDER": str(folder),
    }.items():
        monkeypatch.setenv(f"LOWTIDE_{name}", value)
    monkeypatch.chdir(REPOSITORY)


async def test_days_go_by_themselves_once_a_day_when_nothing_else_waits(
    ledger: Ledger, clock: ManualClock, by_itself: None
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(occurred_at=FIRST))
        await ledger.until_recorded(1)
    consumer = Waiting()
    upkeep = Archiving(consumer, clock)

    async def looked() -> list[tuple[object, object]]:
        with structlog.testing.capture_logs() as lines:
            await upkeep.look()
        return [(each["event"], each.get("movements", each.get("reason"))) for each in lines]

    for consumer.lag in (None, BACKLOG_RECORDS + 1):
        assert await looked() == []
    consumer.lag = BACKLOG_RECORDS
    async with connected(ledger) as other:
        await other.execute("SELECT pg_advisory_lock($1)", Lock.RETENTION)
        at_work = "another `archive`, or a `rebuild --archive`, is at work"
        assert await looked() == [("old days are archived later", at_work)]
    assert len(await days(ledger)) == 1
    assert await looked() == [("archived", 1)]
    assert await days(ledger) == []
    assert await looked() == []
    clock.advance(DAY)
    assert await looked() == [("archived", 0)]


async def test_a_consumer_archives_where_it_is_told_to_and_nowhere_else(
    ledger: Ledger, clock: ManualClock, by_itself: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily, "LOOK_SECONDS", 0.1)
    began = asyncio.Event()

    async def look(_: Archiving) -> None:
        began.set()

    monkeypatch.setattr(Archiving, "look", look)
    for wanted in (False, True):
        settings = ledger.settings.model_copy(update={"ledger_archive_daily": wanted})
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(ledger_consume.run(settings, stop, clock))
            if wanted:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await began.wait()
            else:
                await ledger.publish(change(occurred_at=FIRST))
                await ledger.until_recorded(1)
            stop.set()
        assert began.is_set() == wanted


async def rebuild(ledger: Ledger, folder: Path, *skus: str) -> tuple[dict[str, int], list[str]]:
    """Do what the command does with the archive, here; returns its report and what it found."""
    said: list[str] = []
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await commands_rebuild.rebuild(
            engine,
            Selection(skus),
            progress=lambda *_: None,
            folder=folder,
            faulty=said.append,
        )
    except UnfitArchiveError as error:
        return {}, [*said, str(error)]
    finally:
        await engine.dispose()
    return report.said(), said


STORED = {
    "level": "SELECT to_jsonb(l) - '{version,batch,low_water,dip,intricate_until}'::text[] "
    "FROM level AS l WHERE last_change_at IS NOT NULL ORDER BY id",
    "commitment": "SELECT to_jsonb(c) FROM commitment AS c WHERE kind <> 5 OR (total, done) <> "
    "(0, 0) ORDER BY level_id, kind, reference, line",
    "opening": "SELECT to_jsonb(o) FROM opening AS o ORDER BY level_id",
    "opening_line": "SELECT to_jsonb(o) FROM opening_line AS o WHERE (kind <> 5 OR (total, done) "
    "<> (0, 0)) ORDER BY level_id, kind, reference, line",
}


async def stored(ledger: Ledger) -> dict[str, list[dict[str, object]]]:
    """Return all that is stored of levels and their openings, beside what no movement says."""
    return {
        name: [json.loads(row[0]) for row in await ledger.rows(question)]
        for name, question in STORED.items()
    }


async def test_levels_and_openings_are_made_anew_from_the_archive(
    ledger: Ledger, clock: ManualClock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (opening_proof, commands_rebuild_openings, commands_verify_archive):
        monkeypatch.setattr(module, "LEVELS_AT_ONCE", 2)
    for module in (archive_files, retention):
        monkeypatch.setattr(module, next(n for n in ("_ROWS", "ROWS") if hasattr(module, n)), 3)
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - a course of events, not a secret
    async with ledger.consuming():
        recorded = await history(ledger, clock, chance)
    assert (await archive(ledger, folder, keep_days=80))["days"] == 5
    before = await stored(ledger)
    report, _ = await rebuild(ledger, folder)
    assert (report["openings"], report["differing"]) == (0, 0)
    assert await stored(ledger) == before

    for table in ("opening", "opening_line", "commitment"):
        await ledger.rows(f"DELETE FROM {table}")  # noqa: S608 - as listed
    await ledger.rows(
        "UPDATE level SET on_hand = 0, reserved = 1, unavailable = 0, incoming = 0, sold_total = 0,"
        " counted_at = NULL, count_key = NULL, supply = NULL, demand = NULL, demanding = false"
    )
    report, _ = await rebuild(ledger, folder)
    assert report["openings"] == len(before["opening"])
    assert await stored(ledger) == before
    verified, said = await verify(ledger, folder)
    assert (verified["differing"], said) == (0, [])
    assert verified["movements"] == await halves(ledger) >= recorded

    # One that says what it cannot, and reaches where it must not; the others are nobody's business.
    await ledger.rows(
        "UPDATE opening SET at = now(), on_hand = on_hand + 7 "
        "WHERE level_id IN (SELECT id FROM level WHERE sku IN ('A', 'B'))"
    )
    report, _ = await rebuild(ledger, folder, "A")
    assert report["openings"] == len([each for each in before["level"] if each["sku"] == "A"])
    report, _ = await rebuild(ledger, folder)
    assert report["openings"] == len([each for each in before["level"] if each["sku"] == "B"])
    verified, said = await verify(ledger, folder)
    assert (verified["differing"], said) == (0, [])


async def test_nothing_is_made_anew_from_an_archive_that_does_not_fit(
    ledger: Ledger, clock: ManualClock, folder: Path, tmp_path: Path
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="r", type="receipt", quantity=9, occurred_at=FIRST))
        await ledger.until_recorded(1)
    _, (why,) = await rebuild(ledger, folder)
    assert "rebuild without --archive" in why
    assert (await archive(ledger, folder, keep_days=40))["days"] == 2
    await ledger.rows("UPDATE opening SET on_hand = 8")
    await ledger.rows("UPDATE level SET on_hand = 7")
    generation = await ledger.rows("SELECT number FROM generation")

    day = folder / f"day={FIRST.date()}"
    for hide in (day / "movement.parquet", day / "manifest.json", day):
        hidden = hide.rename(tmp_path / "hidden")
        fault, why = (await rebuild(ledger, folder))[1]
        assert str(FIRST.date()) in fault
        assert "does not fit the ledger" in why
        hidden.rename(hide)
    shutil.copytree(day, folder / "day=2020-01-02")
    fault, why = (await rebuild(ledger, folder))[1]
    assert fault.startswith("2020-01-02: the folder has it")
    shutil.rmtree(folder / "day=2020-01-02")
    async with connected(ledger) as other:
        await other.execute("SELECT pg_advisory_lock($1)", Lock.RETENTION)
        with pytest.raises(Stopped, match="is at work"):
            await rebuild(ledger, folder)
    assert await ledger.on_hand() == 7
    assert await ledger.rows("SELECT number FROM generation") == generation

    code, report, said = await run(ledger, "rebuild", "--archive", str(folder), "--yes")
    assert (code, report.get("openings"), report.get("differing")) == (0, 1, 1), said
    assert await ledger.on_hand() == 9


async def test_an_opening_that_reached_too_far_is_made_without_a_count_that_waits(
    ledger: Ledger, api: httpx.AsyncClient, clock: ManualClock, folder: Path
) -> None:
    assert (await api.put("/v1/count-tolerances", json={"units": 0})).is_success
    taken = FIRST + 10 * DAY
    async with ledger.consuming():
        await ledger.publish(change(id="r", type="receipt", quantity=9, occurred_at=FIRST))
        await ledger.until_recorded(1)
        clock.set(FIRST + 11 * DAY)
        await ledger.publish(
            change(id="c", type="count", quantity=4, occurred_at=taken, actor="li"),
            change(id="s", type="sale", quantity=1, occurred_at=taken + DAY / 2),
        )
        await ledger.until_recorded(3)
        assert await ledger.on_hand() == 8
    assert (await archive(ledger, folder, keep_days=80))["days"] > 0
    await ledger.rows("UPDATE opening SET at = now()")

    report, said = await rebuild(ledger, folder)
    assert (report["openings"], said) == (1, [])
    assert await ledger.rows("SELECT at FROM opening") == [(FIRST,)]
    (waiting,) = (await api.get("/v1/counts", params={"state": "waiting"})).json()["items"]
    async with ledger.consuming():
        assert (await api.post(f"/v1/counts/{waiting['id']}/approve")).is_success

        async def holds() -> bool:
            return await ledger.on_hand() == 3

        await until(holds)
    assert (await verify(ledger, folder))[1] == []
