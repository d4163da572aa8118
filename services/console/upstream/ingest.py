"""What ingest is asked: names of SKUs, warehouses and channels."""

from urllib.parse import quote

from pydantic import TypeAdapter

from services.console.upstream.answers import Channel, Page, Sku, Warehouse
from services.console.upstream.service import Service
from services.console.upstream.whole import whole

_SKU = TypeAdapter(Sku)
_SKUS = TypeAdapter(Page[Sku])
_WAREHOUSES = TypeAdapter(Page[Warehouse])
_CHANNELS = TypeAdapter(Page[Channel])


class Ingest:
    """Ingest as pages see it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def skus(self, *, words: str = "", cursor: str = "", limit: int = 50) -> Page[Sku]:
        """Return a part of the catalogue whose SKU, name, alias or barcode fits the words."""
        parameters: dict[str, str | int] = {"limit": limit}
        given = {"q": words, "cursor": cursor}
        parameters |= {name: value for name, value in given.items() if value}
        page = await self._service.get(_SKUS, "/v1/skus", parameters)
        return page or Page[Sku](items=[])

    async def sku(self, sku: str) -> Sku | None:
        """Return a SKU's master data, or None for an unknown one."""
        return await self._service.get(_SKU, f"/v1/skus/{quote(sku, safe='')}", {})

    async def warehouses(self) -> list[Warehouse]:
        """Return all warehouses."""
        return await whole(self._service, _WAREHOUSES, "/v1/warehouses")

    async def channels(self) -> list[Channel]:
        """Return all channels."""
        return await whole(self._service, _CHANNELS, "/v1/channels")
