"""Guess what unknown codes mean, a little at a time: intake shares the processor."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from services.ingest.domain.codes import Codes
from services.ingest.domain.suggestion import Suggestion, Suggestions

PAGE_GUESSES: Final = 20
"""New guesses for one page at the most, some 30 ms each at worst; the next look brings others."""

_REMEMBERED: Final = 10_000

UnknownCode: TypeAlias = tuple[str, str]
"""What a code should be of (sku, warehouse or counterparty), and the code."""


class Guessing:
    """Guesses of one process, remembered until there are more codes to guess among."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._among: dict[str, Suggestions] = {}
        self._sizes = (0, 0)
        self._made: dict[UnknownCode, Suggestion | None] = {}

    async def of(
        self, wanted: Iterable[UnknownCode], codes: Codes
    ) -> Mapping[UnknownCode, Suggestion | None]:
        """Return guesses at codes, the first of those not yet guessed at included."""
        wanted = dict.fromkeys(wanted)
        if not wanted:
            return {}
        async with self._turn:
            return await asyncio.to_thread(self._of, wanted, codes)

    def _of(
        self, wanted: Iterable[UnknownCode], codes: Codes
    ) -> Mapping[UnknownCode, Suggestion | None]:
        skus, warehouses = list(codes.all_skus()), list(codes.all_warehouses())
        sizes = (len(skus), len(warehouses))  # codes come and never go
        if sizes != self._sizes:
            by_warehouse = Suggestions(warehouses)
            self._among = {
                "sku": Suggestions(skus),
                "warehouse": by_warehouse,
                "counterparty": by_warehouse,
            }
            self._sizes = sizes
            self._made.clear()
        if len(self._made) > _REMEMBERED:
            self._made.clear()
        for kind, code in [each for each in wanted if each not in self._made][:PAGE_GUESSES]:
            self._made[kind, code] = self._among[kind].of(code)
        return {each: self._made[each] for each in wanted if each in self._made}
