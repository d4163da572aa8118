"""What the ledger is asked: levels, statements, how far it is."""

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import TypeAdapter

from services.console.upstream.answers import LedgerSummary, Level, Page, StatementLine
from services.console.upstream.service import Service
from shared.errors import Unavailable

_LEVEL = TypeAdapter(Level)
_LEVELS = TypeAdapter(Page[Level])
_STATEMENT = TypeAdapter(Page[StatementLine])
_SUMMARY = TypeAdapter(LedgerSummary)


class Ledger:
    """The ledger as pages see it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def level(self, sku: str, warehouse: str) -> Level | None:
        """Return a level, or None where nothing was ever recorded."""
        return await self._service.get(_LEVEL, _path(sku, warehouse), {})

    async def levels(
        self, *, words: str = "", warehouse: str = "", cursor: str = "", limit: int = 50
    ) -> Page[Level]:
        """Return a part of all levels, by SKU and warehouse."""
        parameters: dict[str, str | int] = {"limit": limit}
        given = {"q": words, "warehouse": warehouse, "cursor": cursor}
        parameters |= {name: value for name, value in given.items() if value}
        page = await self._service.get(_LEVELS, "/v1/levels", parameters)
        return page or Page[Level](items=[])

    async def levels_of(self, skus: Sequence[str], warehouse: str = "") -> list[Level]:
        """Return the levels of at most 500 SKUs, in all warehouses or one."""
        if not skus:
            return []
        body: dict[str, object] = {"skus": list(skus)}
        if warehouse:
            body["warehouses"] = [warehouse]
        page = await self._service.post(_LEVELS, "/v1/levels/query", body)
        return page.items if page else []

    async def statement(self, sku: str, warehouse: str, limit: int) -> Page[StatementLine]:
        """Return the newest lines of a level's statement, newest first, at most 500."""
        path = f"{_path(sku, warehouse)}/statement"
        page = await self._service.get(_STATEMENT, path, {"limit": limit})
        return page or Page[StatementLine](items=[])

    async def summary(self) -> LedgerSummary:
        """Return what was recorded so far."""
        summary = await self._service.get(_SUMMARY, "/v1/summary", {})
        if summary is None:
            raise Unavailable("the ledger")
        return summary


def _path(sku: str, warehouse: str) -> str:
    return f"/v1/levels/{quote(sku, safe='')}/{quote(warehouse, safe='')}"
