"""`statement`: a level's movements with the balance after each, as a table or as JSON lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table
from rich.text import Text

from services.ledger.domain.changes import NAME_OF
from services.ledger.domain.past import Opening
from services.ledger.domain.statement import OPENING_BALANCE, Line, Repeats, lines_of
from services.ledger.store import items, levels, repeats
from services.ledger.store.stretches import ArchivedError, stretches
from shared.database.engine import Engine, driver, snapshot

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
    """A level's lines, the oldest first, and when each was told again.

    `opening` is what they go on from, when movements before are archived.
    """

    sku: str
    warehouse: str
    name: str | None
    opening: Opening | None
    lines: Sequence[Line]
    again: Repeats


async def read(engine: Engine, sku: str, warehouse: str, period: Period) -> Statement | None:
    """Return a level's statement, None for a level that there is not.

    Raises the database's errors, and ArchivedError.
    """
    async with snapshot(engine, holding="movement") as connection:
        rows = await levels.of_skus(connection, [sku], [warehouse])
        if not rows:
            return None
        raw = await driver(connection)
        level = rows[0].id
        opening: Opening | None = None
        lines: list[Line] = []
        async for each in stretches(
            raw, [level], as_of=period.as_of, known_at=period.known_at, until=period.end
        ):
            opening = each.opening
            lines += (
                line
                for line in lines_of(each.made, each.movements)
                if period.covers(line.recorded.change.occurred_at)
            )
        if opening is not None and period.end is not None and period.end <= opening.at:
            raise ArchivedError(level, opening.at)
        again = await repeats.of_lines(connection, lines, period.known_at)
        known = await items.items_of(raw, [sku])
    name = known[sku].name if sku in known else None
    if opening is not None and not period.covers(opening.at):
        opening = None
    return Statement(sku, warehouse, name, opening, lines, again)


def as_table(told: Statement, language: str) -> Table:
    """Return a statement as a person reads it, in `en` or `zh`."""
    texts = TEXTS[language]
    name = "" if told.name is None else f" {told.name}"
    table = Table(title=Text(f"{told.sku}{name} · {told.warehouse}"), header_style="bold")
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
