"""What alerting is asked of people: who there is, and who sees to what."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import ConfigDict, Field, TypeAdapter

from services.console.upstream.answers import Answer, Page
from services.console.upstream.service import Refused, Service
from services.console.upstream.whole import whole
from shared.errors import Unavailable

Row = dict[str, Any]
"""A row of the table of responsibilities: all that alerting says, also what pages do not show."""


class Person(Answer):
    """Somebody; what else alerting says is kept, so that changing one part loses no other."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    name: str
    language: str = "zh-CN"
    email: str | None = None
    wecom_userid: str | None = None
    dingtalk_userid: str | None = None
    feishu_open_id: str | None = None
    slack_user_id: str | None = None
    away_until: datetime | None = None

    def is_away(self, now: datetime) -> bool:
        """Return whether what opens now goes to a deputy."""
        return self.away_until is not None and now < self.away_until


class WarehouseGroup(Answer):
    """A group of warehouses, as rows name it; what else alerting says is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    name: str
    warehouses: list[str] = Field(default_factory=list)


class UnknownCounts(Answer):
    """Of how many products class or supplier is not known."""

    stock_class: int = 0
    supplier: int = 0


class UnknownOfSku(Answer):
    """A product of which something is not known, in these warehouses."""

    sku: str
    name: str | None = None
    warehouses: list[str]


class Table(Answer):
    """The table of responsibilities."""

    items: list[Row]


_PERSON = TypeAdapter(Person)
_PEOPLE = TypeAdapter(Page[Person])
_GROUP = TypeAdapter(WarehouseGroup)
_GROUPS = TypeAdapter(Page[WarehouseGroup])
_TABLE = TypeAdapter(Table)
_UNKNOWN_COUNTS = TypeAdapter(UnknownCounts)
_UNKNOWN = TypeAdapter(Page[UnknownOfSku])
_CSV = "text/csv; charset=utf-8"


class People:
    """People and responsibilities as pages see them. What changes them raises Refused."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def all(self) -> list[Person]:
        """Return people, by id."""
        return await whole(self._service, _PEOPLE, "/v1/people")

    async def names(self) -> dict[str, str]:
        """Return people's names by id; none without an answer."""
        try:
            return {one.id: one.name for one in await self.all()}
        except (Unavailable, Refused):
            return {}

    async def groups(self) -> dict[str, str]:
        """Return the names of warehouse groups by id; none without an answer."""
        try:
            return {one.id: one.name for one in await self.all_groups()}
        except (Unavailable, Refused):
            return {}

    async def all_groups(self) -> list[WarehouseGroup]:
        """Return warehouse groups, by id."""
        return await whole(self._service, _GROUPS, "/v1/warehouse-groups")

    async def group(self, group_id: str) -> WarehouseGroup | None:
        """Return a warehouse group, or None where there is none."""
        return await self._service.get(_GROUP, _group_path(group_id), {})

    async def put_group(self, group_id: str, body: dict[str, object]) -> None:
        """Make or change a warehouse group."""
        await self._service.put(_GROUP, _group_path(group_id), body)

    async def delete_group(self, group_id: str) -> None:
        """Delete a warehouse group; Refused while a row of the table names it."""
        await self._service.delete(_group_path(group_id))

    async def one(self, person_id: str) -> Person | None:
        """Return a person, or None where there is none."""
        return await self._service.get(_PERSON, _path(person_id), {})

    async def put(self, person_id: str, body: dict[str, object]) -> None:
        """Make or change a person."""
        await self._service.put(_PERSON, _path(person_id), body)

    async def delete(self, person_id: str) -> None:
        """Delete a person; Refused while the table names them."""
        await self._service.delete(_path(person_id))

    async def count_unknown(self) -> UnknownCounts:
        """Return how many products cannot be told by class or supplier."""
        path = "/v1/parameters/unknown/summary"
        return await self._service.get(_UNKNOWN_COUNTS, path, {}) or UnknownCounts()

    async def unknown(self, of: str, cursor: str = "", limit: int = 50) -> Page[UnknownOfSku]:
        """Return a part of the products of which `of` is not known, by SKU."""
        asked: dict[str, str | int] = {"of": of, "limit": limit}
        if cursor:
            asked["cursor"] = cursor
        page = await self._service.get(_UNKNOWN, "/v1/parameters/unknown", asked)
        return page or Page[UnknownOfSku](items=[])

    async def table(self) -> list[Row]:
        """Return the table of responsibilities."""
        found = await self._service.get(_TABLE, "/v1/responsibilities", {})
        return self._rows(found)

    async def put_table(self, rows: list[Row]) -> list[Row]:
        """Replace the table; the errors of a refusal are by row."""
        found = await self._service.put(_TABLE, "/v1/responsibilities", {"items": rows})
        return self._rows(found)

    async def import_table(self, sheet: str) -> list[Row]:
        """Replace the table by a sheet (CSV); the errors of a refusal are by row."""
        found = await self._service.post_file(_TABLE, "/v1/responsibilities/import", _CSV, sheet)
        return self._rows(found)

    def _rows(self, table: Table | None) -> list[Row]:
        if table is None:
            raise Unavailable("alerting")
        return table.items


def _path(person_id: str) -> str:
    return f"/v1/people/{quote(person_id, safe='')}"


def _group_path(group_id: str) -> str:
    return f"/v1/warehouse-groups/{quote(group_id, safe='')}"
