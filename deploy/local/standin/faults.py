"""`POST /faults`: have the stand-in WeCom misbehave, for demonstrations and fault drills."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.testing.unruly_http import Reply
from shared.testing.vendor import Fault
from shared.testing.wecom import FakeWecom

PATH = "/faults"


class Order(BaseModel):
    """What is to go wrong with the next `times` requests, of one key or of any."""

    model_config = ConfigDict(extra="forbid")

    fault: str
    times: int = Field(default=1, ge=1, le=10_000)
    key: str | None = None
    errcode: int = -1


def obey(wecom: FakeWecom, body: bytes) -> Reply:
    """Take an order."""
    names = {fault.name.lower(): fault for fault in Fault}
    try:
        order = Order.model_validate_json(body)
        fault = names[order.fault]
    except (ValidationError, KeyError):
        detail = f'Send {{"fault": one of {sorted(names)}, "times"?, "key"?, "errcode"?}}.'
        return Reply.of({"detail": detail}, 422)
    wecom.order(fault, key=order.key, times=order.times, errcode=order.errcode)
    return Reply.of({"ordered": order.fault, "times": order.times})
