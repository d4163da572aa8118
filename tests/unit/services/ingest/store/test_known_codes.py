"""Who asks for fresher codes at the same time."""

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from services.ingest.domain.codes import Changes
from services.ingest.store.database import Database
from services.ingest.store.known_codes import KnownCodes
from shared.errors import Unavailable


class Answering(Database):
    """A database that answers each question when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[Changes | Unavailable] = asyncio.Queue()

    @override
    async def read(self, *_: object, **__: object) -> Any:
        self.asked += 1
        answer = await self.answers.get()
        if isinstance(answer, Unavailable):
            raise answer
        return answer


async def begun(codes: KnownCodes, group: asyncio.TaskGroup, count: int) -> list[asyncio.Task[str]]:
    """Return so many refreshes that have got as far as they can."""

    async def outcome() -> str:
        try:
            await codes.refresh()
        except Unavailable:
            return "away"
        return "fresh"

    tasks = [group.create_task(outcome()) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize(
    ("answer", "expected"), [(Changes(2), "fresh"), (Unavailable("the database"), "away")]
)
async def test_whoever_asks_while_an_answer_is_awaited_shares_the_next(
    answer: Changes | Unavailable, expected: str
) -> None:
    database = Answering()
    codes = KnownCodes(database)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        (first,) = await begun(codes, group, 1)
        others = await begun(codes, group, 5)
        assert database.asked == 1
        database.answers.put_nowait(Changes(1))
        assert await first == "fresh"
        # The first answer may be older than what the others want to know of.
        database.answers.put_nowait(answer)
        assert [await each for each in others] == [expected] * 5
        assert database.asked == 2
        (later,) = await begun(codes, group, 1)
        database.answers.put_nowait(Changes(3))
        assert await later == "fresh"
    assert database.asked == 3


async def test_one_who_gives_up_leaves_the_question_to_the_others() -> None:
    database = Answering()
    codes = KnownCodes(database)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        (first,) = await begun(codes, group, 1)
        others = await begun(codes, group, 2)
        first.cancel()
        database.answers.put_nowait(Changes(1))
        assert [await each for each in others] == ["fresh", "fresh"]
    assert database.asked == 2
