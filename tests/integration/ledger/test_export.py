"""All levels at one moment, as files."""

import csv
import io
import json
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from services.ledger.api import export
from services.ledger.store.books import Frozen
from services.ledger.store.levels import LevelRow
from services.ledger.wiring import serve as ledger_serve
from shared.testing.proxy import Direction, proxied
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.integration.ledger.lossy import through
from tests.integration.ledger.service import START, Ledger, change
from tests.integration.ledger.test_stream import serving

PATH = "/v1/export/levels"


async def test_all_levels_are_exported_as_they_are_answered(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    changes = [
        change(id="c", type="count", quantity=3),
        change(id="s", quantity=4),
        change(id="p", type="supply_expected", quantity=9, reference="PO", eta=START),
        *(change(id=sku, sku=sku, warehouse="N", type="receipt") for sku in ("=2+3", "货,1", "A")),
        change(id="future", sku="none", occurred_at="2099-01-01T00:00:00Z"),
    ]
    async with ledger.consuming():
        await ledger.publish(*changes)
        await ledger.until_tallied(movements=6, **{"rejected.from_the_future": 1})
    await ledger.rows("UPDATE level SET doubt = 3 WHERE warehouse = 'W'")
    async with ledger.api() as api:
        levels = (await api.get("/v1/levels")).json()["items"]
        assert len(levels) == 4
        lines = await api.get(PATH, params={"format": "ndjson"})
        assert lines.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line) for line in lines.text.splitlines()] == levels
        table = await api.get(PATH, params={"format": "csv", "bom": "true"})
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert table.headers["content-disposition"] == 'attachment; filename="levels.csv"'
        assert table.content.startswith(b"\xef\xbb\xbfsku,warehouse,on_hand,")
        rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
        assert [row["sku"] for row in rows] == [each["sku"].replace("=", "'=") for each in levels]
        for row, level in zip(rows, levels, strict=True):
            same = row.keys() - {"sku", "flags"}
            assert {name: row[name] for name in same} == {
                name: "" if level[name] is None else str(level[name]) for name in same
            }
            assert row["flags"].split() == level["flags"]
        assert (await api.get(PATH, params={"format": "xlsx"})).status_code == 422
        some = await api.get(PATH, params={"format": "csv", "warehouse": "W"})
        assert len(some.text.splitlines()) == 2
        assert some.text.startswith("sku,")


async def test_an_export_is_of_one_moment(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 1)
    async with ledger.consuming():
        await ledger.publish(*(change(id=sku, sku=sku, type="receipt") for sku in ("A", "B")))
        await ledger.until_recorded(2)
    meddler = await asyncpg.connect(ledger.database.administrator_url)
    page = Frozen.page

    async def meddled(
        self: Frozen, *, warehouse: str | None, after: tuple[str, str], limit: int
    ) -> list[LevelRow]:
        rows = await page(self, warehouse=warehouse, after=after, limit=limit)
        await meddler.execute("UPDATE ledger.level SET on_hand = 99")
        return rows

    monkeypatch.setattr(Frozen, "page", meddled)
    async with ledger.api() as api:
        lines = (await api.get(PATH, params={"format": "ndjson"})).text.splitlines()
        assert [json.loads(line)["on_hand"] for line in lines] == [1, 1]
        again = (await api.get(PATH, params={"format": "ndjson"})).text.splitlines()
        assert [json.loads(line)["on_hand"] for line in again] == [99, 99]
    await meddler.close()


async def test_one_export_too_many_is_told_when_to_try_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST", 0)
    async with ledger.api() as api:
        answer: httpx.Response = await api.get(PATH, params={"format": "csv"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


async def collect(answer: httpx.Response, into: bytearray) -> None:
    async for each in answer.aiter_bytes():
        into += each


@pytest.mark.parametrize("form", export.Form)
async def test_an_export_that_the_database_leaves_half_told_is_cut_and_does_not_look_whole(
    ledger: Ledger, form: export.Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 1)
    monkeypatch.setattr(export, "MOST", 1)
    monkeypatch.setattr(ledger_serve, "ANSWER_SECONDS", 0.5)
    async with ledger.consuming():
        await ledger.publish(*(change(id=sku, sku=sku, type="receipt") for sku in ("A", "B")))
        await ledger.until_recorded(2)
    direct = ledger.settings.database_url.get_secret_value()
    asked = {"format": form.value}
    came = bytearray()
    async with proxied(urlsplit(direct).port or 0) as proxy:
        page = Frozen.page

        async def last_page(
            self: Frozen, *, warehouse: str | None, after: tuple[str, str], limit: int
        ) -> list[LevelRow]:
            rows = await page(self, warehouse=warehouse, after=after, limit=limit)
            proxy.silence(Direction.TO_CLIENT)
            return rows

        monkeypatch.setattr(Frozen, "page", last_page)
        ledger.settings = ledger.settings.model_copy(
            update={"database_url": SecretStr(through(direct, proxy.port))}
        )
        headers = {"Authorization": f"Bearer {ledger.token}"}
        async with (
            serving(ledger) as (url, _),
            httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_SECONDS) as client,
        ):
            async with client.stream("GET", PATH, params=asked) as answer:
                assert answer.status_code == 200
                with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                    await collect(answer, came)
            assert b"A" in came
            assert b"B" not in came
            monkeypatch.setattr(Frozen, "page", page)
            proxy.speak()
            whole = b""

            async def is_told() -> bool:
                nonlocal whole
                again = await client.get(PATH, params=asked)
                whole = again.content
                return again.is_success

            await until(is_told)
    assert whole.startswith(came)
    assert len(whole) > len(came)
