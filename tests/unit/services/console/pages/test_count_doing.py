"""What is sent when somebody decides on a stocktake."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from typing_extensions import override

from services.console.domain.language import Language
from services.console.domain.sign_in import Myself
from services.console.domain.texts import Words
from services.console.pages.context import Context
from services.console.pages.count_doing import CountDoing
from services.console.pages.frame import Frame
from services.console.upstream.service import Refused, Service
from services.console.upstream.stocktakes import Count, Stocktake, Stocktakes

SEEN = Stocktake(
    reference="PD-1",
    warehouse="hangzhou",
    state="waiting",
    counts=25_000,
    variance=-3,
    absolute_variance=3,
    up_to=25_000,
)

ONE = Count(
    id=7,
    sku="SOCK",
    sku_name="Merino socks",
    warehouse="hangzhou",
    counted=3,
    expected=5,
    variance=-2,
    occurred_at=datetime(2026, 3, 2, tzinfo=UTC),
)


class Viewer(Frame):
    """Somebody in front of no page: of a frame, no more is needed to do something."""

    def __init__(self, service: Service) -> None:
        self.address = "/"
        self.context = cast("Context", SimpleNamespace(stocktakes=Stocktakes(service)))
        self.words = Words(Language.ENGLISH)
        self.myself = Myself("lin", "林晓")

    @override
    def may_act(self) -> bool:
        return True


class Ledger:
    """Decides on 20,000 counts a request; more came before the second."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        counts = json.loads(request.content)["counts"]
        self.asked.append((request.url.path.rpartition("/")[2], counts))
        if len(self.asked) == 1:
            return httpx.Response(200, json={"decided": 20_000, "left": 5_000})
        problem = {"type": "urn:lowtide:problem:stocktake_changed", "detail": "More wait."}
        return httpx.Response(409, json=problem | {"decided": 1_000})


async def _nothing() -> None:
    """Nobody asks again here."""


async def test_what_confirms_one_step_does_not_send_another() -> None:
    ledger = Ledger()
    transport = httpx.MockTransport(ledger.answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        viewer = Viewer(Service("the ledger", client))
        doing = CountDoing(viewer, lambda: None, _nothing, lambda _: SEEN, lambda _: None)
        await doing.act("approve:PD-1")
        approval = doing.form
        assert approval is not None
        await doing.act("reject:PD-1")
        await doing.act(approval.send)
        assert ledger.asked == []
        rejection = doing.form
        assert rejection is not None
        await doing.act(rejection.send)
    assert ledger.asked == [("reject", 25_000), ("reject", 5_000)]


async def test_all_that_was_decided_on_is_told_of_what_changed_meanwhile() -> None:
    transport = httpx.MockTransport(Ledger().answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        stocktakes = Stocktakes(Service("the ledger", client))
        with pytest.raises(Refused) as refused:
            await stocktakes.decide(SEEN, "approve")
    assert (refused.value.code, refused.value.decided) == ("stocktake_changed", 21_000)


async def test_a_count_that_is_decided_on_by_itself_is_told_by_its_products_name() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(503 if len(asked) == 1 else 200, json={})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        viewer = Viewer(Service("the ledger", client))
        doing = CountDoing(viewer, lambda: None, _nothing, lambda _: None, {"7": ONE}.get)
        await doing.act("one:reject:8")
        assert asked == []
        await doing.act("one:reject:7")
        assert (bool(doing.failure), doing.done) == (True, "")
        await doing.act("one:reject:7")
        assert (doing.failure, doing.done) == ("", "Merino socks: rejected.")
    assert asked == ["/v1/counts/7/reject"] * 2
