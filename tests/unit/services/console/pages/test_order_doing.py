"""What becomes of the form that is open when something is refused."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from typing_extensions import override

from services.console.domain.language import Language
from services.console.domain.sign_in import Myself
from services.console.domain.texts import Words
from services.console.pages.context import Context
from services.console.pages.frame import Frame
from services.console.pages.order_doing import OrderDoing
from services.console.upstream.actions import Actions
from services.console.upstream.orders import Orders
from services.console.upstream.service import Service

LINE = "/v1/actions/line-1/cancel"
PURCHASE = "/v1/actions/purchase-1/approve"


class Viewer(Frame):
    """Somebody in front of no page: of a frame, no more is needed to do something."""

    def __init__(self, service: Service) -> None:
        context = SimpleNamespace(orders=Orders(service), actions=Actions(service))
        self.address = "/"
        self.context = cast("Context", context)
        self.words = Words(Language.ENGLISH)
        self.myself = Myself("lin", "林晓")

    @override
    def may_act(self) -> bool:
        return True


class Desk:
    """What can be done with orders, and what alerting answers to which path."""

    def __init__(
        self, client: httpx.AsyncClient, refusals: dict[str, httpx.Response], paths: list[str]
    ) -> None:
        self.refusals = refusals
        self.paths = paths
        self.shown = self.asked = 0
        viewer = Viewer(Service("alerting", client))
        self.doing = OrderDoing(viewer, self._show, self._ask, lambda _: None)

    def _show(self) -> None:
        self.shown += 1

    async def _ask(self) -> None:
        self.asked += 1


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    refusals: dict[str, httpx.Response] = {}
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return refusals.get(request.url.path, httpx.Response(200, json={}))

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url="http://it"
    ) as client:
        yield Desk(client, refusals, paths)


def refusal(code: str, *fields: str) -> httpx.Response:
    errors = [{"field": one, "code": "string_too_long", "message": "Too long"} for one in fields]
    document = {"type": f"urn:lowtide:problem:{code}", "detail": "No.", "errors": errors}
    return httpx.Response(422, json=document)


async def send(desk: Desk) -> str:
    """Press the button of the form that is open."""
    form = desk.doing.form
    return await desk.doing.act(form.send if form else "send")


async def typed(desk: Desk) -> None:
    await desk.doing.act("out:line-1")
    desk.doing.type("note", "not needed any more")


async def test_what_confirms_one_form_does_not_send_another(desk: Desk) -> None:
    await typed(desk)
    form = desk.doing.form
    assert form is not None
    await desk.doing.act("place:order-1")
    await desk.doing.act(form.send)
    assert desk.paths == []
    await send(desk)
    assert desk.paths == ["/v1/orders/order-1/place"]


async def test_a_mail_goes_once_however_often_it_is_pressed(desk: Desk) -> None:
    act = desk.doing.mail_act("order-1")
    await desk.doing.act(act)
    await desk.doing.act(act)
    assert desk.paths == ["/v1/orders/order-1/mails"]
    await desk.doing.act(desk.doing.mail_act("order-1"))
    assert len(desk.paths) == 2


async def test_what_is_refused_elsewhere_leaves_the_form_as_it_is(desk: Desk) -> None:
    await typed(desk)
    desk.refusals[PURCHASE] = refusal("own_request", "note")
    await desk.doing.act("approve:purchase-1")
    assert "Somebody else" in desk.doing.failure
    assert desk.doing.form is not None
    assert desk.doing.fields == {"note": "not needed any more"}
    assert desk.doing.errors == {}


async def test_what_is_wrong_with_a_field_stands_beside_it(desk: Desk) -> None:
    await typed(desk)
    desk.refusals[LINE] = refusal("invalid", "note")
    assert await send(desk) == "[aria-invalid=true]"
    assert (desk.doing.failure, set(desk.doing.errors)) == ("", {"note"})
    assert desk.doing.fields == {"note": "not needed any more"}
    desk.doing.type("note", "short")
    del desk.refusals[LINE]
    await send(desk)
    assert desk.doing.form is None


@pytest.mark.parametrize("fields", [(), ("lines.0",)])
async def test_what_is_refused_as_a_whole_is_over(desk: Desk, fields: tuple[str, ...]) -> None:
    await typed(desk)
    desk.refusals[LINE] = refusal("wrong_state", *fields)
    await send(desk)
    assert "moved on" in desk.doing.failure
    assert desk.doing.form is None
