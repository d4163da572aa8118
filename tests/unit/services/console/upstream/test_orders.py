"""What alerting is asked of purchases."""

from uuid import UUID

import httpx

from services.console.upstream.orders import Orders
from services.console.upstream.service import Service
from tests.browser.fake_orders import line, order

ORDER = str(UUID(int=9_001))


async def test_an_old_purchase_without_a_supplier_is_found_behind_many_newer_ones() -> None:
    parts = {
        "": ([line(1, "approved", ORDER)], "2"),
        "2": ([line(2, "approved", ORDER)], "3"),
        "3": ([line(3, "approved", "")], None),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        items, following = parts[request.url.params.get("cursor", "")]
        return httpx.Response(200, json={"items": items, "next_cursor": following})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        found = await Orders(Service("it", client)).uncollected()
    assert [each.sku for each in found] == ["SKU-1003"]


async def test_open_orders_of_however_many_suppliers_are_all_there() -> None:
    orders = {str(UUID(int=9_000 + number)): order(number, "open", []) for number in (1, 2, 3)}
    parts = {"": ([1, 2], "2"), "2": ([3], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        _, _, one = request.url.path.partition("/v1/orders/")
        if one:
            return httpx.Response(200, json=orders[one] | {"items": [], "link": None})
        numbers, following = parts[request.url.params.get("cursor", "")]
        items = [orders[str(UUID(int=9_000 + number))] for number in numbers]
        return httpx.Response(200, json={"items": items, "next_cursor": following})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        found = await Orders(Service("it", client)).collected()
    assert [each.number for each in found] == [1, 2, 3]
