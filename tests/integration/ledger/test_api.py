"""What other systems and people are told about levels, and how they are told what is wrong."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import asyncpg
import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.ledger.api.levels import Level
from services.ledger.domain.statement import Recorded
from services.ledger.store import books, stretches
from services.ledger.store.levels import LevelRow
from services.ledger.store.past import recorded
from shared.clock import WallClock
from shared.database import engine
from shared.events.dead_letters import DeadReason
from shared.http.auth import Scope
from shared.http.pages import encode_cursor
from shared.http.problems import MEDIA_TYPE
from shared.http.tokens import mint
from tests.integration.ledger.service import START, Ledger, change

HOUR = timedelta(hours=1)
FIRST_VERSION = 2**40
CLOSED = 1
"""A port where nobody listens."""


@pytest_asyncio.fixture
async def api(ledger: Ledger) -> AsyncIterator[httpx.AsyncClient]:
    async with ledger.api() as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    document: dict[str, object] = answer.json()
    assert document["status"] == status
    return document


async def stocked(ledger: Ledger) -> None:
    """Let the ledger apply some changes of four SKUs in two warehouses."""
    changes = [
        change(id="c", type="count", quantity=10),
        change(id="s", quantity=12, occurred_at=START + HOUR),
        change(id="r", type="return", quantity=1, reason="damaged", occurred_at=START + 2 * HOUR),
        change(id="n", sku="A", warehouse="N", type="receipt", quantity=3),
        change(id="b", sku="B_1", type="receipt", quantity=5),
        change(id="x", sku="BX1", type="receipt", quantity=6),
        change(id="z", sku="货 100%", type="receipt", quantity=7),
    ]
    async with ledger.consuming():
        await ledger.publish(*changes)
        await ledger.until_recorded(len(changes))


async def test_a_level_is_answered_with_all_its_quantities(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await stocked(ledger)
    answer = await api.get("/v1/levels/A/W")
    level = answer.json()
    assert answer.status_code == 200
    versions = level.pop("version")
    assert FIRST_VERSION < versions <= FIRST_VERSION + 3
    assert level == {
        "sku": "A",
        "warehouse": "W",
        "on_hand": -1,
        "reserved": 0,
        "unavailable": 1,
        "incoming": 0,
        "available": -2,
        "counted_at": "2026-03-01T12:00:00Z",
        "last_change_at": "2026-03-01T14:00:00Z",
        "sold_total": 12,
        "returned_total": 1,
        "received_total": 0,
        "supply": [],
        "demand": [],
        "flags": ["negative"],
    }
    several = (await api.get("/v1/levels/A")).json()
    assert [(each["warehouse"], each["on_hand"]) for each in several["items"]] == [
        ("N", 3),
        ("W", -1),
    ]
    assert several["next_cursor"] is None


async def test_levels_are_listed_in_pages_that_leave_nothing_out(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await stocked(ledger)
    found: list[tuple[str, str]] = []
    parameters: dict[str, str | int] = {"limit": 2}
    for _ in range(9):
        page = (await api.get("/v1/levels", params=parameters)).json()
        found += [(each["sku"], each["warehouse"]) for each in page["items"]]
        assert len(page["items"]) <= 2
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert sorted(found) == [("A", "N"), ("A", "W"), ("BX1", "W"), ("B_1", "W"), ("货 100%", "W")]


FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({"sku": "A"}, ["A", "A"]),
    ({"sku": "A", "warehouse": "N"}, ["A"]),
    ({"warehouse": "N"}, ["A"]),
    ({"sku": "none"}, []),
    # What a pattern would take for "any" is looked for as it stands.
    ({"q": "b_"}, ["B_1"]),
    ({"q": "%"}, ["货 100%"]),
    ({"q": "\\"}, []),
    ({"q": "1"}, ["BX1", "B_1", "货 100%"]),
    ({"q": "货"}, ["货 100%"]),
    ({"q": ""}, ["A", "A", "BX1", "B_1", "货 100%"]),
    ({"q": "' OR true --"}, []),
]


async def test_levels_are_found_by_codes_and_parts_of_codes(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await stocked(ledger)
    for parameters, skus in FOUND:
        answer = await api.get("/v1/levels", params=parameters)
        assert sorted(each["sku"] for each in answer.json()["items"]) == skus, parameters


async def test_many_levels_are_asked_for_at_once(ledger: Ledger, api: httpx.AsyncClient) -> None:
    await stocked(ledger)
    answer = await api.post("/v1/levels/query", json={"skus": ["A", "B_1", "unknown"]})
    found = answer.json()
    assert [(each["sku"], each["warehouse"]) for each in found["items"]] == [
        ("A", "N"),
        ("A", "W"),
        ("B_1", "W"),
    ]
    assert found["behind_seconds"] == 0
    some = await api.post("/v1/levels/query", json={"skus": ["A"], "warehouses": ["N", "X"]})
    assert [each["warehouse"] for each in some.json()["items"]] == ["N"]
    most = await api.post("/v1/levels/query", json={"skus": [f"S{n}" for n in range(500)]})
    assert (most.status_code, most.json()["items"]) == (200, [])


async def test_a_large_query_leaves_others_their_turns(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    skus = [f"S{number}" for number in range(7)]
    async with ledger.consuming():
        await ledger.publish(*(change(id=sku, sku=sku) for sku in skus))
        await ledger.until_recorded(len(skus))
    listed = (await api.get("/v1/levels")).json()["items"]
    turn = 0
    made: list[int] = []
    of = Level.of

    def made_in_turn(row: LevelRow) -> Level:
        made.append(turn)
        return of(row)

    async def others() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Level, "of", made_in_turn)
    monkeypatch.setattr("shared.turns.AT_ONCE", 2, raising=False)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(others())
        answer = await api.post("/v1/levels/query", json={"skus": skus})
        waiting.cancel()
    assert max(Counter(made).values()) == 2
    assert answer.json()["items"] == listed
    assert answer.headers["content-type"] == "application/json"


async def test_a_statement_is_bounded_by_times_and_pages(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await stocked(ledger)
    path = "/v1/levels/A/W/statement"
    whole = (await api.get(path)).json()["items"]
    assert [(each["id"], each["change"], each["balance"]) for each in whole] == [
        ("r", 1, -1),
        ("s", -12, -2),
        ("c", 10, 10),
    ]
    bounds = {"from": (START + HOUR).isoformat(), "to": (START + 2 * HOUR).isoformat()}
    assert [each["id"] for each in (await api.get(path, params=bounds)).json()["items"]] == ["s"]
    elsewhere = {"from": "2026-03-01T21:00:00+08:00"}
    assert len((await api.get(path, params=elsewhere)).json()["items"]) == 2
    first = (await api.get(path, params={"limit": 2})).json()
    rest = await api.get(path, params={"limit": 2, "cursor": first["next_cursor"]})
    assert [*first["items"], *rest.json()["items"]] == whole
    assert rest.json()["next_cursor"] is None


async def test_a_late_change_between_two_pages_hides_no_other(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    path = "/v1/levels/A/W/statement"
    async with ledger.consuming():
        await ledger.publish(*(change(id=f"{n}", occurred_at=START + n * HOUR) for n in range(5)))
        await ledger.until_recorded(5)
        page = (await api.get(path, params={"limit": 2})).json()
        found = [each["id"] for each in page["items"]]
        await ledger.publish(change(id="late", occurred_at=START + HOUR / 2))
        await ledger.until_recorded(6)
    while page["next_cursor"] is not None:
        page = (await api.get(path, params={"limit": 2, "cursor": page["next_cursor"]})).json()
        found += [each["id"] for each in page["items"]]
    assert found == ["4", "3", "2", "1", "late", "0"]


async def test_a_long_past_is_gone_through_between_all_else(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="r", type="receipt", quantity=2_000, occurred_at=START))
        await ledger.until_recorded(1)
    await ledger.rows("INSERT INTO warehouse VALUES ('W', 1, 'W', 'UTC')")
    await ledger.rows(
        "INSERT INTO movement (level_id, occurred_at, recorded_at, received_at, quantity, applied,"
        ' "offset", type, late, channel, id, line)'
        " SELECT level_id, occurred_at + n * interval '1 second', recorded_at, received_at, 1, -1,"
        "        -1, 1, false, 'shop', n::text, '0' FROM movement, generate_series(1, 1500) AS n"
    )
    turns = Counter[int]()
    turn = 0

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def noted(row: Sequence[object]) -> Recorded:
        turns[turn] += 1
        return recorded(row)

    monkeypatch.setattr(stretches, "AT_ONCE", 100)
    monkeypatch.setattr(stretches, "recorded", noted)
    as_of = (START + timedelta(seconds=1_000)).isoformat()
    async with asyncio.TaskGroup() as group:
        counting = group.create_task(count())
        (newest, *_) = (await api.get("/v1/levels/A/W/statement")).json()["items"]
        then = (await api.get("/v1/levels/A/W", params={"as_of": as_of})).json()
        day = {"from": "2026-03-01", "to": "2026-03-01"}
        demand = (await api.get("/v1/demand/daily", params={"sku": "A"} | day)).json()
        counting.cancel()
    assert (newest["id"], newest["balance"], then["on_hand"]) == ("1500", 500, 1_000)
    assert demand["items"][0]["days"][0]["sold"] == 1_500
    assert turns.total() == 1_501 + 1_001 + 1_501
    assert max(turns.values()) == 100
    monkeypatch.setattr(books, "MOST", 1_500)
    answer = await api.get("/v1/levels/A/W/statement")
    document = problem(answer, 422)
    assert document["type"] == "urn:lowtide:problem:too_long"
    assert "1,500 movements" in str(document["detail"])


async def test_a_past_that_the_database_takes_too_long_for_is_too_long(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is held up by whoever makes openings."""
    async with ledger.consuming():
        await ledger.publish(change(id="r", type="receipt"))
        await ledger.until_recorded(1)
    monkeypatch.setattr(engine, "STATEMENT_TIMEOUT_MS", 500)
    holder = await asyncpg.connect(ledger.database.administrator_url)
    try:
        async with holder.transaction(), ledger.api() as api:
            await holder.execute("LOCK TABLE ledger.opening IN ACCESS EXCLUSIVE MODE")
            answer = await api.get("/v1/levels/A/W/statement")
    finally:
        await holder.close()
    assert problem(answer, 422)["type"] == "urn:lowtide:problem:too_long"


async def test_a_statement_marks_what_was_late_and_what_a_count_contained(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(id="c", type="count", quantity=10, occurred_at=START + HOUR))
        await ledger.publish(change(id="early", quantity=4))
        await ledger.publish(change(id="after", quantity=1, occurred_at=START + 3 * HOUR))
        await ledger.publish(change(id="between", quantity=2, occurred_at=START + 2 * HOUR))
        await ledger.until_recorded(4)
    marks = {
        each["id"]: (each["late"], each["masked"], each["applied"], each["balance"])
        for each in (await api.get("/v1/levels/A/W/statement")).json()["items"]
    }
    assert marks == {
        "after": (False, False, -1, 7),
        "between": (True, False, -2, 8),
        "c": (False, False, 10, 10),
        "early": (True, True, 0, -4),
    }


async def test_the_summary_says_what_was_done_and_what_waits(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await ledger.publish(
            change(id="1", type="receipt", quantity=5),
            change(id="1", type="receipt", quantity=5),
            change(id="1", type="receipt", quantity=6),
            change(id="2", occurred_at=datetime(2099, 1, 1, tzinfo=UTC)),
        )
        await ledger.until_rejected(DeadReason.FROM_THE_FUTURE, 1)
    await ledger.publish(change(id="3", sku="C"))
    async with ledger.api() as fresh:
        summary = (await fresh.get("/v1/summary")).json()
        # Nothing was ever applied in C's partition.
        assert (summary["lag_records"], summary["behind_seconds"]) == (1, None)
        await ledger.publish(change(id="4"))
    async with ledger.api() as fresh:
        summary = (await fresh.get("/v1/summary")).json()
    assert summary.pop("behind_seconds") > 0
    assert summary == {
        "movements": 1,
        "repeats": 1,
        "rejected": {"id_reused": 1, "from_the_future": 1},
        "levels": 1,
        "lag_records": 2,
    }


async def test_what_there_is_not_is_a_404_that_says_what_to_do(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await stocked(ledger)
    sku = problem(await api.get("/v1/levels/none"), 404)
    assert sku["type"] == "urn:lowtide:problem:not_found"
    assert sku["detail"] == (
        "There is no level of SKU none; check its code, or post its first change."
    )
    for path in ("/v1/levels/A/X", "/v1/levels/A/X/statement"):
        detail = problem(await api.get(path), 404)["detail"]
        assert detail == (
            "There is no level of SKU A in warehouse X; check both codes, or post its first change."
        )


async def test_codes_that_hold_what_paths_are_made_of_are_asked_for_by_path(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    # A/B in B is as long a path as A in B/B: only what is escaped tells them apart.
    places = [("A", "B"), ("A/B", "B"), ("A", "B/B"), ("A%2FB", "50% #1?"), ("货 /\\", "仓/ä+")]
    async with ledger.consuming():
        await ledger.publish(
            *(
                change(id=f"{n}", type="receipt", sku=sku, warehouse=warehouse, quantity=n)
                for n, (sku, warehouse) in enumerate(places, start=1)
            )
        )
        await ledger.until_recorded(len(places))
    for n, (sku, warehouse) in enumerate(places, start=1):
        of_sku = f"/v1/levels/{quote(sku, safe='')}"
        path = f"{of_sku}/{quote(warehouse, safe='')}"
        short = (await api.get(path)).json()
        assert (short["sku"], short["warehouse"], short["on_hand"]) == (sku, warehouse, n)
        documented = await api.get(path, params={"as_of": (START + HOUR).isoformat()})
        assert documented.json() == short | {"version": None}
        levels = (await api.get(of_sku)).json()["items"]
        assert [(each["sku"], each["warehouse"]) for each in levels] == [
            each for each in sorted(places) if each[0] == sku
        ]
        (line,) = (await api.get(f"{path}/statement")).json()["items"]
        assert line["quantity"] == n
        assert (await api.get(f"{path}/projection")).json()["sku"] == sku
    problem(await api.get("/v1/levels/A%2FB%2FB"), 404)


async def test_a_sku_that_only_met_refused_changes_has_no_level(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await ledger.publish(change(occurred_at=datetime(2099, 1, 1, tzinfo=UTC)))
        await ledger.until_rejected(DeadReason.FROM_THE_FUTURE, 1)
    problem(await api.get("/v1/levels/A"), 404)
    assert (await api.get("/v1/levels")).json()["items"] == []
    assert (await api.get("/v1/summary")).json()["levels"] == 0


WRONG: list[tuple[str, dict[str, str], str]] = [
    ("/v1/levels", {"cursor": "nonsense"}, "bad_cursor"),
    ("/v1/levels", {"cursor": encode_cursor(7)}, "bad_cursor"),
    ("/v1/levels", {"cursor": encode_cursor("A\x00", "W")}, "bad_cursor"),
    ("/v1/levels", {"limit": "0"}, "invalid"),
    ("/v1/levels", {"limit": "501"}, "invalid"),
    ("/v1/levels", {"limit": "many"}, "invalid"),
    ("/v1/levels", {"sku": "A|W"}, "invalid"),
    ("/v1/levels", {"warehouse": "\x00"}, "invalid"),
    ("/v1/levels", {"q": "\x00"}, "invalid"),
    ("/v1/levels/A%00", {}, "invalid"),
    ("/v1/levels/A/W%0A", {}, "invalid"),
    ("/v1/levels/A/W/statement", {"cursor": encode_cursor("A")}, "bad_cursor"),
    ("/v1/levels/A/W/statement", {"cursor": encode_cursor(2**63)}, "bad_cursor"),
    ("/v1/levels/A/W/statement", {"from": "2026-03-01T12:00:00"}, "invalid"),
    ("/v1/levels/A/W/statement", {"from": "0001-01-01T00:00:00+23:59"}, "invalid"),
    ("/v1/levels/A/W/statement", {"to": "yesterday"}, "invalid"),
]


async def test_what_cannot_be_asked_is_a_422_with_its_reason(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await stocked(ledger)
    for path, parameters, code in WRONG:
        answer = await api.get(path, params=parameters)
        document = problem(answer, 422)
        assert document["type"] == f"urn:lowtide:problem:{code}", (path, parameters)
    bodies: list[dict[str, list[object]]] = [
        {},
        {"skus": []},
        {"skus": ["x"] * 501},
        {"skus": ["A\x00"]},
        {"skus": [7]},
        {"skus": ["A"], "warehouses": [""]},
    ]
    for body in bodies:
        document = problem(await api.post("/v1/levels/query", json=body), 422)
        assert document["errors"], body
    answer = await api.post(
        "/v1/levels/query", content=b"{", headers={"content-type": "application/json"}
    )
    assert problem(answer, 400)["type"] == "urn:lowtide:problem:not_json"


PATHS = (
    "/v1/levels",
    "/v1/levels/A",
    "/v1/levels/A/W",
    "/v1/levels/A/W/statement",
    "/v1/levels/A/W/projection",
    "/v1/demand/daily?sku=A&from=2026-03-01&to=2026-03-02",
    "/v1/export/levels?format=csv",
    "/v1/summary",
)


async def test_nothing_is_told_to_who_may_not_know(ledger: Ledger, key: Path) -> None:
    other = mint(
        key,
        subject="test",
        scopes=[Scope.EVENTS_WRITE],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    async with ledger.api("not a token") as stranger, ledger.api(other) as guest:
        for path in PATHS:
            answer = await stranger.get(path)
            assert problem(answer, 401)["type"] == "urn:lowtide:problem:unauthorised"
            assert answer.headers["www-authenticate"] == "Bearer"
            detail = problem(await guest.get(path), 403)["detail"]
            assert "stock:read" in str(detail)
        nobody = await stranger.get("/v1/levels", headers={"authorization": ""})
        problem(nobody, 401)
        assert (await stranger.get("/healthz")).status_code == 200


async def test_a_database_that_is_away_is_a_503_to_be_tried_again(ledger: Ledger) -> None:
    ledger.settings = ledger.settings.model_copy(
        update={"database_url": SecretStr(f"postgresql://ledger:x@127.0.0.1:{CLOSED}/none")}
    )
    async with ledger.api() as api:
        for path in PATHS:
            answer = await api.get(path)
            document = problem(answer, 503)
            assert document["type"] == "urn:lowtide:problem:unavailable"
            assert int(answer.headers["retry-after"]) > 0
        ready = await api.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["problems"] == {"database": "the database cannot be reached"}


async def test_without_a_broker_levels_are_told_but_not_how_old_they_are(ledger: Ledger) -> None:
    await stocked(ledger)
    ledger.settings = ledger.settings.model_copy(update={"kafka": f"127.0.0.1:{CLOSED}"})
    async with ledger.api() as api:
        levels = (await api.get("/v1/levels")).json()
        assert len(levels["items"]) == 5
        assert levels["behind_seconds"] is None
        assert (await api.get("/v1/summary")).json()["lag_records"] is None
