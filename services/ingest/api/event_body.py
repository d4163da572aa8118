"""How `POST /v1/events` is described at /openapi.json: its body and its answer."""

from pydantic import BaseModel

from services.ingest.domain.mistakes import EXPECTED
from services.ingest.inbound.events import MAX_EVENTS
from shared.events.stock_changes import OPTIONAL, SHAPES, Bucket, ChangeType, StockChange


class Detail(BaseModel):
    """What is wrong with a field of an event, and what to do about it."""

    field: str
    code: str
    message: str


class Rejection(Detail):
    """Why an event was not taken; `index` counts from 0 within the request.

    `also` has what else is wrong with it, if anything.
    """

    index: int
    also: list[Detail] = []


class Answer(BaseModel):
    """What became of a request's events, each counted once."""

    accepted: int
    quarantined: int
    ignored: int
    rejected: list[Rejection]


_ADDED_BY_INGEST = ("received_at", "v")
_MAY_BE_IMPLIED = "channel"

MEANINGS: dict[ChangeType, str] = {
    ChangeType.SALE: "sold and gone",
    ChangeType.RETURN: "came back; with the reason `damaged` it cannot be sold again",
    ChangeType.RECEIPT: "came in from a supplier; reference and line say for which supply",
    ChangeType.ADJUSTMENT: "more or fewer than recorded, for a reason such as damage or theft",
    ChangeType.COUNT: "so many were counted: on hand, or the bucket that is named",
    ChangeType.CONSUMED: "used up, such as by a work order",
    ChangeType.PRODUCED: "made and put into stock",
    ChangeType.HOLD: "set aside: on hand, but unavailable",
    ChangeType.RELEASE: "no longer set aside",
    ChangeType.ORDER_PLACED: "promised to an order; all its lines of one SKU in one warehouse are "
    "one promise, which what is shipped or cancelled of any of them takes from",
    ChangeType.ORDER_CANCELLED: "no longer promised to an order",
    ChangeType.ORDER_FULFILLED: "shipped to an order, and so no longer promised",
    ChangeType.TRANSFER_SHIPPED: "left for the counterparty",
    ChangeType.TRANSFER_RECEIVED: "arrived from the counterparty",
    ChangeType.SUPPLY_EXPECTED: "the total ordered on this reference and line; the latest holds",
    ChangeType.SUPPLY_CANCELLED: "what is open on this reference and line will not come",
    ChangeType.DEMAND_EXPECTED: "the total that this reference and line need; the latest holds",
    ChangeType.DEMAND_CANCELLED: "this reference and line need nothing any more",
}

_HAPPENED: dict[str, object] = {
    "id": "order-1001",
    "channel": "web",
    "type": "sale",
    "sku": "85123A",
    "warehouse": "main",
    "quantity": 6,
    "occurred_at": "2026-03-01T09:30:00+08:00",
}
EXAMPLES: dict[str, object] = {
    "a sale": _HAPPENED,
    "several events": [
        _HAPPENED,
        _HAPPENED | {"id": "rma-7", "type": "return", "quantity": 1, "reason": "damaged"},
    ],
    "an order from its placing to its shipping": [
        _HAPPENED | {"id": "7-placed", "type": "order_placed", "reference": "order 7"},
        _HAPPENED | {"id": "7-shipped", "type": "order_fulfilled", "reference": "order 7"},
    ],
    "a transfer, one unit short": [
        _HAPPENED
        | {"id": "to-7-out", "type": "transfer_shipped", "reference": "TO 7"}
        | {"counterparty": "shanghai", "eta": "2026-03-04T09:00:00+08:00"},
        _HAPPENED
        | {"id": "to-7-in", "type": "transfer_received", "reference": "TO 7", "quantity": 5}
        | {"warehouse": "shanghai", "counterparty": "main"}
        | {"occurred_at": "2026-03-04T10:20:00+08:00"},
    ],
    "a purchase order's line and its receipt": [
        _HAPPENED
        | {"id": "po-4711-v1", "line": "3", "type": "supply_expected", "quantity": 240}
        | {"reference": "PO 4711", "eta": "2026-03-20T00:00:00+08:00"},
        _HAPPENED
        | {"id": "grn-12", "line": "3", "type": "receipt", "quantity": 120}
        | {"reference": "PO 4711", "occurred_at": "2026-03-19T14:00:00+08:00"},
    ],
    "a plan that will need stock": _HAPPENED
    | {"id": "live-0308", "type": "demand_expected", "quantity": 500}
    | {"reference": "live 03-08", "eta": "2026-03-08T20:00:00+08:00"},
    "a count of what is unavailable": _HAPPENED
    | {"id": "count-10", "type": "count", "quantity": 7, "bucket": "unavailable"},
}


def request_body() -> dict[str, object]:
    """Return the body as OpenAPI describes it."""
    event = _event()
    many = {"oneOf": [event, {"type": "array", "items": event, "maxItems": MAX_EVENTS}]}
    lines = {"type": "string", "description": "One event a line"}
    examples = {name: {"summary": name, "value": value} for name, value in EXAMPLES.items()}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": many, "examples": examples},
                "application/x-ndjson": {"schema": lines},
            },
        }
    }


def _event() -> dict[str, object]:
    event = StockChange.model_json_schema()
    del event["$defs"]
    fields = event["properties"]
    for added in _ADDED_BY_INGEST:
        del fields[added]
    event["required"] = [
        name for name in event["required"] if name in fields and name != _MAY_BE_IMPLIED
    ]
    fields["type"] = {"enum": [each.value for each in ChangeType]}
    fields["bucket"] = {"enum": [*(each.value for each in Bucket), None], "default": None}
    for name, field in fields.items():
        field["description"] = EXPECTED[name]
    fields["type"]["description"] = _types()
    event["title"] = "Event"
    event["description"] = (
        "A change of stock. `sku`, `warehouse` and `counterparty` may be the channel's own "
        "spellings; `channel` may be left out with a token of the channel."
    )
    return event


def _types() -> str:
    rows = ["| type | what happened | quantity | needs | may have |", "|---|---|---|---|---|"]
    for kind, shape in SHAPES.items():
        quantity = f"{shape.least} or more" if shape.least >= 0 else "not 0, with its sign"
        needs = ", ".join(f"`{name}`" for name in OPTIONAL if name in shape.needs)
        may_have = ", ".join(f"`{name}`" for name in OPTIONAL if name in shape.may_have)
        rows.append(f"| `{kind.value}` | {MEANINGS[kind]} | {quantity} | {needs} | {may_have} |")
    return "\n".join(rows)
