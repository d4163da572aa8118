"""`statement`: a level's movements with the balance after each, as a table or as JSON lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table
from rich.text import Text

from services.ledger.domain.changes import NAME_OF
from services.ledger.domain.past import Opening
from services.ledger.domain.statement import OPENING_BALANCE, Line, statement
from services.ledger.store import items, levels, past, repeats
from services.ledger.store.repeats import RepeatRow
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
    again: Mapping[tuple[str, str, str], Sequence[RepeatRow]]

    def repeats(self, line: Line) -> Sequence[RepeatRow]:
        """Return when a line's change was told again."""
        change = line.recorded.change
        return self.again.get((change.channel, change.id, change.line), ())


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
        pasts = await past.of_levels(raw, [level], as_of=period.as_of, known_at=period.known_at)
        opening = pasts[level].opening
        lines = [
            line
            for line in statement(pasts[level])
            if period.covers(line.recorded.change.occurred_at)
        ]
        again: dict[tuple[str, str, str], list[RepeatRow]] = {}
        if lines:
            first, last = (lines[end].recorded.change.occurred_at for end in (0, -1))
            for each in await repeats.between(connection, level, first, last):
                again.setdefault((each.channel, each.id, each.line), []).append(each)
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
    repeats_ = told.repeats(line)
    return [*marks, texts["repeats"].format(len(repeats_))] if repeats_ else marks


def opening_as_document(opening: Opening) -> dict[str, object]:
    """Return the line that stands for all movements before, as far as it has fields."""
    return {
        "type": OPENING_BALANCE,
        "balance": opening.standing.on_hand,
        "reserved": opening.standing.reserved,
        "unavailable": opening.standing.unavailable,
        "incoming": opening.standing.incoming,
        "occurred_at": opening.at,
        "recorded_at": opening.recorded_until,
    }


def as_document(told: Statement, line: Line) -> dict[str, object]:
    """Return a line with the fields that it has over HTTP."""
    change, applied, late, recorded_at, unusual = line.recorded
    standing = line.standing
    return {
        "type": NAME_OF[change.type],
        "channel": change.channel,
        "id": change.id,
        "line": change.line,
        "quantity": change.quantity,
        "change": line.moved,
        "applied": applied,
        "balance": standing.on_hand,
        "reserved": standing.reserved,
        "unavailable": standing.unavailable,
        "incoming": standing.incoming,
        "late": late,
        "masked": line.masked,
        "unusual": unusual,
        "repeats": [
            {"received_at": each.received_at, "recorded_at": each.recorded_at}
            for each in told.repeats(line)
        ],
        "reason": change.reason,
        "reference": change.reference,
        "counterparty": change.counterparty,
        "bucket": change.bucket,
        "eta": change.eta,
        "actor": change.actor,
        "occurred_at": change.occurred_at,
        "received_at": change.received_at,
        "recorded_at": recorded_at,
    }
