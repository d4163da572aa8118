"""Days of movements and repeats as files: Parquet, and a manifest that says they are whole.

    <folder>/day=2026-03-01/movement.parquet  repeat.parquet  manifest.json

The manifest is written last and names each file's rows, sums over its columns and SHA-256. A
movement has its level's SKU and warehouse beside it, so that the files can be read without the
tables. DuckDB does not wait for anybody: call what touches files in a thread.
"""

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from services.ledger.domain.changes import Type
from services.ledger.domain.commitments import DEMANDING
from services.ledger.store.past import COLUMNS
from services.ledger.store.periods import partition
from shared.database.engine import Driver
from shared.errors import LowtideError

if TYPE_CHECKING:
    import duckdb

TABLES = ("movement", "repeat")
MANIFEST = "manifest.json"

_MEMORY = "512MB"
_CHUNK = 1 << 20
_ROWS = 10_000
"""Rows that are in memory at a time, besides what DuckDB sorts."""

_TYPES = {
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "smallint": "SMALLINT",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "timestamp with time zone": "TIMESTAMPTZ",
}


class ForeignArchiveError(LowtideError):
    """The folder has a whole day of other rows: of another ledger, most likely."""


class TornArchiveError(LowtideError):
    """What was written to a file reads otherwise than the table it was written from."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file or a table of a day holds: its rows, and a sum over each column, as text."""

    rows: int
    sums: Mapping[str, str]

    def within(self, table: "Contents") -> bool:
        """Return whether these are a table's rows; it may have got more columns since."""
        return self.rows == table.rows and self.sums.items() <= table.sums.items()


@dataclass(frozen=True, slots=True)
class File:
    """A file of a day, as its manifest has it."""

    contents: Contents
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was written of a day, by table, and the SHA-256 of the manifest itself."""

    files: Mapping[str, File]
    sha256: str

    @classmethod
    def read(cls, folder: Path, day: date) -> Self | None:
        """Return the manifest of a day; None when it was never written to its end."""
        path = _of_day(folder, day) / MANIFEST
        if not path.exists():
            return None
        written = path.read_bytes()
        said = json.loads(written)["files"]
        return cls(
            {
                table: File(
                    Contents(each["contents"]["rows"], each["contents"]["sums"]), each["sha256"]
                )
                for table, each in said.items()
            },
            hashlib.sha256(written).hexdigest(),
        )


def days_in(folder: Path) -> list[date]:
    """Return the days that a folder has the whole files of, by their manifests."""
    days = []
    for manifest in folder.glob(f"day=????-??-??/{MANIFEST}"):
        with suppress(ValueError):  # some other folder: no day is called so
            days.append(date.fromisoformat(manifest.parent.name.removeprefix("day=")))
    return sorted(days)


def fault(folder: Path, day: date, manifest_sha256: str | None = None) -> str | None:
    """Return what is wrong with the files of a day, or None; reads them to their end.

    `manifest_sha256` is what the database remembers of the manifest.
    """
    try:
        manifest = Manifest.read(folder, day)
    except (ValueError, KeyError, TypeError):
        return f"{day}: the manifest cannot be read"
    if manifest is None:
        return f"{day}: there is no manifest in {_of_day(folder, day)}"
    if manifest_sha256 not in {None, manifest.sha256}:
        return f"{day}: the manifest is not the one that was written"
    for table, file in manifest.files.items():
        path = _of_day(folder, day) / f"{table}.parquet"
        if not path.exists():
            return f"{day}: {path.name} is missing"
        if _sha256(path) != file.sha256:
            return f"{day}: {path.name} is not what was written"
    return None


async def contents(driver: Driver, table: str, day: date) -> Contents:
    """Return what a partition holds."""
    kinds = await _kinds(driver, table)
    row = await driver.fetchrow(
        f"SELECT count(*), {', '.join(_sum_in_table(*each) for each in kinds.items())} "  # noqa: S608 - the catalogue's names
        f"FROM {partition(table, day)}"
    )
    return Contents(row[0], dict(zip(kinds, row[1:], strict=True)))


async def write(driver: Driver, folder: Path, day: date, holds: Mapping[str, Contents]) -> Manifest:
    """Write the files of a day, unless they are there; returns their manifest.

    `holds` is what the day's partitions hold, which is checked against what was written. Raises
    ForeignArchiveError and TornArchiveError.
    """
    manifest = await asyncio.to_thread(_whole, folder, day)
    if manifest is not None:
        if any(not file.contents.within(holds[table]) for table, file in manifest.files.items()):
            raise ForeignArchiveError(
                f"{_of_day(folder, day)} holds other rows than this ledger's; choose another folder"
            )
        return manifest
    draft = await asyncio.to_thread(_begin, folder, day)
    files = {}
    for table in TABLES:
        kinds = await _kinds(driver, table)
        rows = draft / f"{table}.csv"
        await driver.copy_from_query(
            _EXPORT[table].format(partition=partition(table, day)),
            output=rows,
            format="csv",
            null="\\N",
        )
        written = await asyncio.to_thread(_convert, rows, draft / f"{table}.parquet", kinds)
        if written.contents != holds[table]:
            raise TornArchiveError(f"{table} of {day} was not written as it is in its table")
        files[table] = written
    return await asyncio.to_thread(_finish, folder, day, draft, files)


_EXPORT = {
    "movement": """
        SELECT m.*, l.sku, l.warehouse FROM {partition} AS m JOIN level AS l ON l.id = m.level_id
        ORDER BY m.level_id, m.occurred_at
    """,
    "repeat": """
        SELECT r.*, l.sku, l.warehouse FROM {partition} AS r JOIN level AS l ON l.id = r.level_id
        ORDER BY r.level_id, r.occurred_at
    """,
}
_NAMES = {"sku": "text", "warehouse": "text"}


async def _kinds(driver: Driver, table: str) -> dict[str, str]:
    """Return the types of a table's columns, in their order."""
    rows = await driver.fetch(
        """
        SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        """,
        table,
    )
    return {row[0]: row[1] for row in rows}


def _sum_in_table(name: str, kind: str) -> str:
    match kind:
        case "text":
            return f"""coalesce(sum(octet_length("{name}")), 0) || '/' || count("{name}")"""
        case "boolean":
            return f"""(count(*) FILTER (WHERE "{name}")) || '/' || count("{name}")"""
        case "timestamp with time zone":
            micros = f'(extract(epoch FROM "{name}") * 1000000)::bigint'
            return f"""coalesce(sum({micros}), 0) || '/' || count("{name}")"""
        case _:
            return f"""coalesce(sum("{name}"), 0) || '/' || count("{name}")"""


def _sum_in_file(name: str, kind: str) -> str:
    match kind:
        case "text":
            value = f'strlen("{name}")'
        case "boolean":
            value = f'"{name}"::INTEGER'
        case "timestamp with time zone":
            value = f'epoch_us("{name}")'
        case _:
            value = f'"{name}"'
    return f"""coalesce(sum({value}), 0)::VARCHAR || '/' || count("{name}")"""


def _of_day(folder: Path, day: date) -> Path:
    return folder / f"day={day}"


def _whole(folder: Path, day: date) -> Manifest | None:
    return Manifest.read(folder, day) if fault(folder, day) is None else None


def _begin(folder: Path, day: date) -> Path:
    """Return an empty folder for a day's files, beside its place; what a kill left there goes."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".day={day}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    return draft


def _convert(rows: Path, to: Path, kinds: Mapping[str, str]) -> File:
    columns = {name: _TYPES[kind] for name, kind in (dict(kinds) | _NAMES).items()}
    with _duck() as duck:
        duck.execute(
            f"""
            COPY (SELECT * FROM read_csv($rows, auto_detect = false, header = false,
                      delim = ',', quote = '"', escape = '"', nullstr = '\\N',
                      allow_quoted_nulls = false, parallel = false, new_line = '\\n',
                      columns = {columns!r}))
            TO $to (FORMAT parquet, COMPRESSION zstd)
            """,  # noqa: S608 - the catalogue's names
            {"rows": str(rows), "to": str(to)},
        )
        sums = ", ".join(_sum_in_file(*each) for each in kinds.items())
        found = duck.execute(
            f"SELECT count(*), {sums} FROM read_parquet($to)",  # noqa: S608 - as above
            {"to": str(to)},
        ).fetchall()[0]
    rows.unlink()
    _flush(to)
    return File(Contents(found[0], dict(zip(kinds, found[1:], strict=True))), _sha256(to))


def _finish(folder: Path, day: date, draft: Path, files: Mapping[str, File]) -> Manifest:
    said = {
        "v": 1,
        "day": str(day),
        "files": {table: asdict(file) for table, file in files.items()},
    }
    written = (json.dumps(said, indent=1) + "\n").encode()
    (draft / MANIFEST).write_bytes(written)
    _flush(draft / MANIFEST)
    _flush(draft)
    # Only what is damaged can be there: a whole day is never written again.
    shutil.rmtree(_of_day(folder, day), ignore_errors=True)
    draft.rename(_of_day(folder, day))
    _flush(folder)
    return Manifest(files, hashlib.sha256(written).hexdigest())


def _flush(path: Path) -> None:
    """Return when a file's bytes, or a folder's names, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _duck() -> Iterator["duckdb.DuckDBPyConnection"]:
    # Only archives need it, and every role of the ledger would load it: 30 MB, a third of a second.
    import duckdb  # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory() as beyond_memory,
        duckdb.connect(
            config={"memory_limit": _MEMORY, "threads": 1, "temp_directory": beyond_memory}
        ) as duck,
    ):
        duck.execute("SET TimeZone = 'UTC'")
        yield duck


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANTS = [COLUMNS.index(name) for name in ("occurred_at", "received_at", "recorded_at", "eta")]
_COLUMNS = ", ".join(
    f'epoch_us("{name}")' if index in _INSTANTS else f'"{name}"'
    for index, name in enumerate(COLUMNS)
)

_SOME = """
FROM read_parquet($files, union_by_name = true)
WHERE level_id BETWEEN $first AND $last AND level_id IN (SELECT unnest($levels))
"""
# The bounds spare the reading of what lies outside of them.

_MOVEMENTS = f"""
SELECT {_COLUMNS} {_SOME} ORDER BY level_id, occurred_at, type = {Type.COUNT}, channel, id, line
"""

_OUTLINE = f"""
SELECT level_id, max(epoch_us(occurred_at)), list(DISTINCT reference) FILTER (
    WHERE type IN ({", ".join(map(str, sorted(DEMANDING)))}) AND reference IS NOT NULL
)
{_SOME} GROUP BY level_id
"""


class Outline(NamedTuple):
    """What is archived of a level: up to when it happened, the references it has a demand for."""

    until: datetime
    demanded: Sequence[str]


class Archive:
    """The archived movements of some days, to be read."""

    def __init__(self, folder: Path, days: Sequence[date]) -> None:
        self._files = [str(_of_day(folder, day) / "movement.parquet") for day in days]

    async def movements(self, levels: Sequence[int]) -> AsyncGenerator[list[Sequence[Any]], None]:
        """Yield the archived movements of levels, in order, as rows that `recorded` takes."""
        async for rows in self._portions(_MOVEMENTS, levels):
            yield [_told(row) for row in rows]

    async def outlines(self, levels: Sequence[int]) -> dict[int, Outline]:
        """Return what is archived of levels, of those of which anything is."""
        return {
            level: Outline(_EPOCH + timedelta(microseconds=until), demanded or ())
            async for rows in self._portions(_OUTLINE, levels)
            for level, until, demanded in rows
        }

    async def _portions(
        self, question: str, levels: Sequence[int]
    ) -> AsyncGenerator[list[tuple[Any, ...]], None]:
        """Yield what a question about levels, in rising order, is answered, some rows at a time."""
        if not self._files or not levels:
            return
        loop = asyncio.get_running_loop()
        about = {"files": self._files, "first": levels[0], "last": levels[-1], "levels": levels}
        # Whatever cancels this, the thread has left the connection before it is closed.
        with _duck() as duck, ThreadPoolExecutor(1) as thread:
            try:
                await loop.run_in_executor(thread, duck.execute, question, about)
                while rows := await loop.run_in_executor(thread, duck.fetchmany, _ROWS):
                    yield rows
            finally:
                duck.interrupt()


def _told(row: Sequence[Any]) -> list[Any]:
    told = [*row]
    for index in _INSTANTS:
        if told[index] is not None:
            told[index] = _EPOCH + timedelta(microseconds=told[index])
    return told
