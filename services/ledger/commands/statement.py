"""`statement`: a level's movements with the balance after each, as a table or as JSON lines."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from rich.table import Table
from rich.text import Text

from services.ledger.domain.changes import NAME_OF
from services.ledger.domain.past import Opening
from services.ledger.domain.statement import OPENING_BALANCE, Line, Repeats, lines_of
from services.ledger.store import items, levels, repeats
from services.ledger.store.stretches import ArchivedError, number_of_movements, stretches
from shared.database.engine import Connection, Engine, driver, snapshot

LINES_AT_ONCE = 1_000
"""Lines of a part, a few more at the most: a table of its own."""

_Texts = Mapping[str, str]

TEXTS: Mapping[str, _Texts] = {
    "en": {
        "when": "Happened (UTC)",
        "type": "Type",
        "source": "Channel · id · line",
        "change": "Change",
        "balance": "On hand",
        "reserved": "Reserved",
        "unavailable": "Unavailable",
        "incoming": "Incoming",
        "marks": "Marks",
        "late": "late",
        "masked": "masked",
        "unusual": "unusual",
        "repeats": "again ×{}",
    },
    "zh": {
        "when": "发生时间 (UTC)",
        "type": "类型",
        "source": "渠道 · 单号 · 行",
        "change": "变动",
        "balance": "现有量",
        "reserved": "已占用",
        "unavailable": "不可用",
        "incoming": "在途",
        "marks": "标记",
        "late": "迟到",
        "masked": "已被盘点包含",
        "unusual": "异常",
        "repeats": "重复 ×{}",
    },
}


@dataclass(frozen=True, slots=True)
class Period:
    """What of a statement to show; the instants mean what they mean over HTTP."""

    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Return whether an instant lies between start (included) and end (not)."""
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Statement:
    """A level's lines, the oldest first, and when each was told again; or a part of them.

    `opening` is what they go on from, when movements before are archived. `begins` is of the part
    that nothing comes before.
    """

    sku: str
    warehouse: str
    name: str | None
    opening: Opening | None
    lines: Sequence[Line]
    again: Repeats
    begins: bool


async def read(
    engine: Engine,
    sku: str,
    warehouse: str,
    period: Period,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> AsyncGenerator[Statement, None]:
    """Yield a level's statement in parts, one at least; none for a level that there is not.

    `progress` hears of (movements gone through, movements in all). Raises the database's errors,
    and ArchivedError.
    """
    async with snapshot(engine, holding="movement") as connection:
        rows = await levels.of_skus(connection, [sku], [warehouse])
        if not rows:
            return
        raw = await driver(connection)
        level = rows[0].id
        known = await items.items_of(raw, [sku])
        told = Statement(
            sku, warehouse, known[sku].name if sku in known else None, None, (), {}, begins=True
        )
        total = await number_of_movements(
            raw, level, as_of=period.as_of, known_at=period.known_at, until=period.end
        )
        done = 0
        lines: list[Line] = []
        past = stretches(
            raw, [level], as_of=period.as_of, known_at=period.known_at, until=period.end
        )
        async with aclosing(past) as found:
            async for each in found:
                if each.opening is not None and told.begins:
                    if period.end is not None and period.end <= each.opening.at:
                        raise ArchivedError(level, each.opening.at)
                    if period.covers(each.opening.at):
                        told = replace(told, opening=each.opening)
                lines += (
                    line
                    for line in lines_of(each.made, each.movements)
                    if period.covers(line.recorded.change.occurred_at)
                )
                done += len(each.movements)
                progress(done, total)
                if len(lines) >= LINES_AT_ONCE:
                    yield await _part(connection, told, lines, period.known_at)
                    told, lines = replace(told, opening=None, begins=False), []
        if lines or told.begins:
            yield await _part(connection, told, lines, period.known_at)


async def _part(
    connection: Connection, told: Statement, lines: Sequence[Line], known_at: datetime | None
) -> Statement:
    again = await repeats.of_lines(connection, lines, known_at)
    return replace(told, lines=lines, again=again)


def as_table(told: Statement, language: str) -> Table:
    """Return a statement as a person reads it, in `en` or `zh`."""
    texts = TEXTS[language]
    name = "" if told.name is None else f" {told.name}"
    title = Text(f"{told.sku}{name} · {told.warehouse}") if told.begins else None
    table = Table(title=title, header_style="bold")
    table.add_column(texts["when"], no_wrap=True)
    table.add_column(texts["type"], no_wrap=True)
    table.add_column(texts["source"], overflow="fold")
    for column in ("change", "balance", "reserved", "unavailable", "incoming"):
        table.add_column(texts[column], justify="right", no_wrap=True)
    table.add_column(texts["marks"])
    if told.opening is not None:
        standing = told.opening.standing
        table.add_row(
            f"{told.opening.at:%Y-%m-%d %H:%M:%S}",
            OPENING_BALANCE,
            "",
            f"{standing.on_hand:+d}",
            *(str(quantity) for quantity in standing),
            "",
        )
    for line in told.lines:
        change, standing = line.recorded.change, line.standing
        table.add_row(
            f"{change.occurred_at:%Y-%m-%d %H:%M:%S}",
            NAME_OF[change.type],
            # A text of its own: brackets in somebody's number are no markup.
            Text(f"{change.channel} · {change.id} · {change.line}"),
            f"{line.moved:+d}",
            *(str(quantity) for quantity in standing),
            ", ".join(_marks(told, line, texts)),
        )
    return table


def _marks(told: Statement, line: Line, texts: _Texts) -> list[str]:
    marks = [
        texts[name]
        for name, holds in (
            ("late", line.recorded.late),
            ("masked", line.masked),
            ("unusual", line.recorded.unusual),
        )
        if holds
    ]
    change = line.recorded.change
    again = told.again.get((change.channel, change.id, change.line))
    return [*marks, texts["repeats"].format(len(again))] if again else marks
