"""Asking other services: what counts as away, as refused, and as nothing there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from pydantic import TypeAdapter
from typing_extensions import override

from services.console.domain.board import Board
from services.console.upstream.alerting import Alerting
from services.console.upstream.answers import Level
from services.console.upstream.directory import Directory
from services.console.upstream.grid import Grid, Question
from services.console.upstream.ingest import Ingest
from services.console.upstream.ledger import Ledger
from services.console.upstream.notifier import Notifier
from services.console.upstream.overview import Overview
from services.console.upstream.people import People
from services.console.upstream.service import TIMEOUT_SECONDS, Refused, Service
from shared.clock import ManualClock, WallClock
from shared.errors import Unavailable
from shared.events.stock_alerts import AlertLevel
from tests.browser.fake_services import FakeServices

SKUS = 8
ANYTHING = TypeAdapter(dict[str, int])


@asynccontextmanager
async def answering(response: httpx.Response | Exception) -> AsyncIterator[Service]:
    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        yield Service("it", client)


@pytest.mark.parametrize(
    "response",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503),
        httpx.Response(500),
        httpx.Response(401),
        httpx.Response(200, text="not JSON"),
        httpx.Response(200, json={"n": "no number"}),
    ],
)
async def test_no_sensible_answer_means_away(response: httpx.Response | Exception) -> None:
    async with answering(response) as service:
        with pytest.raises(Unavailable, match="it cannot be reached"):
            await service.get(ANYTHING, "/", {})


async def test_a_refusal_says_why() -> None:
    refusal = httpx.Response(409, json={"detail": "It is resolved already."})
    async with answering(refusal) as service:
        with pytest.raises(Refused, match="It is resolved already"):
            await service.post(ANYTHING, "/", {})


async def test_a_refusal_says_what_is_wrong_with_which_field() -> None:
    wrong = {"field": "items.1.owner", "code": "unknown_person", "message": "Make them first"}
    document = {"type": "urn:lowtide:problem:invalid", "detail": "See errors.", "errors": [wrong]}
    async with answering(httpx.Response(422, json=document)) as service:
        with pytest.raises(Refused) as caught:
            await service.put(ANYTHING, "/", {})
    assert caught.value.code == "invalid"
    assert [one.model_dump() for one in caught.value.errors] == [wrong]


async def test_a_refusal_without_a_document_is_one_all_the_same() -> None:
    async with answering(httpx.Response(413, text="no JSON")) as service:
        with pytest.raises(Refused, match="Large"):
            await service.post_file(ANYTHING, "/", "text/csv", "a")


async def test_files_and_keys_travel_as_they_are() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"n": 1})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        service = Service("it", client)
        await service.post_file(ANYTHING, "/file", "text/csv", "品类")
        await service.post(ANYTHING, "/once", {}, idempotency_key="k1")
        await service.post(ANYTHING, "/often", {})
    assert seen[0].content == "品类".encode()
    assert seen[0].headers["content-type"] == "text/csv"
    assert seen[1].headers["idempotency-key"] == "k1"
    assert "idempotency-key" not in seen[2].headers


async def test_nothing_there_is_none() -> None:
    async with answering(httpx.Response(404)) as service:
        assert await service.get(ANYTHING, "/", {}) is None


class Connected:
    """All upstream services, answered by fakes that can be taken away."""

    def __init__(self, fakes: FakeServices, client: httpx.AsyncClient) -> None:
        self.fakes = fakes
        self.ingest = Ingest(Service("ingest", client))
        self.ledger = Ledger(Service("the ledger", client))
        self.alerting = Alerting(Service("alerting", client))
        notifier = Notifier(Service("the notifier", client))
        self.directory = Directory(self.ingest, WallClock())
        self.grid = Grid(self.ingest, self.ledger, self.directory)
        self.overview = Overview(self.ledger, self.alerting, notifier, self.directory, WallClock())


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    fakes = FakeServices()
    transport = httpx.ASGITransport(fakes.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fakes") as client:
        yield Connected(fakes, client)


async def test_the_board_shows_what_all_services_say(connected: Connected) -> None:
    board = await connected.overview.board(Board())
    board = await connected.overview.board(board)
    assert board.open_by_level.value == {"watch": 5, "urgent": 2, "out": 2}
    assert board.pressing.value is not None
    assert board.pressing_of("out")[0].warehouse_name == "杭州电商仓"
    assert {episode.level for episode in board.pressing_of("out")} == {"out"}
    numbers = [episode.number for episode in board.pressing_of("")]
    assert numbers == [120, 126, 124, 121, 128, 127, 125, 123, 122]
    assert board.flow.value is not None
    assert (board.flow.value.per_second or 0) > 0
    assert board.ledger.value is not None
    assert board.ledger.value.is_current


async def test_a_level_shows_its_alerts_however_many_newer_ones_there_are_of_others(
    connected: Connected,
) -> None:
    some = connected.fakes.alerts[str(UUID(int=3))]
    for number in range(200, 320):
        alert = some | {"id": str(UUID(int=number)), "number": number, "level": "watch"}
        connected.fakes.alerts[str(UUID(int=number))] = alert
    board = await connected.overview.board(Board())
    assert len(board.pressing_of("urgent")) == board.open_of("urgent") == 2
    assert [one.number for one in board.pressing_of("")[:5]] == [120, 126, 124, 121, 319]
    assert board.open_of("") == 129


async def test_the_worst_comes_first_then_what_is_most_at_risk_however_old_it_is(
    connected: Connected,
) -> None:
    alerts = connected.fakes.alerts
    for number in range(200, 230):
        newer = alerts[str(UUID(int=3))] | {"id": str(UUID(int=number)), "number": number}
        alerts[str(UUID(int=number))] = newer
    risks: dict[int, dict[str, object] | None] = {
        3: {"units": 2.0, "money": "9.50"},
        4: {"units": 1.0, "money": "100.00"},
        6: {"units": 70.0, "money": None},
        8: {"units": 80.0, "money": None},
        9: None,
    }
    for index, risk in risks.items():
        alerts[str(UUID(int=index))]["at_risk"] = risk
    board = await connected.overview.board(Board())
    watched = [one.number for one in board.pressing_of("watch")]
    assert watched[:6] == [123, 122, 127, 125, 229, 228]
    assert [one.number for one in board.pressing_of("")[4:10]] == watched[:6]
    assert len(watched) == 20


@pytest.mark.parametrize("service", ["ledger", "alerting", "notifier"])
async def test_a_service_that_is_away_dims_its_own_part_only(
    connected: Connected, service: str
) -> None:
    before = await connected.overview.board(Board())
    connected.fakes.away.add(service)
    board = await connected.overview.board(before)
    parts = {"ledger": board.ledger, "alerting": board.alerting, "notifier": board.notifier}
    assert {name for name, section in parts.items() if section.away} == {service}
    assert parts[service].value is not None, "what it said before stays"
    connected.fakes.away.clear()
    assert not (await connected.overview.board(board)).ledger.away


async def test_rows_carry_name_and_level(connected: Connected) -> None:
    rows, away = await connected.grid.rows(Question("冷萃"), "")
    assert away == ""
    assert [(row.sku, row.warehouse) for row in rows.rows] == [
        ("SKU-1002", "hangzhou"),
        ("SKU-1002", "shanghai-store"),
    ]
    assert rows.rows[0].name == "冷萃咖啡液 10 杯装"


async def test_rows_of_one_warehouse(connected: Connected) -> None:
    rows, _ = await connected.grid.rows(Question("", "hangzhou"), "")
    assert {row.warehouse for row in rows.rows} == {"hangzhou"}
    assert len(rows.rows) == SKUS


async def test_without_the_catalogue_the_ledger_still_finds_rows(connected: Connected) -> None:
    connected.fakes.away.add("ingest")
    rows, away = await connected.grid.rows(Question(), "")
    assert away == "ingest"
    assert len(rows.rows) == 2 * SKUS
    assert rows.rows[0].name is None


class InParts:
    """Ingest and ledger of two parts each; a cursor of the other is an invalid one."""

    def __init__(self) -> None:
        self.ingest_is_away = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, cursor = request.url.path, request.url.params.get("cursor", "")
        if path == "/v1/levels/query":
            skus = json.loads(request.content)["skus"]
            return httpx.Response(200, json={"items": [_level(sku) for sku in skus]})
        if path not in {"/v1/skus", "/v1/levels"} or (self.ingest_is_away and path == "/v1/skus"):
            return httpx.Response(503)
        service, part = path[4:], {"": "1", path: "2"}.get(cursor)
        if part is None:
            return httpx.Response(422, json={"detail": "This is no cursor of mine."})
        sku = f"{service}-{part}"
        item = {"sku": sku, "name": sku} if path == "/v1/skus" else _level(sku)
        following = path if part == "1" else None
        return httpx.Response(200, json={"items": [item], "next_cursor": following})


def _level(sku: str) -> dict[str, object]:
    units = dict.fromkeys(("on_hand", "reserved", "unavailable", "incoming", "available"), 1)
    return {"sku": sku, "warehouse": "hz", "version": 1} | units


@pytest.mark.parametrize("away_first", [False, True])
async def test_where_the_catalogue_comes_or_goes_between_two_parts_the_first_is_shown(
    *, away_first: bool
) -> None:
    services = InParts()
    services.ingest_is_away = away_first
    transport = httpx.MockTransport(services.answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        service = Service("it", client)
        ingest = Ingest(service)
        grid = Grid(ingest, Ledger(service), Directory(ingest, WallClock()))
        first, of = await grid.rows(Question(), "")
        cursor = first.next_cursor or ""
        second, still = await grid.rows(Question(), cursor, of)
        services.ingest_is_away = not away_first
        other, then = await grid.rows(Question(), cursor, of)
    names = ["skus", "levels"]
    before, after = names[away_first], names[not away_first]
    assert [part.rows[0].sku for part in (first, second, other)] == [
        f"{before}-1",
        f"{before}-2",
        f"{after}-1",
    ]
    assert (of, still, then) == (("ingest", "ingest", "") if away_first else ("", "", "ingest"))


class FarAway(InParts):
    """Of the catalogue's two parts only the second has something, and that in `sh`."""

    @override
    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/levels/query":
            return super().answer(request)
        asked = json.loads(request.content)
        there = "skus-2" in asked["skus"] and "sh" in asked.get("warehouses", ["sh"])
        levels = [_level("skus-2") | {"warehouse": "sh"}] if there else []
        return httpx.Response(200, json={"items": levels})


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (Question("", "sh"), ["skus-2"]),
        (Question(), ["skus-2"]),
        (Question("", "hz"), []),
    ],
    ids=["of a warehouse", "of all", "of a warehouse that has nothing"],
)
async def test_parts_without_a_row_are_gone_through_to_the_next_one_or_the_end(
    question: Question, found: list[str]
) -> None:
    transport = httpx.MockTransport(FarAway().answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        service = Service("it", client)
        ingest = Ingest(service)
        grid = Grid(ingest, Ledger(service), Directory(ingest, WallClock()))
        rows, away = await grid.rows(question, "")
    assert ([row.sku for row in rows.rows], rows.next_cursor, away) == (found, None, "")


async def test_a_sku_that_is_searched_in_a_warehouse_without_it_is_a_row_of_that_warehouse(
    connected: Connected,
) -> None:
    del connected.fakes.levels["SKU-1002", "hangzhou"]
    searched, _ = await connected.grid.rows(Question("冷萃", "hangzhou"), "")
    (row,) = searched.rows
    assert (row.warehouse_name, row.level) == ("杭州电商仓", None)


async def test_a_catalogue_that_says_no_is_not_away(connected: Connected) -> None:
    with pytest.raises(Refused):
        await connected.grid.rows(Question(), "no cursor")


async def test_without_the_ledger_there_are_no_rows(connected: Connected) -> None:
    connected.fakes.away.add("ledger")
    with pytest.raises(Unavailable):
        await connected.grid.rows(Question(), "")


async def test_a_sku_without_stock_is_found_by_name_only(connected: Connected) -> None:
    del connected.fakes.levels["SKU-1002", "hangzhou"]
    del connected.fakes.levels["SKU-1002", "shanghai-store"]
    searched, _ = await connected.grid.rows(Question("冷萃"), "")
    assert [row.level for row in searched.rows] == [None]
    everything, _ = await connected.grid.rows(Question(), "")
    assert len(everything.rows) == 2 * (SKUS - 1)


async def test_only_newer_levels_change_rows(connected: Connected) -> None:
    rows, _ = await connected.grid.rows(Question("冷萃", "hangzhou"), "")
    level = rows.rows[0].level
    assert level is not None

    def changed(version: int) -> list[int | None]:
        newer = level.model_copy(update={"version": version, "available": 0})
        after = rows.with_levels([newer]).changed
        return [row.level.available if row.level else None for row in after]

    assert changed(level.version) == []
    assert changed(level.version + 1) == [0]
    assert rows.with_levels([newer_elsewhere(level)]).changed == []


def newer_elsewhere(level: Level) -> Level:
    return level.model_copy(update={"sku": "OTHER", "version": level.version + 1})


async def test_a_pool_that_is_named_like_a_warehouse_is_none_of_its_levels(
    connected: Connected,
) -> None:
    sku, warehouse = "SKU-1001", "hangzhou"
    first, *others = await connected.alerting.of_level(sku, warehouse)
    connected.fakes.alerts[str(first.id)]["subject"] = "pool"
    assert await connected.alerting.of_level(sku, warehouse) == others
    assert first.number in {
        each.number for each in await connected.alerting.pressing(AlertLevel.OUT, 9)
    }


async def test_names_stay_known_while_the_catalogue_is_away(connected: Connected) -> None:
    assert (await connected.directory.names()).channel("pos") == "门店收银"
    connected.fakes.away.add("ingest")
    names = await connected.directory.names()
    assert names.warehouse("hangzhou") == "杭州电商仓"
    assert names.warehouse("unheard-of") == "unheard-of"


async def test_a_catalogue_that_hangs_is_not_asked_again_at_once() -> None:
    clock = ManualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    asked: list[str] = []

    def hang(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        clock.advance(timedelta(seconds=TIMEOUT_SECONDS))
        raise httpx.ReadTimeout("slow")

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(hang), base_url="http://it"
    ) as client:
        directory = Directory(Ingest(Service("ingest", client)), clock)
        for _ in range(3):
            await directory.names()
    assert asked == ["/v1/warehouses"]


async def test_what_is_done_for_a_person_says_so_and_nothing_else_does() -> None:
    heard: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append((request.url.path, request.headers.get("lowtide-acting-for")))
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        service = Service("it", client)
        await service.acting_for("王 敏").post(ANYTHING, "/one", {})
        await service.post(ANYTHING, "/two", {})
        await service.acting_for(None).post(ANYTHING, "/three", {})
    assert heard == [("/one", "%E7%8E%8B%20%E6%95%8F"), ("/two", None), ("/three", None)]


@pytest.mark.parametrize(
    ("response", "groups"),
    [
        (httpx.Response(200, json={"items": [{"id": "east", "name": "East"}]}), {"east": "East"}),
        (httpx.Response(404), {}),
        (httpx.Response(403), {}),
        (httpx.ConnectError("no"), {}),
    ],
    ids=["answered", "of an alerting without groups", "not to be told", "away"],
)
async def test_warehouse_groups_have_names_or_the_page_does_without(
    response: httpx.Response | Exception, groups: dict[str, str]
) -> None:
    async with answering(response) as service:
        assert await People(service).groups() == groups
