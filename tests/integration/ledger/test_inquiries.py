"""Levels that many ask for at once."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from fastapi import Request

from services.ledger.api import levels as api_levels
from services.ledger.store import inquiries, levels
from services.ledger.store.inquiries import Inquiries
from services.ledger.store.levels import LevelRow
from shared.database.engine import Driver, create_engine
from shared.errors import Unavailable
from shared.events.stock_levels import LevelKey
from shared.http.auth import Scope, admit
from tests.integration.ledger.service import START, Ledger, change


class Asked:
    """The keys that each statement asked for; `first` is set by the first of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[Collection[LevelKey]] = []
        self.first = asyncio.Event()
        of_keys = levels.of_keys

        async def noting(driver: Driver, keys: Collection[LevelKey]) -> dict[LevelKey, LevelRow]:
            self.statements.append(keys)
            self.first.set()
            return await of_keys(driver, keys)

        monkeypatch.setattr(levels, "of_keys", noting)


@pytest_asyncio.fixture
async def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest_asyncio.fixture
async def running(ledger: Ledger) -> AsyncIterator[Inquiries]:
    await stocked(ledger)
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    questions = Inquiries(engine)
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(questions.run())
        yield questions
        run.cancel()
    await engine.dispose()


@asynccontextmanager
async def unanswered(ledger: Ledger) -> AsyncIterator[None]:
    """Let nobody read a level meanwhile."""
    connection = await asyncpg.connect(ledger.database.administrator_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE ledger.level IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def stocked(ledger: Ledger) -> None:
    async with ledger.consuming():
        await ledger.publish(
            *(change(id=f"{n}", sku=f"S{n}", type="receipt", quantity=n) for n in range(1, 10)),
            change(id="d", sku="S1", type="demand_expected", quantity=4, reference="7", eta=START),
            change(id="e", sku="S1", type="supply_expected", quantity=5, reference="PO", eta=START),
        )
        await ledger.until_recorded(11)


async def test_who_asks_meanwhile_is_answered_together_and_each_rightly(
    ledger: Ledger, running: Inquiries, asked: Asked
) -> None:
    wanted = [f"S{n}" for n in (2, 3, 3, 4, 99, 5)]
    async with asyncio.TaskGroup() as tasks, unanswered(ledger):
        first = tasks.create_task(running.level("S1", "W"))
        await asked.first.wait()
        others = [tasks.create_task(running.level(sku, "W")) for sku in [*wanted, "gone"]]
        await asyncio.sleep(0)
        others.pop().cancel()
    answers = [first.result(), *(other.result() for other in others)]
    assert [each and each.on_hand for each in answers] == [1, 2, 3, 3, 4, None, 5]
    assert asked.statements == [{("S1", "W")}, {(sku, "W") for sku in [*wanted, "gone"]}]


async def test_one_question_too_many_and_a_database_that_hangs_are_errors_and_pass(
    ledger: Ledger, running: Inquiries, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    monkeypatch.setattr(inquiries, "WAITING", 2)
    monkeypatch.setattr(inquiries, "_TIMEOUT_SECONDS", 1.0)
    async with unanswered(ledger):
        first = asyncio.gather(running.level("S1", "W"), return_exceptions=True)
        await asked.first.wait()
        several = await asyncio.gather(
            *(running.level("S2", "W") for _ in range(3)), return_exceptions=True
        )
        assert [type(each) for each in [*await first, *several]] == [
            *[TimeoutError] * 3,
            Unavailable,
        ]
    again = await running.level("S1", "W")
    assert again is not None
    assert again.on_hand == 1


async def test_the_short_way_and_the_documented_one_answer_the_same(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stocked(ledger)
    taken = []

    async def noting(request: Request, *scopes: Scope) -> None:
        taken.append(request.url.path)
        await admit(request, *scopes)

    monkeypatch.setattr(api_levels, "admit", noting)
    async with ledger.api() as api:
        for path in ("/v1/levels/S1/W", "/v1/levels/S9/W", "/v1/levels/none/W"):
            short, documented = await api.get(path), await api.get(path, params={"any": "1"})
            assert short.content == documented.content
            for answer in (short, documented):
                assert answer.headers.pop("traceparent")
            assert short.headers == documented.headers
            assert taken.pop() == path
            assert not taken, "the documented one is FastAPI's"
        level = (await api.get("/v1/levels/S1/W")).json()
    assert [len(level[lines]) for lines in ("supply", "demand")] == [1, 1]
