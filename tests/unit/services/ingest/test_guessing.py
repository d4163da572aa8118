"""Guesses that do not starve what else a process does."""

import asyncio
from collections.abc import Callable

import pytest
from typing_extensions import override

from services.ingest import guessing
from services.ingest.domain.codes import Changes, Codes, SkuSpellings
from services.ingest.domain.suggestion import Suggestion, Suggestions
from services.ingest.guessing import PAGE_GUESSES, Guessing


class Counted(Suggestions):
    """Counts how often an index is made and a code is compared."""

    made: list[int] = []  # noqa: RUF012 - a fresh one for each test
    compared: list[str] = []  # noqa: RUF012 - a fresh one for each test

    @override
    def __init__(self, known: list[str]) -> None:
        self.made.append(len(known))
        super().__init__(known)

    @override
    def of(self, code: str) -> Suggestion | None:
        self.compared.append(code)
        return super().of(code)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    monkeypatch.setattr(guessing, "Suggestions", Counted)
    monkeypatch.setattr(Counted, "made", [])
    monkeypatch.setattr(Counted, "compared", [])
    return Counted


def known(*skus: str) -> Codes:
    codes = Codes()
    codes.apply(Changes(1, skus=[SkuSpellings(each, ()) for each in skus], warehouses=["main"]))
    return codes


async def test_what_was_guessed_is_remembered_until_there_are_more_codes(
    counted: type[Counted],
) -> None:
    codes, guesses = known("LAMP-1"), Guessing()
    wanted = [("sku", "lamp1"), ("warehouse", "MAIN"), ("counterparty", "mian")]
    expected = {
        ("sku", "lamp1"): Suggestion("LAMP-1", "case_or_space"),
        ("warehouse", "MAIN"): Suggestion("main", "case_or_space"),
        ("counterparty", "mian"): Suggestion("main", "similar"),
    }
    for _ in range(2):
        assert await guesses.of(wanted, codes) == expected
    assert (counted.made, len(counted.compared)) == ([1, 1], 3)
    codes.apply(Changes(2, skus=[SkuSpellings("lamp1", ())]))
    found = await guesses.of([("sku", "LAMP1")], codes)
    assert found == {("sku", "LAMP1"): Suggestion("LAMP-1", "case_or_space")}
    assert sorted(counted.made) == [1, 1, 1, 2]


async def test_a_page_of_many_codes_is_guessed_bit_by_bit(counted: type[Counted]) -> None:
    codes, guesses = known("A"), Guessing()
    wanted = [("sku", f"x{number}") for number in range(2 * PAGE_GUESSES)]
    assert len(await guesses.of(wanted, codes)) == PAGE_GUESSES
    assert counted.compared == [code for _, code in wanted[:PAGE_GUESSES]]
    assert len(await guesses.of(wanted, codes)) == 2 * PAGE_GUESSES
    assert counted.compared == [code for _, code in wanted]


async def test_who_asks_at_the_same_time_takes_turns(
    counted: type[Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    guesses, codes = Guessing(), known("A")
    at_work, may_end = [0], asyncio.Event()

    async def to_thread(guess: Callable[..., object], *values: object) -> object:
        at_work[0] += 1
        await may_end.wait()
        return guess(*values)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(guesses.of([("sku", "a")], codes))
        for _ in range(5):
            await asyncio.sleep(0)
        assert at_work == [1]
        may_end.set()
    assert counted.compared == ["a"]
