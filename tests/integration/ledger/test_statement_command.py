"""A level's statement at the command line: the same lines as over HTTP."""

import asyncio
import io
import json
import sys
from datetime import timedelta

import pytest
from rich.console import Console

from deploy.local.instance import REPOSITORY, home
from services.ledger.commands import statement
from services.ledger.commands.statement import Period, Statement, as_table, read
from services.ledger.store import stretches
from shared.database.engine import create_engine
from tests.integration.ledger.service import START, Ledger, change

HOUR = timedelta(hours=1)


async def command(ledger: Ledger, *arguments: str) -> tuple[int, str, str]:
    """Run the command; returns its exit code and what it wrote to both outputs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ledger", "statement", *arguments),
        env={
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "LOWTIDE_DATABASE_URL": ledger.settings.database_url.get_secret_value(),
        },
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), said.decode()


async def parts(ledger: Ledger, period: Period) -> list[Statement]:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        return [each async for each in read(engine, "A", "W", period)]
    finally:
        await engine.dispose()


async def found(ledger: Ledger, period: Period) -> Statement:
    (told,) = await parts(ledger, period)
    return told


async def test_a_statement_is_shown_as_it_is_answered(ledger: Ledger) -> None:
    await ledger.rows(
        "INSERT INTO item (sku, version, name, kit, oversell) VALUES ('A', 1, '灯', '[]', false)"
    )
    async with ledger.consuming():
        await ledger.publish(change(id="c", type="count", quantity=10, occurred_at=START + HOUR))
        await ledger.publish(change(id="early", quantity=4))
        await ledger.publish(change(id="s", quantity=3, occurred_at=START + 2 * HOUR))
        await ledger.publish(change(id="s", quantity=3, occurred_at=START + 2 * HOUR))
        await ledger.publish(change(id="[o]", type="order_placed", quantity=2, reference="1"))
        await ledger.until_tallied(movements=4, repeats=1)
    code, out, _ = await command(ledger, "A", "W", "--json")
    assert code == 0
    async with ledger.api() as api:
        answer = (await api.get("/v1/levels/A/W/statement")).json()
    assert [json.loads(line) for line in out.splitlines()] == answer["items"][::-1]

    told = await found(ledger, Period())
    shown = io.StringIO()
    Console(file=shown, width=200).print(as_table(told, "zh"))
    rows = {
        row.split("│")[3].split(" · ")[1]: row
        for row in shown.getvalue().splitlines()
        if " · 0" in row
    }
    assert list(rows) == ["[o]", "early", "c", "s"]
    assert "灯 · W" in shown.getvalue()
    assert "迟到" in rows["early"]
    assert "已被盘点包含" in rows["early"]
    assert "重复 ×1" in rows["s"]
    assert [cell.strip() for cell in rows["s"].split("│")[4:9]] == ["-3", "7", "2", "0", "0"]

    hour = await found(ledger, Period(START + HOUR, START + 2 * HOUR))
    assert [line.recorded.change.id for line in hour.lines] == ["c"]
    before = await found(ledger, Period(known_at=START))
    assert before.lines == []


async def test_what_there_is_not_is_told_with_an_exit_code(ledger: Ledger) -> None:
    code, out, said = await command(ledger, "A", "W")
    assert (code, out) == (2, "")
    assert "no level of SKU A in warehouse W" in said


async def test_a_long_statement_comes_in_parts_with_the_opening_in_the_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement, "LINES_AT_ONCE", 2)
    monkeypatch.setattr(stretches, "AT_ONCE", 2)
    async with ledger.consuming():
        await ledger.publish(
            *(change(id=str(n), occurred_at=START + n * HOUR, reference="r") for n in range(5))
        )
        await ledger.publish(change(id="3", occurred_at=START + 3 * HOUR, reference="r"))
        await ledger.until_tallied(movements=5, repeats=1)
    await ledger.rows(
        "INSERT INTO opening SELECT id, $1, $1, 1, 7, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0 "
        "FROM level",
        START,
    )
    told = await parts(ledger, Period())
    assert [[line.recorded.change.id for line in each.lines] for each in told] == [
        ["1", "2"],
        ["3", "4"],
    ]
    assert [each.opening is not None for each in told] == [True, False]
    assert [[line.standing.on_hand for line in each.lines] for each in told] == [[6, 5], [4, 3]]
    assert [[*each.again] for each in told] == [[], [("shop", "3", "0")]]
    shown = io.StringIO()
    for each in told:
        Console(file=shown, width=200).print(as_table(each, "en"))
    assert shown.getvalue().count("A · W") == 1
    code, out, said = await command(ledger, "A", "W")
    assert (code, out.count("A · W")) == (0, 1)
    assert "movements" in said
    assert "movements" not in out
